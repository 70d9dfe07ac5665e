"""The one way to write: commands are decided in batches, and a batch is one transaction."""

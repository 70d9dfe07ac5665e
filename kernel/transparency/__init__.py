"""The transparency log over the journal: sequencer, checkpoints, witnesses, receipts, verification."""

"""Time stamps at work: a client for authorities by address, and the authority that ``zhecai tsa`` runs."""

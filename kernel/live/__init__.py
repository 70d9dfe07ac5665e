"""Live sessions: halls that many watch, each event serialised once per audience."""

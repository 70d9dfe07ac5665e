"""The journal: every decision that matters, append-only, the source of state, replay and feed."""

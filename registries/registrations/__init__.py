"""Registrations (登记): applying, being reviewed, asking for changes, and what became of it."""

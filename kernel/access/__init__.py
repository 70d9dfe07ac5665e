"""Who may do what: actors, the access table, sessions, passwords, rate limits."""

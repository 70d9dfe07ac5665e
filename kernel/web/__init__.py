"""The web frame: typed routes, problems, sessions, one log line a request."""

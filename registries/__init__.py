"""Who takes part: regions, organisations, users."""

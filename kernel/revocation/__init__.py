"""Lists and answers of outside authorities: fetched where their certificates say, verified, kept, renewed in time."""

"""Users (用户): who logs in, for which organisation and in which roles."""

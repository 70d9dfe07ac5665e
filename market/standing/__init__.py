"""Standing (交易资格): suspending, reinstating and striking off organisations, and what that does to their trade."""

"""Trading: direct orders, reverse auctions."""

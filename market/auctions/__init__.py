"""Reverse auctions (反向竞价): suppliers underbid one another live, and the lowest offer wins."""

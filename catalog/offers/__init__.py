"""Offers (供货报价): one supplier's price and quota for one product under one agreement."""

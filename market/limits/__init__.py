"""Limits on direct orders (直接订购限额): dated figures by region and level, and what counts towards them."""

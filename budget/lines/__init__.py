"""Budget lines (预算指标): what an organisation may spend, kept as a double-entry ledger in fen."""

"""Records of procedures as documents (竞价记录等文书)."""

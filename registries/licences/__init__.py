"""Licences (营业执照): copies that organisations hand in for their registration, each kept, the latest one counting."""

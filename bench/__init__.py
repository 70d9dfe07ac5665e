"""Measurements: what the bars of the project are taken with. Not shipped in the wheel; run by ``zhecai bench``."""

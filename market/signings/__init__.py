"""Signings (签署): people of both parties sign one document one after another, and the platform seals it."""

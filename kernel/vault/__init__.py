"""Secrets at rest (静态加密): sealed under a master key that is kept elsewhere, and sealed anew when it changes."""

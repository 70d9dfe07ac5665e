"""Scenarios: the main jobs on real input from an empty directory, as a program that says what it does."""

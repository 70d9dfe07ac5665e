"""Organisations (单位): purchasers, suppliers, supervisors and the operator of the platform."""

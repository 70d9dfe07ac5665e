"""What the orders need of the limits: the kind of the spending streams."""

from market.limits.queries import SPENDING

__all__ = ["SPENDING"]

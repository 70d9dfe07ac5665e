"""Budget: indicators (预算指标), their reservations and what was spent; later plans, payments, settlement."""

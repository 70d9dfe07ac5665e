"""Direct orders (直接订购): from the cart to the closed order, frozen as they were placed."""

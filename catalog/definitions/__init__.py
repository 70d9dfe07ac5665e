"""What categories ask of their products (品目属性定义)."""

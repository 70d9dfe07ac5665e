"""Pictures (图片) of goods: who sent which in, and what is kept of it."""

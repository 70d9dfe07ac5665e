"""Products (商品): what exactly is sold, with typed attributes, and how it is found."""

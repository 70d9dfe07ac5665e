"""Import of goods (商品导入) from CSV, XLSX and JSON lines."""

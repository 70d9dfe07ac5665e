"""The classification of procurement items (政府采购品目分类目录) and what a category asks of its products."""

"""Internal control (内部控制): from which amount on an organisation's orders need a second hand."""

"""What can be bought: classification, products, framework agreements, offers, import of goods."""

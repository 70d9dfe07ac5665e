"""The sample province (示例省份): invented organisations and goods, and bots that trade with them."""

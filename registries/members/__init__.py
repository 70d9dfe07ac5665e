"""Members (本单位账号): the accounts of an organisation, as its administrators see and change them."""

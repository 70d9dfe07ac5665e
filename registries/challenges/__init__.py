"""Login and step-up by certificate: a challenge that is signed with the private key."""

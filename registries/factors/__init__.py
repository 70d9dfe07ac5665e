"""Second factors (第二因素): one-time codes, passkeys and recovery codes of an account."""

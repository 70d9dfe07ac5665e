"""Time stamps (时间戳, RFC 3161): requests, tokens, an authority, and the checking of all of it."""

"""What operators watch: Prometheus metrics, all declared in one place."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

_FAST_S: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5)

REQUESTS: Final = Counter("zhecai_http_requests", "HTTP requests answered", ["method", "route", "status"])
REQUEST_SECONDS: Final = Histogram(
    "zhecai_http_request_seconds", "From last byte in to first byte out", buckets=_FAST_S
)
COMMIT_BATCHES: Final = Counter("zhecai_commit_batches", "Transactions of the group commit", ["committer"])
COMMIT_COMMANDS: Final = Counter("zhecai_commit_commands", "Commands decided", ["committer"])
COMMIT_CLASHES: Final = Counter("zhecai_commit_clashes", "Batches that another process outran", ["committer"])
COMMIT_SECONDS: Final = Histogram("zhecai_commit_seconds", "Duration of COMMIT", ["committer"], buckets=_FAST_S)
RATE_REFUSALS: Final = Counter(
    "zhecai_rate_refusals", "Requests and messages refused because a budget is spent", ["budget"]
)
VIEWERS: Final = Gauge("zhecai_live_viewers", "Connections in live halls")
VIEWERS_CUT: Final = Counter("zhecai_live_viewers_cut", "Viewers cut off because they read too slowly")
BUS_HINTS: Final = Counter("zhecai_bus_hints", "Hints published and received", ["direction"])
LOG_ENTRIES: Final = Counter("zhecai_log_entries", "Entries given a place in the transparency log")
REVOCATION_FETCHES: Final = Counter(
    "zhecai_revocation_fetches", "Lists and answers asked of outside authorities", ["kind", "outcome"]
)
REVOCATION_AGE: Final = Gauge("zhecai_revocation_age_seconds", "Age of the oldest list or answer in use")
REVOCATION_OUT_OF_DATE: Final = Gauge(
    "zhecai_revocation_out_of_date", "Lists and answers in use that have run out or never came: logins wait for them"
)
LOG_REFUSALS: Final = Counter("zhecai_log_refusals", "Checkpoints that a witness refused: look at once", ["witness"])

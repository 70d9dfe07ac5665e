"""The environment of the programs that tests start."""

import os


def bare_environment() -> dict[str, str]:
    """Give the variables of this process without our settings, but for what keeps a site of one test small."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ZHECAI_")}
    return kept | {"ZHECAI_PG_LOG_READY_MB": "64"}

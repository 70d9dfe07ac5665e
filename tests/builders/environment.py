"""The environment of the programs that tests start."""

import os


def bare_environment() -> dict[str, str]:
    """
    Give the variables of this process without our settings.

    What stays are the engines' programs, and what keeps a site of one test small.
    """
    programs = {"ZHECAI_PG_BINDIR", "ZHECAI_REDIS_BIN"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ZHECAI_") or name in programs}
    return kept | {"ZHECAI_PG_LOG_READY_MB": "64"}

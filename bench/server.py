"""
The server under test: the real service on embedded engines with fsync on, in a process of its own.

    python -m bench.server DATA_DIRECTORY [FLUSH_MIN_S]

Beside the product's routes it has the echoes (:mod:`bench.echo`), and it takes orders over its standard input: to fill
itself, to say how much processor time it has used, to profile itself.
"""

import cProfile
import io
import pstats
import sys
from time import process_time
from typing import Any

import uvloop

from bench.echo import with_echoes
from bench.seeds import Seeds
from bench.talk import listen as take_orders
from bench.talk import more_files
from kernel.clock import SystemClock
from kernel.log import configure_logging
from kernel.runtime import open_kernel
from kernel.settings import NAMES, load_settings
from portal.app import load_actor
from portal.server import engines_up, listen, service_up

_PROFILED_LINES = 45
_WIDE = 1_000_000_000
"""Requests a minute: all load comes from one address, and a few accounts send thousands of offers a second."""


async def main(data: str, flush_min_s: str | None) -> None:
    wide = {name: str(_WIDE) for name in NAMES if name.endswith("_per_min")}
    given = {"data_dir": data, "port": "0", "log_format": "json", **wide}
    if flush_min_s is not None:
        given["flush_min_s"] = flush_min_s
    settings = load_settings({}, None, given)
    configure_logging(settings.log_level, settings.log_format)
    listener = listen(settings)
    async with (
        engines_up(settings) as (database_url, redis_url),
        open_kernel(
            settings, SystemClock(), database_url=database_url, redis_url=redis_url, load_actor=load_actor
        ) as kernel,
        service_up(kernel, listener, with_echoes(kernel)) as url,
    ):
        seeds, profile = Seeds(kernel), cProfile.Profile()

        async def do(asked: dict[str, Any]) -> Any:
            match asked.pop("do"):
                case "auctions":
                    return await seeds.auctions(**asked)
                case "shop":
                    return await seeds.shop(**asked)
                case "cpu":
                    return process_time()
                case "profile":
                    profile.enable()
                case "profiled":
                    profile.disable()
                    text = io.StringIO()
                    pstats.Stats(profile, stream=text).sort_stats("tottime").print_stats(_PROFILED_LINES)
                    return text.getvalue()
                case other:
                    raise ValueError(other)
            return None

        await take_orders({"url": url, "database_url": database_url}, do)


more_files()
uvloop.run(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None))

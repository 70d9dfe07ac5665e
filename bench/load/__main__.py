"""A load process: ``python -m bench.load``, told what to do over its standard input."""

from typing import Any

import uvloop

from bench.load import offers, posts, viewers
from bench.talk import listen


async def main() -> None:
    bidding, crowd = offers.Bidding(), viewers.Crowd()

    async def do(asked: dict[str, Any]) -> Any:  # noqa: PLR0911 - one case a job
        match asked.pop("do"):
            case "enter":
                return await bidding.enter(**asked)
            case "bid":
                return await bidding.bid(**asked)
            case "posts":
                return await posts.run(**asked)
            case "watch":
                return await crowd.watch(**asked)
            case "count":
                return await crowd.count(**asked)
            case "seen":
                return crowd.seen()
            case "leave":
                return await crowd.leave()
            case other:
                raise ValueError(other)

    await listen({}, do)


uvloop.run(main())

"""What falls due in the standing of organisations: a suspension's first and last day, auctions that missed one."""

import asyncio

from kernel.runtime import Kernel
from market.standing import service


async def run_due(kernel: Kernel) -> int:
    """
    Begin and end the suspensions whose day has come, tell auctions that missed one; return how much that changed.

    Both are derived from rows: any number of workers may run, twice is harmless.
    """
    at = kernel.clock.now()
    turned = [service.fire(kernel, organisation_id, at) for organisation_id in await service.falling_due(kernel, at)]
    done = sum(await asyncio.gather(*turned))
    missed = [service.settle(kernel, *one, at) for one in await service.unsettled(kernel)]
    return done + sum(await asyncio.gather(*missed))

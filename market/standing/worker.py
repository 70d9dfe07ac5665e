"""What falls due in the standing of organisations: the end of a suspension, and auctions that missed one."""

import asyncio

from kernel.runtime import Kernel
from market.standing import service


async def run_due(kernel: Kernel) -> int:
    """
    End the suspensions that are over and tell auctions that were published meanwhile; return how much that changed.

    Both are derived from rows: any number of workers may run, twice is harmless.
    """
    at = kernel.clock.now()
    over = [service.lapse(kernel, organisation_id, at) for organisation_id in await service.falling_due(kernel, at)]
    done = sum(await asyncio.gather(*over))
    missed = [service.settle(kernel, *one, at) for one in await service.unsettled(kernel)]
    return done + sum(await asyncio.gather(*missed))

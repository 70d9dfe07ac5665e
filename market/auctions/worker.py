"""What falls due in auctions: their start, and their close after the drain time."""

import asyncio

from kernel.runtime import Kernel
from market.auctions import service


async def run_due(kernel: Kernel) -> int:
    """
    Start and close what is due; return how many auctions that changed.

    What is due is derived from the rows, and decided again from the state: any number of workers may run, twice is
    harmless, and a worker that was away finds its work waiting.
    """
    at = kernel.clock.now()
    due = await service.falling_due(kernel, at)
    return sum(await asyncio.gather(*(service.start_or_close(kernel, auction_id, at) for auction_id in due)))

"""What falls due in signings: the seal, where the process that took the last signature could not put it on."""

import asyncio

from kernel.runtime import Kernel
from market.signings import service


async def run_due(kernel: Kernel) -> int:
    """
    Seal what everybody has signed; return how many that completed.

    What is due is derived from the rows: any number of workers may run, twice is harmless. One document that cannot be
    sealed holds up no other; what went wrong with the first is raised in the end, so that the worker rests.
    """
    at = kernel.clock.now()
    due = await service.falling_due(kernel, at)
    done = await asyncio.gather(*(service.complete(kernel, one, at) for one in due), return_exceptions=True)
    failed = [one for one in done if isinstance(one, BaseException)]
    if failed:
        raise failed[0]
    return sum(one is True for one in done)

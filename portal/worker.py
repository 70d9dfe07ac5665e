"""The worker: fires what falls due. Any number may run; firing twice is harmless."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Final

import structlog

from kernel.commit import keys
from kernel.revocation.register import run_renewals
from kernel.runtime import Kernel
from kernel.transparency.log import run_log

Job = Callable[[Kernel], Awaitable[int]]

TICK_S: Final = 0.1
"""How late something due may be noticed."""
_HOUSEKEEPING_S: Final = 30.0
_KEYS_KEPT: Final = timedelta(days=7)
_REST_AFTER_FAILURE_S: Final = 1.0

log = structlog.get_logger()


async def run_worker(kernel: Kernel, jobs: tuple[Job, ...]) -> None:
    """Run ``jobs`` every ``TICK_S`` until cancelled; each returns how many things it fired."""
    again_s = dict.fromkeys((*jobs, _keep_house), float("-inf"))
    while True:
        for job, due_s in again_s.items():
            if kernel.clock.monotonic_s() >= due_s:
                again_s[job] = kernel.clock.monotonic_s() + await _run(kernel, job)
        await asyncio.sleep(TICK_S)


async def _run(kernel: Kernel, job: Job) -> float:
    """Run one job until nothing is left for it; return how many seconds to leave it alone. One that fails rests."""
    try:
        while await job(kernel):
            pass
    except Exception:
        log.exception("worker.failed", job=job.__qualname__)
        return _REST_AFTER_FAILURE_S
    return _HOUSEKEEPING_S if job is _keep_house else 0.0


@contextlib.asynccontextmanager
async def working(kernel: Kernel, jobs: tuple[Job, ...]) -> AsyncIterator[None]:
    """Run a worker, the transparency log and the renewal of revocation lists beside whatever is done inside."""
    log_run = run_log(kernel.transparency, trading=lambda: kernel.trading)  # no auction waits for a witness
    tasks = (
        asyncio.create_task(run_worker(kernel, jobs), name="worker"),
        asyncio.create_task(log_run, name="log"),
        asyncio.create_task(run_renewals(kernel.revocations), name="revocations"),
    )
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _keep_house(kernel: Kernel) -> int:
    """Measure the clock, forget old sessions and old answers."""
    measured = await kernel.skew.measure()
    log.debug("clock.measured", offset_s=round(measured.offset_s, 6), error_s=round(measured.error_s, 6))
    await kernel.sessions.sweep()
    async with kernel.db.pool.acquire() as connection:
        await keys.forget(connection, kernel.clock.now() - _KEYS_KEPT)
    return 0

"""Witnesses that answer in this process, and journals with a log."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx2

from crypto.log.notes import NoteKey
from kernel.clock import ManualClock
from kernel.runtime import Kernel
from kernel.transparency import queries
from kernel.transparency.witness import WitnessServer, WitnessState
from tests.builders.trees import a_witness


class AWitness:
    """A witness with its state in a file, as ``zhecai witness`` runs it; ``restart`` is what a crash leaves."""

    def __init__(self, number: int, directory: Path, clock: ManualClock) -> None:
        self.signer = a_witness(number)
        self.path = directory / f"seen-{number}.json"
        self.clock = clock
        self.logs: dict[str, NoteKey] = {}
        self.up = True
        self.restart()

    @property
    def host(self) -> str:
        return self.signer.key.name.replace("/", "-")

    @property
    def setting(self) -> str:
        return f"http://{self.host} {self.signer.key}"

    def restart(self) -> None:
        self.state = WitnessState(self.path)
        self.app = WitnessServer(self.signer, self.logs, self.state, self.clock).app()

    async def handle(self, request: httpx2.Request) -> httpx2.Response:
        if not self.up:
            raise httpx2.ConnectError("down")
        return await httpx2.ASGITransport(app=self.app).handle_async_request(request)


class _Network(httpx2.AsyncBaseTransport):
    def __init__(self, witnesses: Mapping[str, AWitness]) -> None:
        self._witnesses = witnesses

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        return await self._witnesses[request.url.host].handle(request)


@contextmanager
def witnessed_by(kernel: Kernel, *witnesses: AWitness) -> Iterator[None]:
    """Let a kernel reach the witnesses without a socket between."""
    client = httpx2.AsyncClient(transport=_Network({witness.host: witness for witness in witnesses}))
    kernel.transparency._http = client
    yield


async def log_key(kernel: Kernel) -> NoteKey:
    """The log's key, once something was logged."""
    (vkey,) = await queries.keys(kernel.db.pool, "log")
    return NoteKey.read(vkey)

"""
Talking to the processes of a bench: JSON lines over their standard input and output.

A child answers each line with one line; what it logs goes to a file. Its ``ready`` line comes first.
"""

import asyncio
import contextlib
import os
import resource
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

ANSWER_S: Final = 300.0
_LINE_BYTES_MAX: Final = 1 << 28
_STOP_S: Final = 20.0
_CHECKOUT: Final = Path(__file__).resolve().parents[1]

Do = Callable[[dict[str, Any]], Awaitable[Any]]


class ChildFailed(Exception):
    """A process of the bench failed; its log says why."""


class Child:
    """A process that answers questions."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process: Final = process
        self._log: Final = log
        self.pid: Final = process.pid
        self.ready: dict[str, Any] = {}

    async def ask(self, do: str, **given: Any) -> Any:
        """Ask for something and wait for it. Raises ``ChildFailed``."""
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode({"do": do, **given}) + b"\n")
        await self._process.stdin.drain()
        return await self.answer()

    async def answer(self) -> Any:
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), ANSWER_S)
        if not line:
            await self._process.wait()
            raise ChildFailed(self._tail() or f"status {self._process.returncode}")
        answer = msgspec.json.decode(line)
        if "failed" in answer:
            raise ChildFailed(f"{answer['failed']}\n{self._tail()}")
        return answer["answer"]

    async def stop(self) -> None:
        """Close its input and wait for its end."""
        with contextlib.suppress(ProcessLookupError, TimeoutError):
            if self._process.stdin:
                self._process.stdin.close()
            await asyncio.wait_for(self._process.wait(), _STOP_S)
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    def _tail(self) -> str:
        return self._log.read_text("utf-8", "replace")[-3_000:] if self._log.exists() else ""


@asynccontextmanager
async def child(module: str, directory: Path, name: str, *arguments: str) -> AsyncIterator[Child]:
    """Run ``python -m module`` until the block ends."""
    log = directory / f"{name}.log"
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            cwd=_CHECKOUT,
            limit=_LINE_BYTES_MAX,
            start_new_session=True,  # Ctrl-C is for the bench, which then stops its children in order
        )
    found = Child(process, log)
    try:
        found.ready = await found.answer()
        yield found
    finally:
        await found.stop()


def more_files() -> None:
    """Allow this process and its children as many open files as the machine lets us."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def listen(ready: Any, do: Do) -> None:
    """Be the child: say ``ready``, then answer line after line until the input ends."""
    reader = asyncio.StreamReader(limit=_LINE_BYTES_MAX)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    _say({"answer": ready})
    while line := await reader.readline():
        try:
            answer = {"answer": await do(msgspec.json.decode(line))}
        except Exception as error:  # noqa: BLE001 - the parent is told, and decides
            answer = {"failed": repr(error)}
        _say(answer)


def _say(answer: dict[str, Any]) -> None:
    data = msgspec.json.encode(answer) + b"\n"
    while data:
        data = data[os.write(1, data) :]

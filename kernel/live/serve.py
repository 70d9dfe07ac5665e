"""Serving a hall over WebSocket: authenticates, seats the viewer, moves bytes; decides nothing."""

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
import structlog
from sqlalchemy.exc import DBAPIError
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from kernel.access.actors import Actor
from kernel.access.rates import Pace
from kernel.access.sessions import Session
from kernel.access.table import Action
from kernel.commit.batch import Outcome, Ref
from kernel.db.database import AWAY, is_away
from kernel.live.audience import Audience, Standing
from kernel.live.hall import Hall, HallView
from kernel.live.session import LiveSession, Send, Submit
from kernel.live.wire import EXTENSION, Wire, text_frame
from kernel.metrics import VIEWERS
from kernel.problems import Problem, TooMany, Unavailable
from kernel.web.context import authenticate, origin_of
from kernel.web.render import english, problem_document

if TYPE_CHECKING:
    from kernel.runtime import Kernel

RECHECK_S: Final = 15.0
"""How long a hall goes on showing itself to somebody whose session has ended."""
PROBLEM: Final = 4000
"""Close code: the first frame was a problem document and says why."""
SESSION_ENDED: Final = 4401

_VERSION: Final = re.compile(r"[0-9]{1,15}")
_encode: Final = msgspec.json.Encoder().encode
log = structlog.get_logger()


class Entrance(NamedTuple):
    """What an area decides about somebody at the door of one of its halls."""

    ref: Ref
    make_view: Callable[[], HallView]
    audience: Audience
    session: Callable[[Hall], LiveSession]


Admit = Callable[["Kernel", Actor, str, WebSocket], Awaitable[Entrance]]
"""Finds the hall that a path names for an actor at a network address; raises ``NotFound`` for a stranger."""


def hall_route(path: str, admit: Admit, *, action: Action, name: str, recheck_s: float = RECHECK_S) -> WebSocketRoute:
    """
    Make the WebSocket route of a kind of hall.

    The client says ``?after=N`` for the last version it knows. It gets one frame with a snapshot (or, when it knows
    something, a delta), then deltas; a refusal at the door is one problem document and close code ``PROBLEM``.
    """

    async def endpoint(websocket: WebSocket) -> None:
        kernel: Kernel = websocket.app.state.kernel
        await websocket.accept()
        wire: Wire = websocket.scope["extensions"][EXTENSION]
        try:
            origin = origin_of(websocket)
            kernel.rates.address(Pace.READ, origin)
            with _away_as_problem():
                actor, caller, _ = await authenticate(websocket, kernel, action)
                user_id = caller.actor.user_id if caller else None
                if user_id is not None:
                    kernel.rates.account(Pace.READ, user_id)
                kernel.skew.check()
                entrance = await admit(kernel, actor, origin, websocket)
                hall = await kernel.halls.hall(entrance.ref, entrance.make_view)
        except Problem as problem:
            _part(websocket, wire, problem)
            return
        if entrance.audience.kind is Standing.SUPERVISOR:
            seen_as = entrance.audience.kind.value
            log.info("hall.overseen", hall=str(entrance.ref), audience=seen_as, actor=actor.journal, origin=origin)
        seat = hall.enter(wire, entrance.audience, after=_after(websocket))

        def heard() -> bool:
            """Count a message; whoever sends too many is told so and cut off."""
            try:
                kernel.rates.address(Pace.FRAME, origin)
                if user_id is not None:
                    kernel.rates.account(Pace.FRAME, user_id)
            except TooMany as problem:
                _part(websocket, wire, problem)
                return False
            return True

        wire.listen(_sink(kernel, wire, entrance.session(hall), heard))
        VIEWERS.inc()
        try:
            await _stay(websocket, kernel, caller if actor.user_id else None, wire, recheck_s)
        finally:
            VIEWERS.dec()
            hall.leave(seat)

    return WebSocketRoute(path, endpoint, name=name)


def _part(websocket: WebSocket, wire: Wire, problem: Problem) -> None:
    """Say why and end the connection."""
    document = problem_document(problem, instance=websocket.url.path, in_english=english(websocket))
    wire.write(text_frame(_encode({"frame": "problem", **document})))
    wire.close(PROBLEM, problem.code)


@contextlib.contextmanager
def _away_as_problem() -> Iterator[None]:
    """Say of a database that is away what is said over HTTP: try again."""
    try:
        yield
    except (*AWAY, DBAPIError) as error:
        if not is_away(error):
            raise
        log.warning("live.database_away", error=repr(error))
        raise Unavailable(
            "系统繁忙，请稍后重试。",
            "The service is busy; please try again in a moment.",
            headers={"Retry-After": "1"},
        ) from error


async def _stay(websocket: WebSocket, kernel: "Kernel", caller: Session | None, wire: Wire, recheck_s: float) -> None:
    """Wait until the viewer goes, or its session (if it has one) ends."""
    while True:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(recheck_s):
                with contextlib.suppress(WebSocketDisconnect):
                    await websocket.receive()
                return
        with contextlib.suppress(Unavailable):  # while nobody can tell, nobody is sent away
            with _away_as_problem():
                ended = caller is not None and not await kernel.sessions.is_open(caller.id)
            if ended:
                wire.close(SESSION_ENDED, "session ended")
                return


def _sink(kernel: "Kernel", wire: Wire, session: LiveSession, heard: Callable[[], bool]) -> Callable[[bytes], None]:
    """Connect the wire to a session: what it says is sent or submitted."""
    clock, post = kernel.clock, kernel.live_committer.post

    def receive(raw: bytes) -> None:
        if not heard():
            return
        for effect in session.receive(raw, clock.now()):
            if isinstance(effect, Send):
                wire.write(text_frame(_encode(effect.message)))
            else:
                submit(effect)

    def submit(effect: Submit) -> None:
        reply = effect.reply

        def done(outcome: Outcome) -> None:
            wire.write(text_frame(_encode(reply(outcome))))

        try:
            post(effect.command, done)
        except Problem as problem:
            done(Outcome(problem=problem))

    return receive


def _after(websocket: WebSocket) -> int | None:
    text = websocket.query_params.get("after", "")
    return int(text) if _VERSION.fullmatch(text) else None

"""The application, composed statically: every route, every kind of stream, every worker, by name."""

from typing import Any, Final
from uuid import UUID

from starlette.applications import Starlette
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from kernel.access.actors import Actor
from kernel.db.database import Database
from kernel.journal.streams import StreamKind
from kernel.runtime import Kernel
from kernel.web.edge import Edge
from kernel.web.routes import TypedRoute

VERSION: Final = "0.1.0"

API: Final[tuple[BaseRoute, ...]] = ()
"""Every typed route and live hall."""

KINDS: Final[tuple[StreamKind[Any, Any], ...]] = ()
"""Every kind of stream, in the order in which ``zhecai verify`` checks them."""


async def load_actor(_db: Database, _user_id: UUID) -> Actor | None:
    return None


def create_app(kernel: Kernel) -> ASGIApp:
    """Compose the application of one process."""
    app = Starlette(routes=[*API])
    app.state.kernel = kernel
    return Edge(app, clock=kernel.clock)


def operations() -> list[TypedRoute]:
    """List the typed routes."""
    return [route for route in API if isinstance(route, TypedRoute)]

"""Finding the route of a request: the same one that asking each of them in turn would find, without asking all."""

from collections.abc import Iterable, Sequence
from typing import Final

from starlette.routing import BaseRoute, Route, Router, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

_DEPTH: Final = 3
"""Routes are told apart by the beginning of their paths, so many parts long: ``/api/orders``."""


class Switch(Router):
    """
    A router that knows beforehand which few routes a path can be meant for.

    Starlette asks every route with a regular expression: with sixty of them that took longer than deciding an order.
    Here a path without parameters has its own short list, any other that of its beginning. Each list keeps the order of
    the routes, so the first that matches is the same, and so is the answer to a wrong method.
    """

    def __init__(self, routes: Sequence[BaseRoute], default: ASGIApp) -> None:
        super().__init__(routes, default=default)
        known = [route for route in routes if isinstance(route, Route | WebSocketRoute)]
        assert len(known) == len(routes), "a mount has no path of its own"
        exact = {route.path for route in known if "{" not in route.path}
        beginnings = {_beginning(route.path) for route in known} - {None}

        def short(meant: Iterable[BaseRoute]) -> Router:
            return Router(list(meant), default=default)

        self._exact: Final = {path: short(r for r in known if r.path_regex.match(path)) for path in exact}
        self._begun: Final = {
            begun: short(r for r in known if _beginning(r.path) in (None, begun)) for begun in beginnings
        }

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        router = self._exact.get(path) or self._begun.get(_beginning(path))
        if router is None:
            await super().app(scope, receive, send)
            return
        scope.setdefault("router", self)
        await router.app(scope, receive, send)


def _beginning(path: str) -> str | None:
    """Cut a path down to its first parts; ``None`` where one of them is a parameter."""
    parts = path.split("/", _DEPTH)[:_DEPTH]
    return None if any("{" in part for part in parts) else "/".join(parts)

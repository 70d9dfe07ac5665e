"""Counting what is no operation, such as pages and tiles, against its address's budget."""

from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from kernel.access.rates import Pace
from kernel.problems import TooMany
from kernel.runtime import Kernel
from kernel.web.context import origin_of
from kernel.web.render import problem_response


class Paced:
    """An application that everybody may ask, so often."""

    def __init__(self, app: ASGIApp) -> None:
        self._app: Final = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kernel: Kernel = scope["app"].state.kernel
        request = Request(scope)
        try:
            kernel.rates.address(Pace.PUBLIC, origin_of(request))
        except TooMany as problem:
            await problem_response(problem, request)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

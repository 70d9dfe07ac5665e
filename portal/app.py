"""The application, composed statically: every route, every kind of stream, every worker, by name."""

from typing import Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from budget.lines import api as budget_lines
from budget.lines.service import BUDGET
from catalog.agreements import api as agreements
from catalog.agreements.service import AGREEMENT
from catalog.classification import api as classification
from catalog.classification.service import CLASSIFICATION
from catalog.definitions.service import DEFINITION
from catalog.offers import api as offers
from catalog.offers.service import OFFER
from catalog.pictures import api as pictures
from catalog.pictures.service import PICTURE, PICTURE_FILES
from catalog.products import api as products
from catalog.products.service import PRODUCT
from kernel.blobs.verify import BlobColumns
from kernel.journal.streams import StreamKind
from kernel.problems import WrongMethod
from kernel.runtime import Kernel
from kernel.transparency import api as transparency
from kernel.vault.columns import SealedColumn
from kernel.web import openapi
from kernel.web.direct import Direct
from kernel.web.edge import HANDLERS, Edge
from kernel.web.paced import Paced
from kernel.web.render import problem_response
from kernel.web.routes import TypedRoute
from kernel.web.switch import Switch
from market.approvals import api as approvals
from market.approvals.service import APPROVAL
from market.auctions import api as auctions
from market.auctions import live as auction_hall
from market.auctions import worker as auction_worker
from market.auctions.service import AUCTION
from market.limits import service as limits
from market.limits.service import SPENDING
from market.orders import api as orders
from market.orders.service import ORDER
from market.oversight import api as oversight
from market.oversight.service import OVERSIGHT
from market.records import api as records
from market.signings import api as signings
from market.signings import worker as signing_worker
from market.signings.service import SIGNING, SIGNING_FILES
from market.standing import api as standing
from market.standing import worker as standing_worker
from portal.pages import Pages
from portal.schemas import SCHEMA_NAMES
from portal.system import system_routes
from portal.worker import Job
from registries.certificates import api as certificates
from registries.certificates.service import CERTIFICATE
from registries.challenges import api as challenges
from registries.controls.service import CONTROL
from registries.factors import api as factors
from registries.factors.service import TOTP_SEED
from registries.licences import api as licences
from registries.licences.service import LICENCE, LICENCE_FILES
from registries.members import api as members
from registries.organisations import api as organisations
from registries.organisations.service import ORGANISATION
from registries.regions import api as regions
from registries.registrations import api as registrations
from registries.users import api as users
from registries.users.service import USER, load_actor

VERSION: Final = "0.1.0"
TITLE: Final = "Zhecai (浙采)"

API: Final[tuple[BaseRoute, ...]] = (
    *system_routes(VERSION),
    *users.ROUTES,
    *challenges.ROUTES,
    *certificates.ROUTES,
    *factors.ROUTES,
    *organisations.ROUTES,
    *registrations.ROUTES,
    *licences.ROUTES,
    *members.ROUTES,
    *regions.ROUTES,
    *classification.ROUTES,
    *agreements.ROUTES,
    *budget_lines.ROUTES,
    *products.ROUTES,
    *pictures.ROUTES,
    *offers.ROUTES,
    *orders.ROUTES,
    *approvals.ROUTES,
    *auctions.ROUTES,
    *oversight.ROUTES,
    *records.ROUTES,
    *signings.ROUTES,
    *standing.ROUTES,
    auction_hall.HALL,
    *transparency.ROUTES,
)
"""Every route and every live hall."""

FRAMES: Final[tuple[Any, ...]] = auction_hall.FRAMES
"""What goes over the WebSockets: part of the API document, so that the pages have types for it."""

KINDS: Final[tuple[StreamKind[Any, Any], ...]] = (
    ORGANISATION,
    USER,
    CERTIFICATE,
    LICENCE,
    CLASSIFICATION,
    DEFINITION,
    PICTURE,
    PRODUCT,
    AGREEMENT,
    OFFER,
    BUDGET,
    SPENDING,
    ORDER,
    CONTROL,
    APPROVAL,
    AUCTION,
    OVERSIGHT,
    SIGNING,
)
"""Every kind of stream, in the order in which ``zhecai verify`` checks them."""

STATE_TABLES: Final[dict[str, str]] = {
    "organisation": "organisations",
    "user": "users",
    "certificate": "user_certificates",
    "licence": "licences",
    "classification": "classifications",
    "definition": "category_definitions",
    "picture": "pictures",
    "product": "products",
    "agreement": "agreements",
    "offer": "offers",
    "budget": "budget_lines",
    "spending": "spendings",
    "order": "orders",
    "control": "controls",
    "approval": "approvals",
    "auction": "auction_standings",
    "oversight": "oversight_visits",
    "signing": "signings",
}
"""Where each kind keeps its state rows: ``zhecai verify`` looks there for rows that no entry justifies."""

BLOB_COLUMNS: Final[BlobColumns] = {
    PICTURE.name: PICTURE_FILES,
    SIGNING.name: SIGNING_FILES,
    LICENCE.name: LICENCE_FILES,
}
"""Columns that name files of the store: ``zhecai verify`` looks whether they are there."""

SEALED_COLUMNS: Final[tuple[SealedColumn, ...]] = (TOTP_SEED,)
"""Columns that hold sealed secrets: ``zhecai vault`` seals them anew under a new master key."""

__all__ = [
    "API",
    "BLOB_COLUMNS",
    "DUE",
    "KINDS",
    "SEALED_COLUMNS",
    "STATE_TABLES",
    "VERSION",
    "api_document",
    "create_app",
    "load_actor",
]

DUE: Final[tuple[Job, ...]] = (auction_worker.run_due, standing_worker.run_due, signing_worker.run_due)
"""What workers look for: each fires what is due and says how many."""


def create_app(kernel: Kernel) -> ASGIApp:
    """
    Compose the application of one process.

    Raises:
        SettingsError: the table of order limits cannot be used; not to be found out by the first order.
    """
    limits.table_of(kernel.settings)
    document = api_document()

    async def describe(_: Request) -> Response:
        return JSONResponse(document)

    routes = [_paced(route) for route in (*API, Route("/api/openapi.json", describe, methods=["GET"]))]
    app = Starlette(exception_handlers={**HANDLERS, HTTPException: _refused})
    app.router = Switch(routes, _elsewhere(Paced(Pages())))
    app.state.kernel = kernel
    return Edge(Direct(app, routes), clock=kernel.clock)


UNCOUNTED: Final = frozenset({"/healthz", "/readyz", "/metrics"})
"""What the operator's own machines ask, as often as they like."""


def _paced(route: BaseRoute) -> BaseRoute:
    """Count what counts for nothing by itself: operations and halls know their budgets."""
    if not isinstance(route, Route) or isinstance(route, TypedRoute) or route.path in UNCOUNTED:
        return route
    return Route(route.path, Paced(route.app), methods=sorted(route.methods or ()), name=route.name)


def _elsewhere(pages: ASGIApp) -> ASGIApp:
    """Answer what is no route: with the web pages, or by hanging up."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await pages(scope, receive, send)
        else:
            await WebSocketClose(code=1008, reason="no such hall")(scope, receive, send)

    return answer


async def _refused(request: Request, error: Exception) -> Response:
    """
    Render what Starlette itself refuses as a problem: the wrong method.

    Starlette names the methods of the first route that has the path; the address takes those of all (RFC 9110).
    """
    assert isinstance(error, HTTPException)
    here = [
        route
        for route in request.app.routes
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE
    ]
    allowed = sorted({method for route in here for method in route.methods or ()})
    problem = WrongMethod(
        "这个地址不支持该请求方法。", "This address does not take that method.", headers={"Allow": ", ".join(allowed)}
    )
    return problem_response(problem, request)


def api_document() -> dict[str, Any]:
    """Describe the whole API as OpenAPI 3.1."""
    return openapi.document(API, title=TITLE, version=VERSION, frames=FRAMES, names=SCHEMA_NAMES)

"""Copies of licences over HTTP."""

from uuid import UUID

import msgspec

from kernel.access.table import Action
from kernel.problems import Invalid, NotFound, TooMany
from kernel.web.context import Context
from kernel.web.routes import Download, Upload, op
from registries.licences import service
from registries.licences.rules import BYTES_MAX, TAKEN
from registries.licences.service import Licence


class Licences(msgspec.Struct, frozen=True):
    """Copies, the latest first: that one counts, those behind it are its history."""

    items: tuple[Licence, ...]


@op(
    "POST",
    "/api/registration/licence",
    action=Action.LICENCE_FILE,
    tag="registries",
    summary="Hand a copy of the own business licence in / 上传营业执照",
    status=201,
    problems=(Invalid, NotFound, TooMany),
    body_bytes_max=BYTES_MAX,
    takes=TAKEN,
)
async def file_licence(ctx: Context, body: Upload) -> Licence:
    return await service.file(ctx.kernel, ctx.by, body)


@op(
    "GET",
    "/api/organisations/{organisation_id}/licences",
    action=Action.LICENCE_READ,
    tag="registries",
    summary="List the copies of an organisation's business licence",
)
async def list_licences(ctx: Context, organisation_id: UUID) -> Licences:
    return Licences(tuple(await service.licences(ctx.kernel, ctx.actor, organisation_id)))


@op(
    "GET",
    "/api/licences/{licence_id}",
    action=Action.LICENCE_READ,
    tag="registries",
    summary="See a copy of a business licence",
)
async def get_licence(ctx: Context, licence_id: UUID) -> Download:
    return Download(*await service.read(ctx.kernel, ctx.actor, licence_id))


ROUTES = [file_licence, list_licences, get_licence]

"""The accounts of the own organisation over HTTP."""

from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from kernel.access.actors import Role
from kernel.access.passwords import PASSWORD_LEN_MAX
from kernel.access.table import Action
from kernel.problems import Conflict, Invalid, NotFound, Refused, TooMany
from kernel.web.context import Context
from kernel.web.routes import op
from registries.members import service
from registries.members.service import Member

Password = Annotated[str, Meta(min_length=1, max_length=PASSWORD_LEN_MAX)]
Roles = Annotated[tuple[Role, ...], Meta(min_length=1, max_length=10)]


class Members(msgspec.Struct, frozen=True):
    """The accounts of the own organisation, and the roles that they may have."""

    items: tuple[Member, ...]
    roles: tuple[Role, ...]


class MemberIn(msgspec.Struct, forbid_unknown_fields=True):
    """A new account."""

    login: Annotated[str, Meta(min_length=1, max_length=64)]
    name: Annotated[str, Meta(min_length=1, max_length=64)]
    password: Password
    roles: Roles


class RolesIn(msgspec.Struct, forbid_unknown_fields=True):
    """What an account acts as from now on."""

    roles: Roles


class StatusIn(msgspec.Struct, forbid_unknown_fields=True):
    """Whether an account may log in, and why."""

    active: bool
    reason: Annotated[str, Meta(min_length=2, max_length=500)]


class ResetIn(msgspec.Struct, forbid_unknown_fields=True):
    """Why a colleague's second factors are reset; the colleague is told."""

    reason: Annotated[str, Meta(min_length=2, max_length=500, pattern=r"\S")]


class NewPasswordIn(msgspec.Struct, forbid_unknown_fields=True):
    """A new password for a colleague."""

    password: Password


class MemberDone(msgspec.Struct, frozen=True):
    """The account that was opened or changed."""

    user_id: UUID


def _in_order(roles: tuple[Role, ...]) -> tuple[Role, ...]:
    return tuple(role for role in Role if role in roles)


@op("GET", "/api/members", action=Action.MEMBER_READ, tag="registries", summary="List the own organisation's accounts")
async def list_members(ctx: Context) -> Members:
    found, roles = await service.members(ctx.kernel, ctx.actor)
    return Members(tuple(found), roles)


@op(
    "POST",
    "/api/members",
    action=Action.MEMBER_CHANGE,
    tag="registries",
    summary="Open an account for a colleague",
    status=201,
    problems=(Invalid, Conflict, Refused, NotFound),
)
async def add_member(ctx: Context, body: MemberIn) -> MemberDone:
    done = await service.add(
        ctx.kernel,
        ctx.by_telling((body.login, body.name, body.roles)),
        login=body.login,
        name=body.name.strip(),
        password=body.password,
        roles=_in_order(body.roles),
    )
    return MemberDone(done)


@op(
    "PUT",
    "/api/members/{user_id}/roles",
    action=Action.MEMBER_CHANGE,
    tag="registries",
    summary="Let a colleague act as something else",
    problems=(Refused,),
)
async def set_roles(ctx: Context, user_id: UUID, body: RolesIn) -> MemberDone:
    return MemberDone(await service.set_roles(ctx.kernel, ctx.by, user_id, _in_order(body.roles)))


@op(
    "PUT",
    "/api/members/{user_id}/status",
    action=Action.MEMBER_CHANGE,
    tag="registries",
    summary="Close a colleague's account, or open it again",
    problems=(Refused,),
)
async def set_status(ctx: Context, user_id: UUID, body: StatusIn) -> MemberDone:
    act = service.enable if body.active else service.disable
    return MemberDone(await act(ctx.kernel, ctx.by, user_id, body.reason))


@op(
    "PUT",
    "/api/members/{user_id}/password",
    action=Action.MEMBER_CHANGE,
    tag="registries",
    summary="Give a colleague a new password",
    problems=(Refused,),
)
async def set_password(ctx: Context, user_id: UUID, body: NewPasswordIn) -> MemberDone:
    return MemberDone(await service.set_password(ctx.kernel, ctx.by_telling("password"), user_id, body.password))


@op(
    "POST",
    "/api/members/{user_id}/factor-reset",
    action=Action.MEMBER_RESET,
    tag="registries",
    summary="Reset the second factors of a colleague who has lost them",
    problems=(Refused, TooMany),
)
async def reset_factors(ctx: Context, user_id: UUID, body: ResetIn) -> MemberDone:
    return MemberDone(await service.reset_factors(ctx.kernel, ctx.by, user_id, body.reason.strip()))


ROUTES = [list_members, add_member, set_roles, set_status, set_password, reset_factors]

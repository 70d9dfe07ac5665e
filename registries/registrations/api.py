"""Registrations over HTTP."""

from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from kernel.access.passwords import PASSWORD_LEN_MAX
from kernel.access.table import Action
from kernel.paging import Limit, Page
from kernel.problems import Conflict, Invalid, NotFound, Refused, TooMany
from kernel.web.context import Context
from kernel.web.routes import op
from registries.organisations.lifecycle import Declared, Details, Kind, Profile, Size, Status
from registries.organisations.rules import REASON_LENGTH_MAX, REASON_LENGTH_MIN
from registries.registrations import service
from registries.registrations.rules import FIELDS
from registries.registrations.service import (
    Administrator,
    Applicant,
    Desk,
    Form,
    HistoryEntry,
    Progress,
    Registration,
    RegistrationRow,
    Verdict,
    Wanted,
)

Text = Annotated[str, Meta(max_length=500)]
Short = Annotated[str, Meta(max_length=64)]
Reason = Annotated[str, Meta(min_length=REASON_LENGTH_MIN, max_length=REASON_LENGTH_MAX)]


class ProfileIn(msgspec.Struct, forbid_unknown_fields=True):
    """What an organisation says of itself. ``identity`` is checked, and its last four characters are kept."""

    name: Text
    region: Short
    legal_representative: Text
    address: Text
    contact: Text
    phone: Short
    email: Text = ""
    identity: Short = ""
    bank_name: Text = ""
    bank_account: Short = ""
    size: Size | None = None
    declared: Annotated[tuple[Declared, ...], Meta(max_length=20)] = ()
    staff: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    venue: Text = ""

    def profile(self) -> Profile:
        """Sort out what is kept; spaces around a text are not meant."""
        details = Details(
            legal_representative=self.legal_representative.strip(),
            address=self.address.strip(),
            contact=self.contact.strip(),
            phone=self.phone.strip(),
            email=self.email.strip(),
            bank_name=self.bank_name.strip(),
            bank_account=self.bank_account.replace(" ", ""),
            size=self.size,
            declared=tuple(one for one in Declared if one in self.declared),
            staff=self.staff,
            venue=self.venue.strip(),
        )
        return Profile(self.name.strip(), self.region, details)

    def card(self) -> str:
        """Read the number of the identity card as it is printed: no spaces, a large X."""
        return self.identity.replace(" ", "").upper()


class AdministratorIn(msgspec.Struct, forbid_unknown_fields=True):
    """The first account of the organisation."""

    login: Short
    name: Short
    password: Annotated[str, Meta(max_length=PASSWORD_LEN_MAX)]


class ApplicationIn(msgspec.Struct, forbid_unknown_fields=True):
    """An application for registration."""

    kind: Kind
    credit_code: Short
    profile: ProfileIn
    administrator: AdministratorIn


class ApplicantOut(msgspec.Struct, frozen=True):
    """What an applicant keeps: the number to ask with, and the login."""

    organisation_id: UUID
    number: str
    login: str


class LookupIn(msgspec.Struct, forbid_unknown_fields=True):
    """An application's reference number and the phone of its contact."""

    number: Annotated[str, Meta(min_length=1, max_length=64)]
    phone: Annotated[str, Meta(min_length=1, max_length=64)]


class FaultIn(msgspec.Struct, forbid_unknown_fields=True):
    """What a reviewer finds wrong with one field."""

    field: Short
    reason: Reason


class ReviewIn(msgspec.Struct, forbid_unknown_fields=True):
    """
    What a review comes to; ``revision`` is that of the registration which was looked at.

    Who returns names at least one field or gives a note; who refuses gives a note.
    """

    verdict: Verdict
    revision: Annotated[int, Meta(ge=1, le=2**31)]
    faults: Annotated[tuple[FaultIn, ...], Meta(max_length=len(FIELDS))] = ()
    note: Annotated[str, Meta(max_length=REASON_LENGTH_MAX)] = ""


class History(msgspec.Struct, frozen=True):
    """What happened to a registration, the latest first."""

    items: tuple[HistoryEntry, ...]


class Waiting(msgspec.Struct, frozen=True):
    """How many registrations wait for the caller."""

    count: int


def _without_secrets(body: ApplicationIn | ProfileIn) -> object:
    told = msgspec.to_builtins(body)
    for secretive in (told, told.get("profile", {}), told.get("administrator", {})):
        secretive.pop("identity", None)
        secretive.pop("password", None)
    return told


@op(
    "POST",
    "/api/registrations",
    action=Action.ORGANISATION_APPLY,
    tag="registries",
    summary="Apply for registration, with the organisation's first account",
    status=201,
    problems=(Invalid, Conflict, Refused, TooMany),
)
async def apply(ctx: Context, body: ApplicationIn) -> ApplicantOut:
    form = Form(body.kind, body.credit_code.strip().upper(), body.profile.profile(), body.profile.card())
    first = Administrator(body.administrator.login, body.administrator.name.strip(), body.administrator.password)
    found: Applicant = await service.apply(ctx.kernel, ctx.by_telling(_without_secrets(body)), form, first)
    return ApplicantOut(found.organisation_id, found.number, found.login)


@op(
    "POST",
    "/api/registration-lookups",
    action=Action.ORGANISATION_APPLY,
    tag="registries",
    summary="How far an application has come",
    problems=(NotFound, TooMany),
    keyless=True,
)
async def look_up(ctx: Context, body: LookupIn) -> Progress:
    return await service.progress(ctx.kernel, number=body.number, phone=body.phone, origin=ctx.origin)


@op(
    "GET",
    "/api/registrations",
    action=Action.REGISTRATION_READ,
    tag="registries",
    summary="List registrations: those of the region, or the own",
    problems=(Invalid,),
)
async def list_registrations(
    ctx: Context,
    desk: Desk = Desk.ALL,
    status: Status | None = None,
    role: Kind | None = None,
    q: Annotated[str, Meta(max_length=100)] = "",
    cursor: str | None = None,
    limit: Limit = 20,
) -> Page[RegistrationRow]:
    wanted = Wanted(desk, status, role, q.strip())
    return await service.find(ctx.kernel, ctx.actor, wanted, cursor=cursor, limit=limit)


@op(
    "GET",
    "/api/registrations/waiting",
    action=Action.ORGANISATION_REVIEW,
    tag="registries",
    summary="How many registrations wait for a review",
)
async def count_waiting(ctx: Context) -> Waiting:
    return Waiting(await service.waiting(ctx.kernel, ctx.actor))


@op(
    "GET",
    "/api/registrations/{organisation_id}",
    action=Action.REGISTRATION_READ,
    tag="registries",
    summary="Read a registration",
)
async def get_registration(ctx: Context, organisation_id: UUID) -> Registration:
    return await service.get(ctx.kernel, ctx.actor, organisation_id)


@op(
    "GET",
    "/api/registrations/{organisation_id}/history",
    action=Action.REGISTRATION_READ,
    tag="registries",
    summary="Who changed what in a registration, and when",
)
async def get_history(ctx: Context, organisation_id: UUID) -> History:
    return History(tuple(await service.history(ctx.kernel, ctx.actor, organisation_id)))


@op(
    "POST",
    "/api/registrations/{organisation_id}/review",
    action=Action.ORGANISATION_REVIEW,
    tag="registries",
    summary="Review an application, or the change that waits",
    problems=(Refused,),
)
async def review(ctx: Context, organisation_id: UUID, body: ReviewIn) -> Registration:
    note, faults = body.note.strip(), {fault.field: fault.reason for fault in body.faults}
    if not set(faults) <= set(FIELDS):
        raise Invalid("退回原因中有未知的栏目。", "A reason names a field that is not there.", field="faults")
    if (body.verdict is Verdict.RETURN and not (faults or note)) or (body.verdict is Verdict.REFUSE and not note):
        raise Invalid("请说明退回或不予登记的原因。", "Say why it is returned or refused.", field="note")
    return await service.review(
        ctx.kernel, ctx.by, organisation_id, body.verdict, faults=faults, note=note, revision=body.revision
    )


@op(
    "POST",
    "/api/registration/resubmission",
    action=Action.ORGANISATION_CHANGE,
    tag="registries",
    summary="Submit the own application again, corrected",
    problems=(Refused, NotFound),
)
async def resubmit(ctx: Context, body: ProfileIn) -> Registration:
    return await service.resubmit(ctx.kernel, ctx.by_telling(_without_secrets(body)), body.profile(), body.card())


@op(
    "POST",
    "/api/registration/withdrawal",
    action=Action.ORGANISATION_CHANGE,
    tag="registries",
    summary="Take the own application back",
    problems=(Refused, NotFound),
)
async def withdraw(ctx: Context) -> Registration:
    return await service.withdraw(ctx.kernel, ctx.by)


@op(
    "POST",
    "/api/registration/changes",
    action=Action.ORGANISATION_CHANGE,
    tag="registries",
    summary="Change what is registered of the own organisation, or ask for it where it is reviewed",
    problems=(Refused, NotFound),
)
async def change(ctx: Context, body: ProfileIn) -> Registration:
    return await service.change(ctx.kernel, ctx.by_telling(_without_secrets(body)), body.profile(), body.card())


@op(
    "DELETE",
    "/api/registration/changes",
    action=Action.ORGANISATION_CHANGE,
    tag="registries",
    summary="Give up the change that was asked for",
    problems=(Refused, NotFound),
)
async def drop_change(ctx: Context) -> Registration:
    return await service.drop_change(ctx.kernel, ctx.by)


ROUTES = [
    apply,
    look_up,
    list_registrations,
    count_waiting,
    get_registration,
    get_history,
    review,
    resubmit,
    withdraw,
    change,
    drop_change,
]

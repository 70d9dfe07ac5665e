"""Applying for registration, reviewing it, and changing what is registered."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

import msgspec

from kernel.access.actors import Actor, Role
from kernel.access.passwords import hash_password
from kernel.commit.by import By
from kernel.commit.command import Decided, Happened, States
from kernel.ids import public_number, uuid7
from kernel.journal.streams import decoder
from kernel.paging import Page
from kernel.problems import Conflict, Invalid, NotFound, Problem, Refused, Scalar
from kernel.runtime import Kernel
from registries.organisations.lifecycle import (
    Applied,
    Details,
    Event,
    Kind,
    Organisation,
    Profile,
    Proposal,
    Side,
    Status,
    Step,
    evolve,
)
from registries.organisations.rules import (
    FAULT_TEXTS,
    TEXTS,
    Fault,
    Refusal,
    Verdict,
    decide_apply,
    decide_change,
    decide_drop_change,
    decide_resubmit,
    decide_review,
    decide_withdraw,
    faults_of,
    may_supervise,
    steps_of,
)
from registries.organisations.service import ORGANISATION, code_taken
from registries.registrations import queries
from registries.registrations.queries import HISTORY_MAX, Desk, Person, RegistrationRow, Wanted
from registries.registrations.rules import FieldChange, Told, tell, with_identity
from registries.suspensions.rules import PlannedSuspension, Suspension
from registries.users import rules as user_rules
from registries.users import service as users
from registries.users.service import USER

__all__ = ["Desk", "HistoryEntry", "Registration", "RegistrationRow", "Verdict", "Wanted"]

APPLICATIONS_PER_ADDRESS: Final = 30
"""An office park shares an address; a program that files applications does not get far."""
LOOKUPS_PER_NUMBER: Final = 10
LOOKUPS_PER_ADDRESS: Final = 100
WINDOW_S: Final = 3_600


class Form(NamedTuple):
    """What an applicant fills in; ``identity`` is the number of the legal representative's identity card, or empty."""

    kind: Kind
    credit_code: str
    profile: Profile
    identity: str = ""


class Administrator(NamedTuple):
    """The first account of an organisation."""

    login: str
    name: str
    password: str


class Applicant(msgspec.Struct, frozen=True):
    """What an applicant is told: the number to ask with, and the account to log in with."""

    organisation_id: UUID
    number: str
    login: str
    user_id: UUID


class Registration(msgspec.Struct, frozen=True):
    """All of a registration; ``steps`` are those that the caller may take, ``may_review`` tells that it decides."""

    organisation_id: UUID
    number: str
    kind: Kind
    name: str
    credit_code: str
    region: str
    status: Status
    revision: int
    applied_at: datetime | None
    registered_at: datetime | None
    details: Details
    faults: dict[str, str]
    note: str
    pending: Proposal | None
    suspension: Suspension | None
    planned: PlannedSuspension | None
    steps: tuple[Step, ...]
    may_review: bool


class Progress(msgspec.Struct, frozen=True):
    """How far an application has come, for who knows its number and phone: nothing else of it is told."""

    number: str
    name: str
    status: Status
    applied_at: datetime | None
    faults: dict[str, str]
    note: str


class HistoryEntry(msgspec.Struct, frozen=True):
    """One event; ``person`` is empty for people of other organisations unless a supervisor asks."""

    version: int
    at: datetime
    kind: str
    person: str
    organisation: str
    changes: tuple[FieldChange, ...]
    reasons: dict[str, str]
    note: str
    until: str | None
    start: str | None


def absent() -> NotFound:
    """Say the same of what is not there and of what is not the caller's to see."""
    return NotFound("没有这个单位，或您无权查看。", "There is no such organisation, or it is not yours to see.")


def faulty(faults: Mapping[str, Fault | user_rules.Refusal]) -> Invalid:
    """Say what is wrong with each field of a form."""
    told: list[dict[str, Scalar]] = []
    for field, fault in faults.items():
        zh, en = FAULT_TEXTS[fault] if isinstance(fault, Fault) else user_rules.TEXTS[fault]
        told.append({"field": field, "reason": fault.value, "zh": zh, "en": en})
    return Invalid(
        "请修改标出的内容后重新提交。",
        "Correct what is marked, then submit again.",
        field=next(iter(faults)),
        faults=told,
    )


def _refused(refusal: Refusal, organisation: Organisation) -> Refused:
    return Refused(*TEXTS[refusal], reason=refusal.value, status=organisation.status.value)


async def apply(kernel: Kernel, by: By, form: Form, administrator: Administrator) -> Applicant:
    """
    Apply for registration; the organisation's first account is opened with it, to log in and follow the application.

    Two applications with one credit code at once: one is taken, the other is told so. The password's hash is stored
    before the account is there and deleted where the account does not come to be.

    Raises:
        TooMany: too often from this address.
        Invalid: the form has faults; ``faults`` names them by field.
        Conflict: the credit code is held in the province, or the login is taken.
    """
    await kernel.limits.hit(f"register/address/{by.origin}", APPLICATIONS_PER_ADDRESS, WINDOW_S)
    details = with_identity(form.profile.details, form.identity, at=by.at)
    profile = form.profile if isinstance(details, Fault) else msgspec.structs.replace(form.profile, details=details)
    ref, account = ORGANISATION.ref(uuid7(by.at)), USER.ref(uuid7(by.at))
    applied = Applied(ref.id, form.kind, form.credit_code, public_number("ZC", by.at, ref.id), profile)
    login = user_rules.normal_login(administrator.login)
    registered = user_rules.Registered(
        account.id, login, administrator.name, ref.id, user_rules.roles_of_administrator(form.kind)
    )
    faults: dict[str, Fault | user_rules.Refusal] = {
        **faults_of(form.kind, form.credit_code, profile),
        **({"identity": details} if isinstance(details, Fault) else {}),
        **user_rules.faults_of_account(login, administrator.name, administrator.password),
    }
    if faults:
        raise faulty(faults)

    def decide(states: States) -> Decided[Applicant] | Problem:
        decision = decide_apply(states.get(ref), applied)
        if isinstance(decision, Refusal):
            return Refused(*TEXTS[decision], reason=decision.value)
        opened = user_rules.decide_register(states.get(account), registered, evolve(None, decision, by.at))
        if isinstance(opened, user_rules.Refusal):
            return Refused(*user_rules.TEXTS[opened], reason=opened.value)
        answer = Applicant(ref.id, applied.number, login, account.id)
        return Decided(answer, [Happened(ref, decision), Happened(account, opened)])

    command = by.command([ref, account], decide, Applicant)
    hashed = await asyncio.to_thread(hash_password, administrator.password)
    await users.keep_hash(kernel, account.id, hashed, by.at)
    try:
        answer = await kernel.committer.submit(command)
    except Conflict as conflict:
        await users.forget_hash(kernel, account.id)
        raise await _explained(kernel, conflict, form.credit_code) from conflict
    except Problem:
        await users.forget_hash(kernel, account.id)
        raise
    if answer.user_id != account.id:  # the answer of the first time: this account has not come to be
        await users.forget_hash(kernel, account.id)
    return answer


async def _explained(kernel: Kernel, conflict: Conflict, credit_code: str) -> Problem:
    """Say which of two things is taken: the credit code or the login."""
    match conflict.members.get("constraint"):
        case "uq_organisations_credit_code_held":
            return await code_taken(kernel, credit_code)
        case "uq_users_login":
            return users.login_taken()
        case _:
            return conflict


async def resubmit(kernel: Kernel, by: By, profile: Profile, identity: str) -> Registration:
    """Submit a corrected application. Raises ``NotFound``, ``Refused``, ``Invalid``."""
    return await _own(kernel, by, decide_resubmit, profile, identity)


async def change(kernel: Kernel, by: By, profile: Profile, identity: str) -> Registration:
    """Change what is registered, or ask for it where it is reviewed. Raises ``NotFound``, ``Refused``, ``Invalid``."""
    return await _own(kernel, by, decide_change, profile, identity)


async def withdraw(kernel: Kernel, by: By) -> Registration:
    """Take an application back; its credit code is free again. Raises ``NotFound``, ``Refused``."""
    return await _own(kernel, by, lambda found, _: decide_withdraw(found))


async def drop_change(kernel: Kernel, by: By) -> Registration:
    """Give up a change that was asked for. Raises ``NotFound``, ``Refused``."""
    return await _own(kernel, by, lambda found, _: decide_drop_change(found))


_Decision = Event | tuple[Event, ...] | Refusal | dict[str, Fault]


async def _own(
    kernel: Kernel,
    by: By,
    decide: Callable[[Organisation, Profile], _Decision],
    profile: Profile | None = None,
    identity: str = "",
) -> Registration:
    """Have an organisation's own act decided."""
    if by.actor.organisation_id is None:
        raise absent()

    def act(found: Organisation) -> _Decision:
        if profile is None:
            return decide(found, found.profile)
        asked = found.pending.profile.details if found.pending else found.details
        details = with_identity(profile.details, identity, at=by.at, before=asked.identity_tail)
        if isinstance(details, Fault):
            return {"identity": details}
        return decide(found, msgspec.structs.replace(profile, details=details))

    return await _act(kernel, by, by.actor.organisation_id, act)


async def review(
    kernel: Kernel,
    by: By,
    organisation_id: UUID,
    verdict: Verdict,
    *,
    faults: Mapping[str, str],
    note: str,
    revision: int,
) -> Registration:
    """
    Review an application, or the change that waits, as the finance department of its region or of one above.

    Raises:
        NotFound: there is none, or it lies outside the reviewer's region.
        Refused: nothing waits, or it has changed since the reviewer looked (``revision``).
    """

    def act(found: Organisation) -> _Decision:
        if not may_supervise(by.actor.region, found):
            raise absent()
        return decide_review(found, verdict, faults=faults, note=note, revision=revision)

    return await _act(kernel, by, organisation_id, act)


async def _act(kernel: Kernel, by: By, organisation_id: UUID, act: Callable[[Organisation], _Decision]) -> Registration:
    ref = ORGANISATION.ref(organisation_id)

    def decide(states: States) -> Decided[Registration] | Problem:
        found = states.get(ref)
        if found is None:
            return absent()
        decision = act(found)
        if isinstance(decision, Refusal):
            return _refused(decision, found)
        if isinstance(decision, dict):
            return faulty(decision)
        events = decision if isinstance(decision, tuple) else (decision,)
        for event in events:
            found = evolve(found, event, by.at)
        return Decided(shown(found, by.actor), [Happened(ref, event) for event in events])

    command = by.command([ref], decide, Registration)
    return await kernel.committer.submit(command)


def shown(organisation: Organisation, actor: Actor) -> Registration:
    """Show a registration to somebody who may see it."""
    itself = actor.organisation_id == organisation.id
    reviewing = actor.has(Role.SUPERVISOR) and may_supervise(actor.region, organisation)
    side = Side.ORGANISATION if itself else Side.FINANCE
    fields = {
        name: getattr(organisation, name) for name in Registration.__struct_fields__ if hasattr(organisation, name)
    }
    return Registration(
        organisation_id=organisation.id,
        **fields,
        steps=steps_of(organisation, side) if itself or reviewing else (),
        may_review=reviewing,
    )


# What can be read.


async def find(
    kernel: Kernel, actor: Actor, wanted: Wanted, *, cursor: str | None, limit: int
) -> Page[RegistrationRow]:
    """List the registrations that somebody may see."""
    async with kernel.db.read() as tx:
        return await queries.find(tx, actor, wanted, cursor=cursor, limit=limit)


async def waiting(kernel: Kernel, actor: Actor) -> int:
    """Count the registrations that wait for a reviewer."""
    async with kernel.db.read() as tx:
        return await queries.waiting_count(tx, actor)


async def get(kernel: Kernel, actor: Actor, organisation_id: UUID) -> Registration:
    """Read one registration. Raises ``NotFound``."""
    return shown(await _visible(kernel, actor, organisation_id), actor)


async def _visible(kernel: Kernel, actor: Actor, organisation_id: UUID) -> Organisation:
    async with kernel.db.read() as tx:
        visible = await queries.is_visible(tx, actor, organisation_id)
    found = (await ORGANISATION.load(kernel.db.pool, [organisation_id])).get(organisation_id) if visible else None
    if found is None:
        raise absent()
    return found.state


async def history(kernel: Kernel, actor: Actor, organisation_id: UUID) -> list[HistoryEntry]:
    """Tell who changed what and when, the latest first, from the journal. Raises ``NotFound``."""
    await _visible(kernel, actor, organisation_id)
    entries = await queries.history(kernel.db.pool, organisation_id)
    read = decoder(ORGANISATION)
    told = tell((entry.version, entry.at, read(entry.body)) for entry in entries)
    ids = {UUID(entry.actor.removeprefix("user/")) for entry in entries if entry.actor.startswith("user/")}
    async with kernel.db.read() as tx:
        people = await queries.people(tx, ids)
    pairs = zip(told, entries, strict=True)
    lines = [_line(one, _person(entry.actor, people), actor, organisation_id) for one, entry in pairs]
    return lines[::-1][:HISTORY_MAX]


def _person(actor: str, people: Mapping[UUID, Person]) -> Person | None:
    return people.get(UUID(actor.removeprefix("user/"))) if actor.startswith("user/") else None


def _line(one: Told, by: Person | None, actor: Actor, organisation_id: UUID) -> HistoryEntry:
    reviewing = actor.organisation_id != organisation_id
    person = by.name if by and (reviewing or by.organisation_id == organisation_id) else ""
    return HistoryEntry(
        version=one.version,
        at=one.at,
        kind=one.kind,
        person=person,
        organisation=by.organisation_name if by else "",
        changes=one.changes,
        reasons=one.reasons,
        note=one.note,
        until=one.until.isoformat() if one.until else None,
        start=one.start.isoformat() if one.start else None,
    )


async def progress(kernel: Kernel, *, number: str, phone: str, origin: str) -> Progress:
    """
    Tell how far an application has come to who knows its reference number and the contact's phone.

    Raises:
        TooMany: too often for this number or from this address.
        NotFound: number and phone do not belong together; which of them is wrong is not told.
    """
    number = number.strip().upper()
    await kernel.limits.hit(f"registration/address/{origin}", LOOKUPS_PER_ADDRESS, WINDOW_S)
    await kernel.limits.hit(f"registration/number/{number}", LOOKUPS_PER_NUMBER, WINDOW_S)
    async with kernel.db.read() as tx:
        found = await queries.by_number(tx, number, phone.strip())
    states = await ORGANISATION.load(kernel.db.pool, [found]) if found else {}
    if found is None or found not in states:
        raise NotFound(
            "没有找到申请：请核对申请编号和联系电话。",
            "No application was found: check the reference number and the contact's phone.",
        )
    one = states[found].state
    return Progress(one.number, one.name, one.status, one.applied_at, one.faults, one.note)

"""Registrations: the form that people fill in, and its history as they read it."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Final, NamedTuple

import msgspec

from registries.organisations.lifecycle import (
    ChangeAsked,
    ChangeReturned,
    Details,
    Event,
    Organisation,
    Profile,
    Returned,
    Suspended,
    SuspensionPlanned,
    evolve,
)
from registries.organisations.rules import Fault, is_identity_number, today

FIELDS: Final = (
    "name", "credit_code", "region", "legal_representative", "identity", "address", "contact", "phone", "email",
    "bank_name", "bank_account", "size", "declared", "staff", "venue",
)  # fmt: skip
"""What a review may find fault with, by the names that the form has for it."""
_TAIL: Final = 4


class FieldChange(msgspec.Struct, frozen=True):
    """One field before and after, as text; lists are joined by commas."""

    field: str
    before: str
    after: str


class Told(NamedTuple):
    """One event of a registration, as people read it; ``reasons`` are by field, ``note`` is for the whole."""

    version: int
    at: datetime
    kind: str
    changes: tuple[FieldChange, ...]
    reasons: dict[str, str]
    note: str
    until: date | None
    start: date | None = None


def with_identity(details: Details, identity: str, *, at: datetime, before: str = "") -> Details | Fault:
    """
    Check the number of an identity card that was given and keep its last four characters; none given, none changed.

    The number itself goes nowhere: ADR-0052.
    """
    if not identity:
        return msgspec.structs.replace(details, identity_tail=before)
    if not is_identity_number(identity, today=today(at)):
        return Fault.IDENTITY
    return msgspec.structs.replace(details, identity_tail=identity[-_TAIL:])


def tell(recorded: Iterable[tuple[int, datetime, Event]]) -> list[Told]:
    """Tell what happened, event by event, with what each of them changed or asked to be changed."""
    found: list[Told] = []
    state: Organisation | None = None
    for version, at, event in recorded:
        before, state = state, evolve(state, event, at)
        asked = event.profile if isinstance(event, ChangeAsked) else state.profile
        changes = differences(before.profile, asked) if before else ()
        returned = event.faults if isinstance(event, Returned | ChangeReturned) else {}
        note = str(getattr(event, "reason", "") or getattr(event, "note", ""))
        until = event.until if isinstance(event, Suspended | SuspensionPlanned) else None
        start = event.start if isinstance(event, SuspensionPlanned) else None
        kind = str(event.__struct_config__.tag).removeprefix("organisation.")
        found.append(Told(version, at, kind, changes, returned, note, until, start))
    return found


def differences(before: Profile, after: Profile) -> tuple[FieldChange, ...]:
    """List the fields in which two profiles differ."""
    one, other = _texts(before), _texts(after)
    return tuple(FieldChange(name, one[name], other[name]) for name in one if one[name] != other[name])


def _texts(profile: Profile) -> dict[str, str]:
    said = {"name": profile.name, "region": profile.region, **msgspec.structs.asdict(profile.details)}
    said["identity"] = said.pop("identity_tail")
    return {name: _text(value) for name, value in said.items()}


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)

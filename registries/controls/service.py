"""Setting, and reading, from which amount on an organisation's orders need an approver."""

from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from kernel.access.actors import Actor
from kernel.commit.by import By
from kernel.commit.command import Decided, Happened, States
from kernel.journal import queries as journal
from kernel.journal.streams import StreamRef
from kernel.problems import NotFound, Problem, Refused
from kernel.runtime import Kernel
from registries.controls import queries
from registries.controls.queries import CONTROL, Approver, SettingMade
from registries.controls.rules import ApprovalSet, Control, Refusal, approval_from, decide_set, words_of
from registries.organisations.rules import today
from registries.organisations.service import ORGANISATION
from registries.users.service import USER

__all__ = [
    "CONTROL",
    "Approver",
    "ControlSet",
    "ControlView",
    "SettingMade",
    "approval_from_now",
    "read_control",
    "set_approval",
]

HISTORY_MAX: Final = 100
"""Settings that are shown, the newest ones."""


class ControlView(msgspec.Struct, frozen=True):
    """
    What holds today, what is set for later, who can approve, and every setting, the newest first.

    ``version`` counts the settings ever made.
    """

    approval_from_fen: int | None
    version: int
    ahead: tuple[SettingMade, ...]
    approvers: tuple[Approver, ...]
    history: tuple[SettingMade, ...]


class ControlSet(msgspec.Struct, frozen=True):
    """What was set, and the Beijing day from which on it holds."""

    approval_from_fen: int | None
    effective_from: date


def _own(actor: Actor) -> UUID:
    if actor.organisation_id is None:
        raise NotFound("您不属于任何单位。", "You belong to no organisation.")
    return actor.organisation_id


async def approval_from_now(kernel: Kernel, organisation_id: UUID, at: datetime) -> int | None:
    """Tell from which amount on an order of an organisation needs an approver now; ``None``: none does."""
    found = (await CONTROL.load(kernel.db.pool, [organisation_id])).get(organisation_id)
    return approval_from(found.state if found else None, today(at))


async def read_control(kernel: Kernel, actor: Actor, *, at: datetime) -> ControlView:
    """Read what holds in the actor's organisation."""
    organisation_id = _own(actor)
    async with kernel.db.pool.acquire() as connection:
        found = (await CONTROL.load(connection, [organisation_id])).get(organisation_id)
        version, control = found or (0, None)
        after = max(0, version - HISTORY_MAX)
        entries = await journal.read(connection, str(CONTROL.ref(organisation_id)), after=after)
    async with kernel.db.read() as tx:
        approvers = await queries.approvers(tx, organisation_id)
    history = [queries.made(entry) for entry in reversed(entries)]
    return ControlView(
        approval_from(control, today(at)), version, _ahead(control, history, at), tuple(approvers), tuple(history)
    )


def _ahead(control: Control | None, history: list[SettingMade], at: datetime) -> tuple[SettingMade, ...]:
    days = [one.effective_from for one in control.settings if one.effective_from > today(at)] if control else []
    latest = {one.effective_from: one for one in reversed(history)}
    return tuple(latest[day] for day in days if day in latest)


async def set_approval(
    kernel: Kernel,
    by: By,
    *,
    approval_from_fen: int | None,
    effective_from: date,
    note: str,
    most_fen: int | None,
) -> ControlSet:
    """
    Set from which amount on orders of the own organisation need an approver.

    Who can approve is read in the same command: an approver whose account is closed at this moment counts, or does not.

    Raises:
        Refused: no purchaser, the day is wrong, above ``most_fen``, nobody could approve, or nothing changes.
    """
    organisation_id = _own(by.actor)
    ref, organisation = CONTROL.ref(organisation_id), ORGANISATION.ref(organisation_id)
    async with kernel.db.read() as tx:
        people = [USER.ref(one.user_id) for one in await queries.approvers(tx, organisation_id)]
    wanted = ApprovalSet(organisation_id, approval_from_fen, effective_from, note, by.actor.name)

    def decide(states: States) -> Decided[ControlSet] | Problem:
        decision = decide_set(
            states.get(ref),
            wanted,
            organisation=states.get(organisation),
            people=[states.get(one) for one in people],
            most_fen=most_fen,
            at=by.at,
        )
        if isinstance(decision, Refusal):
            return Refused(*words_of(decision, most_fen), reason=decision.value)
        return Decided(ControlSet(approval_from_fen, effective_from), [Happened(ref, decision)])

    streams: list[StreamRef[Any, Any]] = [ref, organisation, *people]
    command = by.command(streams, decide, ControlSet)
    return await kernel.committer.submit(command)

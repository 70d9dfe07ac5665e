"""
The life of a signing (签署): a document that named people sign one after another, and that the platform then seals.

What is allowed is in ``rules.py``; here is what is. ``NEXT`` is the whole truth about stages; its picture in
``docs/lifecycles/signing.md`` is drawn from it. Source: ADR-0056; 电子签名法 第十三条, 第十四条.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any, Final, assert_never
from uuid import UUID

import msgspec

from kernel.access.actors import Role
from kernel.lifecycles import drawn


class Stage(StrEnum):
    """Where a signing stands."""

    PREPARED = "prepared"  # 待签署: nobody has signed yet
    SIGNING = "signing"  # 签署中; when all have signed, until the seal is on it
    COMPLETED = "completed"  # 已完成
    DECLINED = "declined"  # 已拒签
    WITHDRAWN = "withdrawn"  # 已撤回


class Step(StrEnum):
    """What moves a signing on."""

    SIGN = "sign"
    COMPLETE = "complete"
    DECLINE = "decline"
    WITHDRAW = "withdraw"


class Turns(StrEnum):
    """Who is asked when."""

    IN_ORDER = "in-order"  # 依次签署: the next one when the one before has signed
    ANY_ORDER = "any-order"  # 不分先后: everybody at once


class IllegalStepError(Exception):
    """A step that the table does not name for the stage: whoever asked had to check first."""


NEXT: Final[dict[tuple[Stage, Step], Stage]] = {
    (Stage.PREPARED, Step.SIGN): Stage.SIGNING,
    (Stage.PREPARED, Step.DECLINE): Stage.DECLINED,
    (Stage.PREPARED, Step.WITHDRAW): Stage.WITHDRAWN,
    (Stage.SIGNING, Step.SIGN): Stage.SIGNING,
    (Stage.SIGNING, Step.COMPLETE): Stage.COMPLETED,
    (Stage.SIGNING, Step.DECLINE): Stage.DECLINED,
    (Stage.SIGNING, Step.WITHDRAW): Stage.WITHDRAWN,
}

FINAL: Final = frozenset(Stage) - {stage for stage, _ in NEXT}
"""Stages without a way out."""

_BY: Final = {
    Step.SIGN: "whose turn it is",
    Step.COMPLETE: "the platform, when all have signed",
    Step.DECLINE: "whose turn it is",
    Step.WITHDRAW: "the purchaser",
}


def after(stage: Stage, step: Step) -> Stage:
    """
    Tell the stage that a step leads to.

    Raises:
        IllegalStepError: the table does not name the step for this stage.
    """
    try:
        return NEXT[stage, step]
    except KeyError:
        raise IllegalStepError(f"{step} at {stage}") from None


class Signer(msgspec.Struct, frozen=True):
    """Somebody who is asked to sign, and for whom; names as they were when asked."""

    user_id: UUID
    name: str
    organisation_id: UUID
    organisation_name: str
    role: Role


class Mark(msgspec.Struct, frozen=True):
    """
    One signature in the document.

    ``document`` is the SHA-256 of the file with it, ``fingerprint`` that of the certificate (hexadecimal); ``stamped``
    says that it is time-stamped. ``preparation_id`` names what was signed: by it a repeat is told from a second try.
    """

    user_id: UUID
    at: datetime
    document: str
    preparation_id: UUID
    certificate_name: str
    issuer: str
    serial: str
    fingerprint: str
    stamped: bool


class Signing(msgspec.Struct, frozen=True):
    """
    A signing as it stands.

    ``original`` and ``document`` are the SHA-256 of the file as it was asked for and as it is now, ``size`` its bytes.
    ``marks`` come in the order of signing. ``ended_by`` names who declined or withdrew.
    """

    id: UUID
    auction_id: UUID
    number: str
    title: str
    purchaser_id: UUID
    purchaser_name: str
    region: str
    supplier_id: UUID | None
    supplier_name: str
    turns: Turns
    signers: tuple[Signer, ...]
    marks: tuple[Mark, ...]
    original: str
    document: str
    size: int
    stage: Stage
    asked_by: str
    asked_at: datetime
    changed_at: datetime
    reason: str
    ended_by: str
    sealed: bool
    stamped: bool


class Asked(msgspec.Struct, frozen=True, tag_field="kind", tag="signing.asked"):
    """The purchaser asked these people to sign this file (发起签署)."""

    id: UUID
    auction_id: UUID
    number: str
    title: str
    purchaser_id: UUID
    purchaser_name: str
    region: str
    supplier_id: UUID | None
    supplier_name: str
    turns: Turns
    signers: tuple[Signer, ...]
    document: str
    size: int
    asked_by: str


class Signed(msgspec.Struct, frozen=True, tag_field="kind", tag="signing.signed"):
    """One of them signed the file ``before``, which made ``document`` of it (签署)."""

    user_id: UUID
    preparation_id: UUID
    certificate_id: UUID
    certificate_name: str
    issuer: str
    serial: str
    fingerprint: str
    before: str
    document: str
    size: int
    stamped: bool


class Completed(msgspec.Struct, frozen=True, tag_field="kind", tag="signing.completed"):
    """
    All have signed, and the platform's seal is on it (盖章归档).

    ``sealed`` and ``stamped`` are false where the site has no seal or no time stamp authority.
    """

    document: str
    size: int
    sealed: bool
    stamped: bool


class Declined(msgspec.Struct, frozen=True, tag_field="kind", tag="signing.declined"):
    """One of them will not sign, and says why; nobody else signs this file (拒签)."""

    user_id: UUID
    name: str
    reason: str


class Withdrawn(msgspec.Struct, frozen=True, tag_field="kind", tag="signing.withdrawn"):
    """The purchaser no longer asks for it (撤回)."""

    user_id: UUID
    name: str
    reason: str


Event = Asked | Signed | Completed | Declined | Withdrawn


def left_of(signing: Signing) -> tuple[Signer, ...]:
    """List who has not signed yet, in their order."""
    signed = {mark.user_id for mark in signing.marks}
    return tuple(signer for signer in signing.signers if signer.user_id not in signed)


def waiting_of(signing: Signing) -> tuple[UUID, ...]:
    """List the accounts whose turn it is; none once it has ended, or when only the seal is missing."""
    if signing.stage in FINAL:
        return ()
    left = left_of(signing)
    turn = left[:1] if signing.turns is Turns.IN_ORDER else left
    return tuple(signer.user_id for signer in turn)


def evolve(signing: Signing | None, event: Event, at: datetime) -> Signing:
    """Apply what was decided; pure and total."""
    if isinstance(event, Asked):
        return _asked(event, at)
    assert signing is not None
    match event:
        case Signed():
            mark = Mark(
                event.user_id,
                at,
                event.document,
                event.preparation_id,
                event.certificate_name,
                event.issuer,
                event.serial,
                event.fingerprint,
                event.stamped,
            )
            file = {"marks": (*signing.marks, mark), "document": event.document, "size": event.size}
            return _moved(signing, Step.SIGN, at, **file)
        case Completed(document, size, sealed, stamped):
            file = {"document": document, "size": size, "sealed": sealed, "stamped": stamped}
            return _moved(signing, Step.COMPLETE, at, **file)
        case Declined(_, name, reason):
            return _moved(signing, Step.DECLINE, at, reason=reason, ended_by=name)
        case Withdrawn(_, name, reason):
            return _moved(signing, Step.WITHDRAW, at, reason=reason, ended_by=name)
        case _:
            assert_never(event)


def _asked(event: Asked, at: datetime) -> Signing:
    fields = {name: getattr(event, name) for name in Asked.__struct_fields__}
    return Signing(
        **fields,
        marks=(),
        original=event.document,
        stage=Stage.PREPARED,
        asked_at=at,
        changed_at=at,
        reason="",
        ended_by="",
        sealed=False,
        stamped=False,
    )


def _moved(signing: Signing, step: Step, at: datetime, **changes: Any) -> Signing:
    return msgspec.structs.replace(signing, stage=after(signing.stage, step), changed_at=at, **changes)


def picture() -> str:
    """Draw the table as the page ``docs/lifecycles/signing.md``."""
    ways = [f"{stage} --> {target}: {step} ({_BY[step]})" for (stage, step), target in NEXT.items()]
    return drawn(
        "The life of a signing",
        __name__,
        ways=[f"[*] --> {Stage.PREPARED}: ask (purchaser)", *ways],
        ends=[stage for stage in Stage if stage in FINAL],
        note="Each signature makes a new file of the one before; the files are kept by their digests and never change.",
    )

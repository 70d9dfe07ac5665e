"""
What may be done to a signing: who may ask, whose turn it is, which signature counts. Pure.

Source: ADR-0056.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID, uuid5

from kernel.access.actors import PURCHASERS, Actor, Role
from kernel.documents.document import Block, Column, Document, Heading, Paragraph, Table
from market.auctions.lifecycle import Auction, AuctionStage
from market.signings.lifecycle import (
    FINAL,
    Asked,
    Completed,
    Declined,
    Mark,
    Signed,
    Signer,
    Signing,
    Stage,
    Turns,
    Withdrawn,
    left_of,
    waiting_of,
)
from registries.certificates.rules import Status as CertificateStatus
from registries.certificates.rules import UserCertificate, usable
from registries.users.rules import Status as UserStatus
from registries.users.rules import User

SIGNERS_MAX: Final = 10
ROUNDS_MAX: Final = 20
"""So often may signatures be asked for to one record; each time begins with a new file."""
REASON_LENGTH_MIN: Final = 2
REASON_LENGTH_MAX: Final = 500
PREPARED_FOR: Final = timedelta(minutes=5)
"""So long is a prepared digest good: its time stands in the signature."""
SEALED_AFTER: Final = timedelta(seconds=10)
"""So long is the process that took the last signature left to seal it; then any worker does."""
_SUPPLYING: Final = (Role.SIGNATORY,)

_ROLE_NAMES: Final = {Role.PURCHASER: "采购人经办", Role.APPROVER: "采购人审批", Role.SIGNATORY: "供应商签署人"}
_TURN_NAMES: Final = {Turns.IN_ORDER: "依次签署", Turns.ANY_ORDER: "不分先后"}


class Refusal(StrEnum):
    """Why a step is refused, in order of precedence."""

    NOT_ENDED = "auction-not-ended"
    ASKED_ALREADY = "signing-open"
    TOO_OFTEN = "too-many-signings"
    SIGNERS_WRONG = "signers-wrong"
    ENDED = "signing-ended"
    NOT_NAMED = "not-a-signer"
    SIGNED_ALREADY = "signed-already"
    NOT_YOUR_TURN = "not-your-turn"
    ALL_SIGNED = "all-signed"
    EXPIRED = "preparation-expired"
    MOVED_ON = "document-moved-on"
    CERTIFICATE_WRONG = "certificate-of-another"
    CERTIFICATE_ENDED = "certificate-ended"
    REASON_WRONG = "reason-wrong"


TEXTS: Final[dict[Refusal, tuple[str, str]]] = {
    Refusal.NOT_ENDED: (
        "竞价成交或终止后才能签署竞价记录",
        "The record can be signed once the auction was awarded or has failed",
    ),
    Refusal.ASKED_ALREADY: (
        "这份竞价记录正在签署或已签署完成，如需重新发起，请先撤回",
        "This record is being signed, or was; withdraw that first to ask anew",
    ),
    Refusal.TOO_OFTEN: (
        f"这份竞价记录已发起{ROUNDS_MAX}次签署，不能再发起",
        f"Signatures to this record were asked for {ROUNDS_MAX} times; no more",
    ),
    Refusal.SIGNERS_WRONG: (
        f"签署人须为1至{SIGNERS_MAX}位：本单位经办或审批人员、成交供应商的签署人，且账号可用、不重复",
        f"Name 1 to {SIGNERS_MAX} people, each once, in use: your handlers and approvers, the winner's signatories",
    ),
    Refusal.ENDED: ("签署已结束", "The signing has ended"),
    Refusal.NOT_NAMED: ("您不是这份文件的签署人", "You are not among those who were asked to sign"),
    Refusal.SIGNED_ALREADY: ("您已签署过这份文件", "You have signed this document already"),
    Refusal.NOT_YOUR_TURN: (
        "还没有轮到您签署，前一位签署后即可签署",
        "It is not your turn yet; sign when the one before you has signed",
    ),
    Refusal.ALL_SIGNED: ("所有人都已签署，不能再撤回", "Everybody has signed; it cannot be withdrawn any more"),
    Refusal.EXPIRED: (
        "本次签署准备已失效（超过5分钟或已在别处重新准备），请重新签署",
        "What was prepared for your signature has expired, or was prepared anew elsewhere; sign again",
    ),
    Refusal.MOVED_ON: (
        "其他签署人刚刚签署了这份文件，请查看最新文件后重新签署",
        "Somebody else has just signed; look at the document as it is now, and sign again",
    ),
    Refusal.CERTIFICATE_WRONG: (
        "这张证书不属于当前登录的账号",
        "The certificate is not one of the account that is logged in",
    ),
    Refusal.CERTIFICATE_ENDED: (
        "证书已吊销或不在有效期内，请更换证书",
        "The certificate was revoked or is not valid now; use another one",
    ),
    Refusal.REASON_WRONG: (
        f"请说明原因，{REASON_LENGTH_MIN}至{REASON_LENGTH_MAX}字",
        f"Say why in {REASON_LENGTH_MIN} to {REASON_LENGTH_MAX} characters",
    ),
}


class Parties(NamedTuple):
    """Whose people may sign: the purchaser, and the supplier that was awarded, if one was."""

    purchaser_id: UUID
    purchaser_name: str
    supplier_id: UUID | None
    supplier_name: str


class Preparation(NamedTuple):
    """
    A document that waits for one person's signature for ``PREPARED_FOR``.

    ``before`` is the digest of the file that is signed; ``tail`` what is appended to it, with a hole at
    (``hole_start``, ``hole_end``) of the whole. It proves nothing afterwards and is no part of the journal.
    """

    id: UUID
    signing_id: UUID
    user_id: UUID
    before: str
    tail: bytes
    hole_start: int
    hole_end: int
    digest: bytes
    to_sign: bytes
    algorithm: str
    certificates: tuple[bytes, ...]
    prepared_at: datetime

    @property
    def expires_at(self) -> datetime:
        return self.prepared_at + PREPARED_FOR


def signing_id(auction_id: UUID, number: int) -> UUID:
    """Name the ``number``-th signing of an auction's record: two that are asked for at once are one."""
    return uuid5(auction_id, f"signing/{number}")


def parties_of(auction: Auction) -> Parties | Refusal:
    """Tell whose people may sign the record of an auction that has ended."""
    if auction.stage not in {AuctionStage.AWARDED, AuctionStage.FAILED}:
        return Refusal.NOT_ENDED
    winner = auction.standings[auction.awarded_to] if auction.awarded_to else None
    return Parties(
        auction.purchaser_id,
        auction.purchaser_name,
        auction.awarded_to if winner else None,
        winner.name if winner else "",
    )


def signers_of(parties: Parties, people: Sequence[User | None]) -> tuple[Signer, ...] | Refusal:
    """Name the signers, in the order given; each must be a party's and able to log in."""
    found = tuple(_signer(parties, user) for user in people)
    named = tuple(signer for signer in found if signer is not None)
    distinct = len({signer.user_id for signer in named}) == len(people)
    return named if distinct and 1 <= len(people) <= SIGNERS_MAX else Refusal.SIGNERS_WRONG


def _signer(parties: Parties, user: User | None) -> Signer | None:
    if user is None or user.status is not UserStatus.ACTIVE:
        return None
    for organisation_id, name, roles in (
        (parties.purchaser_id, parties.purchaser_name, PURCHASERS),
        (parties.supplier_id, parties.supplier_name, _SUPPLYING),
    ):
        role = next((role for role in roles if role in user.roles), None)
        if user.organisation_id == organisation_id and role is not None:
            return Signer(user.id, user.name, user.organisation_id, name, role)
    return None


def with_signers(document: Document, signers: Sequence[Signer], turns: Turns) -> Document:
    """Add a section that names who is to sign: a file that was cut off after some of them shows that it was."""
    rows = tuple(
        (str(place), signer.name, signer.organisation_name, _ROLE_NAMES[signer.role])
        for place, signer in enumerate(signers, 1)
    )
    columns = (Column.NUMBER, Column.TEXT, Column.TEXT, Column.TEXT)
    added: tuple[Block, ...] = (
        Heading("签署"),
        Paragraph(
            f"本文书由下列人员以本人数字证书{_TURN_NAMES[turns]}，全部签署后由平台加盖电子印章；"
            "缺少其中任何一人的签名，或没有平台印章的，签署尚未完成。"
        ),
        Table(("序号", "姓名", "单位", "身份"), columns, (0, 1, 2, 1), rows),
    )
    return Document(document.title, document.number, document.issuer, document.footer, (*document.blocks, *added))


def decide_ask(
    before: Signing | None,
    asked: Asked,
    *,
    auction: Auction,
    people: Sequence[User | None],
    earlier: Signing | None,
    number: int,
) -> Asked | Refusal:
    """
    Decide that people are asked to sign.

    ``before`` is the signing of the same name, ``earlier`` the last one of this record, ``number`` counts them. What
    stands in the file is what was known when it was set, so signers who have changed since are refused.
    """
    parties = parties_of(auction)
    if isinstance(parties, Refusal):
        return parties
    if before is not None or (earlier is not None and is_standing(earlier)):
        return Refusal.ASKED_ALREADY
    if number > ROUNDS_MAX:
        return Refusal.TOO_OFTEN
    return asked if signers_of(parties, people) == asked.signers else Refusal.SIGNERS_WRONG


def is_standing(signing: Signing) -> bool:
    """Tell whether no other signing of the same record may begin: it is open, or was completed."""
    return signing.stage not in {Stage.DECLINED, Stage.WITHDRAWN}


def turn_fault(signing: Signing, actor: Actor) -> Refusal | None:
    """Tell why somebody may not sign or decline now; ``None`` when it is their turn."""
    named = next((one for one in signing.signers if one.user_id == actor.user_id), None)
    signed = named is not None and named not in left_of(signing)
    if signing.stage in FINAL:
        return Refusal.ENDED
    if named is None or named.organisation_id != actor.organisation_id or not actor.has(named.role):
        return Refusal.NOT_NAMED
    if signed:
        return Refusal.SIGNED_ALREADY
    return None if named.user_id in waiting_of(signing) else Refusal.NOT_YOUR_TURN


def certificate_fault(certificate: UserCertificate | None, user_id: UUID | None, at: datetime) -> Refusal | None:
    """Tell why a certificate does not sign for an account: it is another's, was revoked, or is not valid now."""
    if certificate is None or certificate.user_id != user_id:
        return Refusal.CERTIFICATE_WRONG
    if certificate.status is CertificateStatus.REVOKED or not usable(certificate, at):
        return Refusal.CERTIFICATE_ENDED
    return None


def preparation_fault(signing: Signing, found: Preparation | None, at: datetime) -> Refusal | None:
    """Tell why what was prepared is no longer good; it is over at exactly ``expires_at``."""
    if found is None or at >= found.expires_at:
        return Refusal.EXPIRED
    return Refusal.MOVED_ON if found.before != signing.document else None


def mark_of(signing: Signing, user_id: UUID | None, preparation_id: UUID) -> Mark | None:
    """Find the signature that was made of a preparation: whoever sends it again has signed once."""
    return next((one for one in signing.marks if (one.user_id, one.preparation_id) == (user_id, preparation_id)), None)


def decide_sign(
    signing: Signing, signed: Signed, *, actor: Actor, certificate: UserCertificate | None, at: datetime
) -> Signed | Refusal:
    """Decide one signature; of two that were made of the same file the second is refused."""
    fault = turn_fault(signing, actor) or certificate_fault(certificate, actor.user_id, at)
    if fault:
        return fault
    return Refusal.MOVED_ON if signed.before != signing.document else signed


def decide_complete(signing: Signing, completed: Completed, *, before: str) -> Completed | None:
    """Decide that the seal is put on; ``None`` where another process was faster or there was nothing to seal."""
    return completed if is_due(signing) and signing.document == before else None


def is_due(signing: Signing) -> bool:
    """Tell whether all have signed and the seal is missing."""
    return signing.stage not in FINAL and not left_of(signing)


def decide_decline(signing: Signing, reason: str, *, actor: Actor) -> Declined | Refusal:
    """Decide that somebody whose turn it is will not sign."""
    fault = turn_fault(signing, actor)
    if fault:
        return fault
    assert actor.user_id is not None
    said = _reason(reason)
    return Declined(actor.user_id, actor.name, said) if said else Refusal.REASON_WRONG


def decide_withdraw(signing: Signing, reason: str, *, actor: Actor) -> Withdrawn | Refusal:
    """Decide that the purchaser no longer asks; the service has checked that it is the purchaser."""
    if signing.stage in FINAL:
        return Refusal.ENDED
    if not left_of(signing):
        return Refusal.ALL_SIGNED
    assert actor.user_id is not None
    said = _reason(reason)
    return Withdrawn(actor.user_id, actor.name, said) if said else Refusal.REASON_WRONG


def _reason(text: str) -> str:
    said = text.strip()
    return said if REASON_LENGTH_MIN <= len(said) <= REASON_LENGTH_MAX else ""

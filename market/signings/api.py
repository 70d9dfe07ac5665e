"""Signings over HTTP."""

import base64
from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import Meta
from starlette.routing import BaseRoute

from crypto.certificates.certificate import CERTIFICATE_BYTES_MAX, CHAIN_LEN_MAX
from crypto.signatures import SIGNATURE_BYTES_MAX
from kernel.access.actors import Role
from kernel.access.rates import Pace
from kernel.access.table import Action
from kernel.paging import LIMIT_DEFAULT, Limit, Page
from kernel.problems import Refused, TooMany, Unavailable
from kernel.web.context import Context
from kernel.web.routes import Download, op
from market.signings import service
from market.signings.lifecycle import Signer, Signing, Stage, Turns, waiting_of
from market.signings.rules import REASON_LENGTH_MAX, REASON_LENGTH_MIN, SIGNERS_MAX, is_due, turn_fault
from market.signings.service import Candidate, SigningBox, SigningDone, SigningRow, Wanted

_PDF: Final = "application/pdf"

Der = Annotated[bytes, Meta(min_length=1, max_length=CERTIFICATE_BYTES_MAX)]
"""Base64 on the wire."""


class CandidatesOut(msgspec.Struct, frozen=True):
    items: tuple[Candidate, ...]


class AskIn(msgspec.Struct, forbid_unknown_fields=True):
    """Who is to sign, in this order unless ``turns`` says any."""

    signers: Annotated[tuple[UUID, ...], Meta(min_length=1, max_length=SIGNERS_MAX)]
    turns: Turns = Turns.IN_ORDER


class CertificateIn(msgspec.Struct, forbid_unknown_fields=True):
    """With which certificate somebody is about to sign, and what stands above it, in DER; base64."""

    certificate: Der
    chain: Annotated[tuple[Der, ...], Meta(max_length=CHAIN_LEN_MAX)] = ()


class PreparationOut(msgspec.Struct, frozen=True):
    """
    What is to be signed before ``expires_at``: ``to_sign`` (base64), the signed attributes (RFC 5652).

    Whoever has the file with the SHA-256 ``before`` can check the digest in them: it is over that file and ``tail``
    (base64) without the bytes from ``hole_start`` to ``hole_end``.
    """

    preparation_id: UUID
    algorithm: str
    to_sign: str
    before: str
    tail: str
    hole_start: int
    hole_end: int
    expires_at: datetime


class SignatureIn(msgspec.Struct, forbid_unknown_fields=True):
    """The signature over what was prepared; DER for ECDSA; base64."""

    preparation_id: UUID
    signature: Annotated[bytes, Meta(min_length=1, max_length=SIGNATURE_BYTES_MAX)]


class SigningReasonIn(msgspec.Struct, forbid_unknown_fields=True):
    """Why."""

    reason: Annotated[str, Meta(min_length=REASON_LENGTH_MIN, max_length=REASON_LENGTH_MAX)]


class SignatureOut(msgspec.Struct, frozen=True):
    """A signature in the document: when it was made, with which certificate."""

    at: datetime
    certificate_name: str
    issuer: str
    serial: str
    fingerprint: str
    stamped: bool


class SignerOut(msgspec.Struct, frozen=True):
    """Somebody who was asked to sign; ``asked`` says that it is their turn, ``you`` that it is the reader."""

    name: str
    organisation_name: str
    role: Role
    you: bool
    asked: bool
    signature: SignatureOut | None


class SigningOut(msgspec.Struct, frozen=True):
    """
    A document that people sign; ``document`` is the SHA-256 of the file as it is now, ``original`` of the first one.

    ``sealing`` says that everybody has signed and the seal is still to come.
    """

    signing_id: UUID
    auction_id: UUID
    number: str
    title: str
    purchaser_name: str
    supplier_name: str
    turns: Turns
    stage: Stage
    sealing: bool
    signers: tuple[SignerOut, ...]
    original: str
    document: str
    size: int
    asked_by: str
    asked_at: datetime
    changed_at: datetime
    reason: str
    ended_by: str
    sealed: bool
    stamped: bool
    may_sign: bool
    may_withdraw: bool


def _out(ctx: Context, found: Signing) -> SigningOut:
    same = {name: getattr(found, name) for name in SigningOut.__struct_fields__ if hasattr(found, name)}
    hosts = found.purchaser_id == ctx.actor.organisation_id and ctx.actor.has(Role.PURCHASER)
    return SigningOut(
        **{
            **same,
            "signing_id": found.id,
            "signers": tuple(_signer(ctx, found, one) for one in found.signers),
            "sealing": is_due(found),
            "may_sign": turn_fault(found, ctx.actor) is None,
            "may_withdraw": hosts and bool(waiting_of(found)),
        }
    )


def _signer(ctx: Context, found: Signing, one: Signer) -> SignerOut:
    mark = next((mark for mark in found.marks if mark.user_id == one.user_id), None)
    made = SignatureOut(**{name: getattr(mark, name) for name in SignatureOut.__struct_fields__}) if mark else None
    you, asked = one.user_id == ctx.actor.user_id, one.user_id in waiting_of(found)
    return SignerOut(one.name, one.organisation_name, one.role, you, asked, made)


@op(
    "GET",
    "/api/auctions/{auction_id}/signatories",
    action=Action.SIGNING_ASK,
    tag="signings",
    summary="Who may be asked to sign the record of an auction that has ended",
    problems=(Refused,),
)
async def signatories(ctx: Context, auction_id: UUID) -> CandidatesOut:
    return CandidatesOut(tuple(await service.candidates(ctx.kernel, ctx.actor, auction_id)))


@op(
    "POST",
    "/api/auctions/{auction_id}/signings",
    action=Action.SIGNING_ASK,
    tag="signings",
    summary="Ask people to sign the record of an auction / 发起签署",
    status=201,
    problems=(Refused, TooMany, Unavailable),
    pace=Pace.HEAVY,
)
async def ask_for_signatures(ctx: Context, auction_id: UUID, body: AskIn) -> SigningDone:
    return await service.ask(ctx.kernel, ctx.by, auction_id, body.signers, body.turns)


@op("GET", "/api/signings", action=Action.SIGNING_READ, tag="signings", summary="Documents to sign / 待签署文件")
async def signings(
    ctx: Context,
    box: SigningBox = SigningBox.ALL,
    stage: Stage | None = None,
    auction_id: UUID | None = None,
    cursor: str | None = None,
    limit: Limit = LIMIT_DEFAULT,
) -> Page[SigningRow]:
    return await service.list_signings(
        ctx.kernel, ctx.actor, Wanted(box, stage, auction_id), cursor=cursor, limit=limit
    )


@op(
    "GET",
    "/api/signings/{signing_id}",
    action=Action.SIGNING_READ,
    tag="signings",
    summary="A document, who has signed it and who is still to sign",
)
async def signing(ctx: Context, signing_id: UUID) -> SigningOut:
    return _out(ctx, await service.signing_of(ctx.kernel, ctx.actor, signing_id))


@op(
    "GET",
    "/api/signings/{signing_id}/document.pdf",
    action=Action.SIGNING_READ,
    tag="signings",
    summary="The document as it is now",
    problems=(Unavailable,),
)
async def signing_document(ctx: Context, signing_id: UUID) -> Download:
    found = await service.file_of(ctx.kernel, ctx.actor, signing_id)
    return Download(found.pdf, _PDF, found.name)


@op(
    "POST",
    "/api/signings/{signing_id}/preparation",
    action=Action.SIGNING_SIGN,
    tag="signings",
    summary="Have one's signature prepared: what the browser is to sign",
    status=201,
    problems=(Refused, TooMany, Unavailable),
    keyless=True,
    pace=Pace.HEAVY,
)
async def prepare_signature(ctx: Context, signing_id: UUID, body: CertificateIn) -> PreparationOut:
    made = await service.prepare(ctx.kernel, ctx.by, signing_id, body.certificate, body.chain)
    return PreparationOut(
        preparation_id=made.id,
        algorithm=made.algorithm,
        to_sign=base64.b64encode(made.to_sign).decode(),
        before=made.before,
        tail=base64.b64encode(made.tail).decode(),
        hole_start=made.hole_start,
        hole_end=made.hole_end,
        expires_at=made.expires_at,
    )


@op(
    "POST",
    "/api/signings/{signing_id}/signature",
    action=Action.SIGNING_SIGN,
    tag="signings",
    summary="Sign / 签署",
    problems=(Refused, Unavailable),
    pace=Pace.HEAVY,
)
async def sign_document(ctx: Context, signing_id: UUID, body: SignatureIn) -> SigningDone:
    return await service.sign(ctx.kernel, ctx.by, signing_id, body.preparation_id, body.signature)


@op(
    "POST",
    "/api/signings/{signing_id}/refusal",
    action=Action.SIGNING_DECLINE,
    tag="signings",
    summary="Decline to sign / 拒签",
    problems=(Refused,),
)
async def decline_to_sign(ctx: Context, signing_id: UUID, body: SigningReasonIn) -> SigningDone:
    return await service.decline(ctx.kernel, ctx.by, signing_id, body.reason)


@op(
    "POST",
    "/api/signings/{signing_id}/withdrawal",
    action=Action.SIGNING_ASK,
    tag="signings",
    summary="Withdraw what one has asked for / 撤回签署",
    problems=(Refused,),
)
async def withdraw_signing(ctx: Context, signing_id: UUID, body: SigningReasonIn) -> SigningDone:
    return await service.withdraw(ctx.kernel, ctx.by, signing_id, body.reason)


ROUTES: Final[tuple[BaseRoute, ...]] = (
    signatories,
    ask_for_signatures,
    signings,
    signing,
    signing_document,
    prepare_signature,
    sign_document,
    decline_to_sign,
    withdraw_signing,
)

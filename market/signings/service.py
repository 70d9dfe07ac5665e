"""
Signings: asking people, preparing and taking their signatures, sealing what all have signed; what can be read of it.

A file is durable before the journal names it. A signature is made of three steps: :func:`prepare` gives the bytes,
the browser signs them, :func:`sign` puts them in. Whoever was faster wins by the journal; the other one gets a 409 and
prepares again.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec
import structlog

from crypto.certificates.certificate import Certificate
from crypto.certificates.validation import CertificateRefusedError, Use
from crypto.errors import CryptoError
from kernel.access.actors import PURCHASERS, Actor, Role, system_actor
from kernel.blobs.store import BlobMissingError, BlobTamperedError
from kernel.commit.by import By
from kernel.commit.command import Command, Decided, Happened, States
from kernel.documents import office
from kernel.ids import uuid7
from kernel.journal.streams import StreamRef
from kernel.paging import Page, decode_cursor, page_of
from kernel.problems import Invalid, NotFound, Problem, Refused, Unavailable
from kernel.runtime import Kernel
from market.auctions import service as auctions
from market.auctions.service import AUCTION
from market.records import service as records
from market.signings import queries
from market.signings.lifecycle import Asked, Completed, Event, Signed, Signing, Stage, Turns, evolve
from market.signings.queries import SIGNING, SIGNING_FILES, Candidate, SigningBox, SigningRow, Wanted
from market.signings.rules import (
    TEXTS,
    Parties,
    Preparation,
    Refusal,
    certificate_fault,
    decide_ask,
    decide_complete,
    decide_decline,
    decide_sign,
    decide_withdraw,
    is_due,
    mark_of,
    parties_of,
    preparation_fault,
    signers_of,
    signing_id,
    turn_fault,
    with_signers,
)
from registries.certificates import service as certificates
from registries.certificates.rules import UserCertificate
from registries.certificates.service import CERTIFICATE
from registries.challenges.service import FAULT_TEXTS
from registries.users.service import USER

__all__ = ["SIGNING", "SIGNING_FILES", "Candidate", "Preparation", "SigningBox", "SigningRow", "Wanted"]

DUE_MAX: Final = 20
PREPARATIONS_MAX: Final = 30
WINDOW_S: Final = 60
"""An account may have so many signatures prepared in this time: each takes some 50 ms of a processor."""
WORKER: Final = system_actor("worker")
_REASON: Final = "确认竞价记录"

log = structlog.get_logger()

Decide = Callable[[Signing, States], Event | Refusal]


class SigningDone(msgspec.Struct, frozen=True):
    """Where a signing stands after an act."""

    signing_id: UUID
    stage: Stage
    signed: int
    signers: int


class File(NamedTuple):
    """A document to save."""

    name: str
    pdf: bytes


def _absent() -> NotFound:
    return NotFound("没有这份签署文件，或您无权查看。", "There is no such document to sign, or it is not yours to see.")


def _refused(refusal: Refusal, **members: Any) -> Refused:
    zh, en = TEXTS[refusal]
    return Refused(f"{zh}。", f"{en}.", reason=refusal.value, **members)


# Asking.


async def candidates(kernel: Kernel, actor: Actor, auction_id: UUID) -> list[Candidate]:
    """List who may be asked to sign the record of an own auction. Raises ``NotFound``, ``Refused`` before its end."""
    parties = await _parties(kernel, actor, auction_id)
    async with kernel.db.read() as tx:
        found = await queries.candidates(tx, parties.purchaser_id, PURCHASERS)
        if parties.supplier_id is not None:
            found += await queries.candidates(tx, parties.supplier_id, (Role.SIGNATORY,))
    return found


async def _parties(kernel: Kernel, actor: Actor, auction_id: UUID) -> Parties:
    auction = await auctions.auction_of(kernel, actor, auction_id)
    if auction.purchaser_id != actor.organisation_id:
        raise _absent()
    parties = parties_of(auction)
    if isinstance(parties, Refusal):
        raise _refused(parties, stage=auction.stage.value)
    return parties


async def ask(kernel: Kernel, by: By, auction_id: UUID, people: Sequence[UUID], turns: Turns) -> SigningDone:
    """
    Ask people to sign the record of an own auction that has ended.

    Raises:
        NotFound: there is no such auction for the caller, or it is another purchaser's.
        Refused: it has not ended, its record is being signed or was, or the people may not sign it.
        TooMany, Unavailable: the document cannot be made now.
    """
    parties = await _parties(kernel, by.actor, auction_id)
    users = [USER.ref(user_id) for user_id in people]
    known = await USER.load(kernel.db.pool, list(people))
    signers = signers_of(parties, [known[one].state if one in known else None for one in people])
    if isinstance(signers, Refusal):
        raise _refused(signers)
    described = await records.auction_document(kernel, by.actor, auction_id, origin=by.origin)
    pdf = await office.draft(kernel, with_signers(described, signers, turns))
    number = await queries.rounds(kernel.db.pool, auction_id) + 1
    ref, auction = SIGNING.ref(signing_id(auction_id, number)), AUCTION.ref(auction_id)
    earlier = SIGNING.ref(signing_id(auction_id, number - 1)) if number > 1 else None
    found = await auctions.auction_of(kernel, by.actor, auction_id)
    asked = Asked(
        id=ref.id,
        auction_id=auction_id,
        number=found.number,
        title=found.terms.title,
        purchaser_id=parties.purchaser_id,
        purchaser_name=parties.purchaser_name,
        region=found.region,
        supplier_id=parties.supplier_id,
        supplier_name=parties.supplier_name,
        turns=turns,
        signers=signers,
        document=await kernel.blobs.put(pdf),
        size=len(pdf),
        asked_by=by.actor.name,
    )

    def decide(states: States) -> Decided[SigningDone] | Problem:
        ended = states.get(auction)
        assert ended is not None
        decision = decide_ask(
            states.get(ref),
            asked,
            auction=ended,
            people=[states.get(user) for user in users],
            earlier=states.get(earlier) if earlier else None,
            number=number,
        )
        if isinstance(decision, Refusal):
            return _refused(decision)
        return Decided(_done(evolve(None, decision, by.at)), [Happened(ref, decision)])

    streams: list[StreamRef[Any, Any]] = [ref, auction, *users, *([earlier] if earlier else [])]
    return await kernel.committer.submit(by.command(streams, decide, SigningDone))


async def withdraw(kernel: Kernel, by: By, signing_id_: UUID, reason: str) -> SigningDone:
    """Ask no longer, as the purchaser. Raises ``NotFound``, ``Refused``."""
    found = await _seen(kernel, by.actor, signing_id_)
    if found.purchaser_id != by.actor.organisation_id:
        raise _absent()
    return await _act(kernel, by, signing_id_, lambda signing, _: decide_withdraw(signing, reason, actor=by.actor))


# Signing.


async def prepare(kernel: Kernel, by: By, signing_id_: UUID, certificate: bytes, chain: Sequence[bytes]) -> Preparation:
    """
    Prepare the caller's signature with a certificate (DER) of theirs; good for ``PREPARED_FOR``, replaces the last one.

    Raises:
        NotFound: there is no such signing for the caller.
        Refused: it is not their turn, or the certificate does not sign for them now; ``reason`` says why.
        Invalid: the certificate cannot be read.
        TooMany, Unavailable: too often; what we trust cannot be read.
    """
    signing = await _seen(kernel, by.actor, signing_id_)
    fault = turn_fault(signing, by.actor)
    if fault:
        raise _refused(fault)
    user_id = by.actor.user_id
    assert user_id is not None
    await kernel.limits.hit(f"signing/{user_id}", PREPARATIONS_MAX, WINDOW_S)
    _, path = await _validated(kernel, by, certificate, chain)
    pdf = await _file(kernel, signing.document)
    field = f"signer-{next(n for n, one in enumerate(signing.signers, 1) if one.user_id == user_id)}"
    try:
        made = await office.prepare(kernel, pdf, path, field=field, reason=_REASON, at=by.at)
    except (CryptoError, LookupError) as error:
        raise Refused(
            f"这张证书不能签署 PDF 文件：{error}。",
            f"This certificate cannot sign a PDF document: {error}.",
            reason="key-wrong",
        ) from error
    assert made.pdf.startswith(pdf), "a signature is an incremental update"
    one = Preparation(
        id=uuid7(by.at),
        signing_id=signing_id_,
        user_id=user_id,
        before=signing.document,
        tail=made.pdf[len(pdf) :],
        hole_start=made.hole[0],
        hole_end=made.hole[1],
        digest=made.digest,
        to_sign=made.to_sign,
        algorithm=made.algorithm,
        certificates=made.certificates,
        prepared_at=by.at,
    )
    await queries.prepare(kernel.db.pool, one)
    return one


async def sign(kernel: Kernel, by: By, signing_id_: UUID, preparation_id: UUID, signature: bytes) -> SigningDone:
    """
    Take the caller's signature over what was prepared; with the last one the platform's seal is put on.

    Sent again under the same key it is answered as the first time, whatever has happened since. Where no time stamp can
    be had nothing is signed; where only the seal fails, the signature stands and a worker goes on.

    Raises:
        NotFound: there is no such signing for the caller.
        Refused: not their turn, expired, signed by somebody else meanwhile, or the certificate is no longer good.
        Unavailable: no time stamp can be had, or what we trust cannot be read.
    """
    signing = await _seen(kernel, by.actor, signing_id_)
    if mark_of(signing, by.actor.user_id, preparation_id) is not None:
        again = _refused(Refusal.SIGNED_ALREADY)  # the committer knows better what to say, if the key is the same
        return await kernel.committer.submit(by.command([SIGNING.ref(signing_id_)], lambda _: again, SigningDone))
    certificate, signed = await _signed(kernel, by, signing, preparation_id, signature)
    theirs = CERTIFICATE.ref(certificate.id)

    def decide(found: Signing, states: States) -> Event | Refusal:
        return decide_sign(found, signed, actor=by.actor, certificate=states.get(theirs), at=by.at)

    done = await _act(kernel, by, signing_id_, decide, reads=[theirs])
    if done.signed < done.signers:
        return done
    try:
        completed = await complete(kernel, signing_id_, kernel.clock.now())
    except Unavailable as problem:
        log.warning("signing.unsealed", signing=str(signing_id_), detail=str(problem))
        completed = False
    return msgspec.structs.replace(done, stage=Stage.COMPLETED) if completed else done


async def _signed(
    kernel: Kernel, by: By, signing: Signing, preparation_id: UUID, signature: bytes
) -> tuple[UserCertificate, Signed]:
    """Put the signature into the file, keep it, and say what happened; nothing is decided yet."""
    user_id = by.actor.user_id
    assert user_id is not None
    one = await queries.prepared(kernel.db.pool, signing_id=signing.id, user_id=user_id, preparation_id=preparation_id)
    fault = turn_fault(signing, by.actor) or preparation_fault(signing, one, by.at)
    if fault:
        raise _refused(fault)
    assert one is not None
    own, *above = one.certificates
    certificate, _ = await _validated(kernel, by, own, above)
    from crypto.documents.signing import Prepared  # noqa: PLC0415 - slow to import

    before, lists = await _file(kernel, one.before), await certificates.lists_now(kernel, at=by.at)
    prepared = Prepared(
        before + one.tail, one.digest, (one.hole_start, one.hole_end), one.to_sign, one.algorithm, one.certificates
    )
    try:
        pdf = await office.finish(kernel, prepared, signature, at=by.at, lists=lists)
    except CryptoError as error:
        raise Refused(
            "签名与证书不符，请确认选择了正确的证书后重新签署。",
            "The signature does not fit the certificate; make sure that it is the right one, and sign again.",
            reason="signature-wrong",
        ) from error
    return certificate, Signed(
        user_id=user_id,
        preparation_id=preparation_id,
        certificate_id=certificate.id,
        certificate_name=certificate.name,
        issuer=certificate.issuer,
        serial=certificate.serial,
        fingerprint=certificate.fingerprint,
        before=one.before,
        document=await kernel.blobs.put(pdf),
        size=len(pdf),
        stamped=kernel.stamps is not None,
    )


async def _validated(
    kernel: Kernel, by: By, certificate: bytes, chain: Sequence[bytes]
) -> tuple[UserCertificate, tuple[Certificate, ...]]:
    """Validate a certificate now, of whom it is too; return it as registered, and its path from itself upwards."""
    try:
        own = Certificate(certificate)
        above = [Certificate(one) for one in chain]
    except CryptoError as error:
        raise Invalid("证书无法读取。", "The certificate cannot be read.", field="certificate") from error
    known = await certificates.by_certificate(kernel, own)
    fault = certificate_fault(known, by.actor.user_id, by.at)
    if fault:
        raise _refused(fault)
    assert known is not None
    try:
        found = await certificates.validated(kernel, own, above, use=Use.SIGNING, at=by.at)
    except CertificateRefusedError as error:
        zh, en = FAULT_TEXTS[error.fault]
        raise Refused(f"{zh}。", f"{en}.", reason=error.fault.value) from error
    return known, tuple(reversed(found.path))


async def decline(kernel: Kernel, by: By, signing_id_: UUID, reason: str) -> SigningDone:
    """Say that one will not sign; that ends the signing. Raises ``NotFound``, ``Refused``."""
    await _seen(kernel, by.actor, signing_id_)
    return await _act(kernel, by, signing_id_, lambda signing, _: decide_decline(signing, reason, actor=by.actor))


# Sealing.


async def complete(kernel: Kernel, signing_id_: UUID, at: datetime) -> bool:
    """Seal what everybody has signed; tell whether that completed it. Twice is harmless. Raises ``Unavailable``."""
    ref = SIGNING.ref(signing_id_)
    found = (await SIGNING.load(kernel.db.pool, [signing_id_]))[signing_id_].state
    if not is_due(found):
        return False
    sealed = await office.seal(kernel, await _file(kernel, found.document))
    completed = Completed(await kernel.blobs.put(sealed.pdf), len(sealed.pdf), sealed.sealed, sealed.stamped)

    def decide(states: States) -> Decided[bool] | Problem:
        decision = decide_complete(_there(states.get(ref)), completed, before=found.document)
        return Decided(decision is not None, [Happened(ref, decision)] if decision else [])

    return await kernel.committer.submit(Command([ref], decide, WORKER.journal, "local", at))


async def falling_due(kernel: Kernel, at: datetime) -> list[UUID]:
    """List at most ``DUE_MAX`` signings that wait for nothing but the seal."""
    return await queries.falling_due(kernel.db.pool, at, limit=DUE_MAX)


# What can be read.


async def list_signings(
    kernel: Kernel, actor: Actor, wanted: Wanted, *, cursor: str | None, limit: int
) -> Page[SigningRow]:
    """List the signings that a caller may see, the newest first. Raises ``Invalid`` on a bad cursor."""
    after = decode_cursor(cursor, (datetime, UUID)) if cursor else None
    async with kernel.db.read() as tx:
        rows = await queries.page(tx, actor, wanted, after=(after[0], after[1]) if after else None, limit=limit + 1)
    return page_of(rows, limit, lambda row: row, lambda row: (row.asked_at, row.signing_id))


async def signing_of(kernel: Kernel, actor: Actor, signing_id_: UUID) -> Signing:
    """Read a signing that a caller may see. Raises ``NotFound``."""
    return await _seen(kernel, actor, signing_id_)


async def file_of(kernel: Kernel, actor: Actor, signing_id_: UUID) -> File:
    """Read the document as it is now. Raises ``NotFound``; ``Unavailable`` when the file was damaged."""
    signing = await _seen(kernel, actor, signing_id_)
    return File(f"竞价记录-{signing.number}-签署.pdf", await _file(kernel, signing.document))


async def _seen(kernel: Kernel, actor: Actor, signing_id_: UUID) -> Signing:
    async with kernel.db.read() as tx:
        if not await queries.seen(tx, actor, signing_id_):
            raise _absent()
    return (await SIGNING.load(kernel.db.pool, [signing_id_]))[signing_id_].state


async def _file(kernel: Kernel, digest: str) -> bytes:
    try:
        return await kernel.blobs.get(digest)
    except (BlobMissingError, BlobTamperedError) as error:
        log.error("signing.damaged", digest=digest, damage=type(error).__name__)  # noqa: TRY400 - nothing to trace
        raise Unavailable(
            "文件已损坏或丢失，不能使用；请联系平台管理员。",
            "The file was damaged or lost and is not used; tell the operator.",
            reason="document-damaged",
        ) from error


async def _act(
    kernel: Kernel, by: By, signing_id_: UUID, act: Decide, *, reads: Sequence[StreamRef[Any, Any]] = ()
) -> SigningDone:
    ref = SIGNING.ref(signing_id_)

    def decide(states: States) -> Decided[SigningDone] | Problem:
        signing = _there(states.get(ref))
        decision = act(signing, states)
        if isinstance(decision, Refusal):
            return _refused(decision, stage=signing.stage.value)
        return Decided(_done(evolve(signing, decision, by.at)), [Happened(ref, decision)])

    return await kernel.committer.submit(by.command([ref, *reads], decide, SigningDone))


def _there(signing: Signing | None) -> Signing:
    assert signing is not None, "seen before, and no stream ever goes"
    return signing


def _done(signing: Signing) -> SigningDone:
    return SigningDone(signing.id, signing.stage, len(signing.marks), len(signing.signers))

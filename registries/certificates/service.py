"""Enrolling, renewing, revoking and finding certificates of users."""

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from crypto import signatures
from crypto.certificates.authority import Authority, Revocation
from crypto.certificates.certificate import Certificate
from crypto.certificates.names import Subject, credit_codes
from crypto.certificates.profiles import Profile
from crypto.certificates.requests import read_request
from crypto.certificates.revocation import RevocationList
from crypto.certificates.validation import CertificateRefusedError, Use, Validated, path_of
from crypto.errors import CryptoError
from kernel.access.actors import SUPPLIERS, Actor
from kernel.clock import BEIJING
from kernel.commit.by import By
from kernel.commit.command import Decided, Happened, States
from kernel.ids import uuid7
from kernel.journal.streams import StreamRef
from kernel.problems import Invalid, NotFound, Problem, Refused, Unavailable
from kernel.runtime import Kernel
from kernel.trust.folder import FolderError
from registries.certificates import queries
from registries.certificates.queries import CERTIFICATE
from registries.certificates.rules import (
    TEXTS,
    Claim,
    Enrolled,
    Refusal,
    Source,
    UserCertificate,
    decide_enrol,
    decide_renew,
    decide_revoke,
)
from registries.organisations import service as organisations
from registries.organisations.service import ORGANISATION
from registries.users.service import USER

__all__ = [
    "CERTIFICATE",
    "Particulars",
    "UserCertificate",
    "authorities",
    "by_certificate",
    "chain_of",
    "der_of",
    "enrol",
    "get",
    "list_of",
    "particulars_of",
    "published_list",
    "register",
    "revocation_list",
    "revoke",
    "validated",
]

PUBLISHED_S: Final = 5.0
"""How long the public is given the same list: whoever asks often must not keep us signing."""
_LIST_PATH: Final = "/api/certificates/lists/issuing.crl"


class Particulars(NamedTuple):
    """What a certificate of this account will say, and whether this site issues any."""

    name: str
    organisation_name: str
    credit_code: str
    issues: bool


async def particulars_of(kernel: Kernel, actor: Actor) -> Particulars:
    """Tell what the account's certificate will say."""
    assert actor.organisation_id is not None
    organisation = await organisations.get(kernel, actor.organisation_id)
    return Particulars(actor.name, organisation.name, organisation.credit_code, kernel.trust.folder.exists)


async def enrol(kernel: Kernel, by: By, request: bytes, *, replaces: UUID | None) -> UserCertificate:
    """
    Issue a certificate for a request (PKCS#10), in place of another one if ``replaces`` names it.

    The request proves that the private key is in the user's hands. The name is written from the register. The
    certificate leaves this process only after the journal holds it.

    Raises:
        Invalid: the request cannot be read, or its proof does not hold.
        Refused: the account may not have it.
        Unavailable: this site has no authority of its own.
    """
    actor = by.actor
    assert actor.user_id is not None
    assert actor.organisation_id is not None
    authority = await _authority(kernel)
    try:
        asked = read_request(request, at=by.at, denials=kernel.trust.denials)
    except CryptoError as error:
        raise Invalid(
            f"证书请求无法使用：{error}", f"The certification request cannot be used: {error}", field="request"
        ) from error
    said = await particulars_of(kernel, actor)
    profile = Profile.SUPPLIER if actor.has_any(SUPPLIERS) else Profile.STAFF
    subject = Subject(actor.name, said.organisation_name[:64], said.credit_code, number=actor.user_id.hex)
    url = f"{kernel.settings.public_url}{_LIST_PATH}" if kernel.settings.public_url else ""
    made = authority.issue(profile, subject, asked.spki, at=by.at, crl_url=url)
    claim = Claim(frozenset({asked.subject.credit_code}), asked.key_algorithm)
    return await _enter(kernel, by, _Entry(made, claim, Source.PLATFORM, replaces))


async def register(kernel: Kernel, by: By, found: Validated) -> UserCertificate:
    """Register an outside authority's certificate, whose private key the user has just proved to have."""
    made = found.certificate
    claim = Claim(credit_codes(made.parsed.subject), signatures.algorithm_of(signatures.load_public_key(made.spki)))
    return await _enter(kernel, by, _Entry(made, claim, Source.OUTSIDE, None))


class _Entry(NamedTuple):
    """What goes into the register, and from where."""

    made: Certificate
    claim: Claim
    source: Source
    replaces: UUID | None


async def _enter(kernel: Kernel, by: By, entry: _Entry) -> UserCertificate:
    actor, (made, claim, source, replaces) = by.actor, entry
    assert actor.user_id is not None
    assert actor.organisation_id is not None
    enrolled = Enrolled(
        id=uuid7(by.at),
        user_id=actor.user_id,
        organisation_id=actor.organisation_id,
        source=source,
        fingerprint=made.fingerprint.hex(),
        serial=made.serial_hex,
        issuer=made.issuer.common_name or made.issuer.organisation,
        name=made.subject.common_name,
        key_algorithm=claim.key_algorithm,
        not_before=made.not_before,
        not_after=made.not_after,
        der=base64.b64encode(made.der).decode(),
        replaces=replaces,
    )
    async with kernel.db.read() as tx:
        in_use = await queries.in_use(tx, actor.user_id, by.at)
        if await queries.by_fingerprint(tx, enrolled.fingerprint) is not None:
            raise Refused(*TEXTS[Refusal.EXISTS], reason=Refusal.EXISTS.value)
    ref, user, owner = CERTIFICATE.ref(enrolled.id), USER.ref(actor.user_id), ORGANISATION.ref(actor.organisation_id)
    old = CERTIFICATE.ref(replaces) if replaces else None

    def decide(states: States) -> Decided[UUID] | Problem:
        decision = decide_enrol(
            states.get(ref),
            enrolled,
            claim,
            user=states.get(user),
            organisation=states.get(owner),
            in_use=in_use - (1 if old else 0),
        )
        if isinstance(decision, Refusal):
            return _refused(decision)
        happened = [Happened(ref, decision)]
        if old is not None:
            renewal = decide_renew(states.get(old), user_id=enrolled.user_id, by=enrolled.id)
            if isinstance(renewal, Refusal):
                return _refused(renewal)
            happened.append(Happened(old, renewal))
        return Decided(enrolled.id, happened)

    refs: list[StreamRef[Any, Any]] = [ref, user, owner, *([old] if old else [])]
    made_id = await kernel.committer.submit(by.command(refs, decide, UUID))
    kernel.sessions.forget(actor.user_id)  # it can be proved with from now on
    return await get(kernel, actor, made_id)


async def revoke(kernel: Kernel, by: By, certificate_id: UUID, reason: str) -> UserCertificate:
    """Revoke one's own certificate, with effect at once: logins ask the register. Raises ``NotFound``, ``Refused``."""
    assert by.actor.user_id is not None
    user_id, ref = by.actor.user_id, CERTIFICATE.ref(certificate_id)

    def decide(states: States) -> Decided[UUID] | Problem:
        decision = decide_revoke(states.get(ref), user_id=user_id, reason=reason)
        if isinstance(decision, Refusal):
            return _refused(decision)
        return Decided(certificate_id, [Happened(ref, decision)])

    await kernel.committer.submit(by.command([ref], decide, UUID))
    kernel.sessions.forget(user_id)  # and no longer
    return await get(kernel, by.actor, certificate_id)


async def list_of(kernel: Kernel, actor: Actor) -> list[UserCertificate]:
    """List the account's certificates, the newest first."""
    async with kernel.db.read() as tx:
        return await queries.list_of(tx, actor)


async def get(kernel: Kernel, actor: Actor, certificate_id: UUID) -> UserCertificate:
    """Read one certificate of the account; raises ``NotFound``."""
    async with kernel.db.read() as tx:
        found = await queries.get(tx, actor, certificate_id)
    if found is None:
        raise NotFound("没有这张证书。", "There is no such certificate.")
    return found


async def by_certificate(kernel: Kernel, certificate: Certificate) -> UserCertificate | None:
    """Find whose certificate it is; ``None`` when nobody here has it."""
    async with kernel.db.read() as tx:
        return await queries.by_fingerprint(tx, certificate.fingerprint.hex())


async def validated(
    kernel: Kernel, certificate: Certificate, chain: Sequence[Certificate], *, use: Use, at: datetime
) -> Validated:
    """
    Validate a certificate with the lists of this moment; of our own only the line that is about it is written.

    The path is built first: only addresses that a certificate of a trusted authority names are ever asked.

    Raises:
        CertificateRefusedError: it is not good; ``fault`` says why.
        Unavailable: what we trust, or a list of it, cannot be read, or its authority gives no answer that counts.
    """
    try:
        found = path_of(certificate, chain, kernel.trust.trust(), at=at, use=use)
        lists = kernel.trust.parsed_lists()
        serial = certificate.serial_hex
        own = await revocation_list(kernel, at=at, serial=serial) if kernel.trust.folder.exists else None
    except CertificateRefusedError:
        raise
    except (FolderError, CryptoError, OSError) as error:
        raise _away(error) from error
    await kernel.revocations.judge(found, [*lists, *([RevocationList(own)] if own else [])])
    return found


async def revocation_list(kernel: Kernel, *, at: datetime, serial: str | None = None) -> bytes:
    """
    Write the own authority's list as of this moment, in DER; with ``serial`` only as far as it is about that one.

    Raises ``NotFound`` when this site has no authority.

    Its number is the second in which it was written, so that it grows in every process.
    Cost: one statement, one signature, 20 µs for each line.
    """
    if not kernel.trust.folder.exists:
        raise NotFound("本站没有自建的签发机构。", "This site has no authority of its own.")
    authority = await _authority(kernel)
    async with kernel.db.read() as tx:
        rows = await queries.revoked(tx, at, serial)
    lines = [Revocation(int(row.serial, 16), row.revoked_at) for row in rows]
    return authority.revocation_list(lines, number=int(at.timestamp()), at=at)


async def lists_now(kernel: Kernel, *, at: datetime) -> list[bytes]:
    """
    Give every revocation list that we go by, each whole, our own as of this moment: for documents that keep them.

    Raises ``Unavailable`` when one of them cannot be read.
    """
    try:
        own = [await revocation_list(kernel, at=at)] if kernel.trust.folder.exists else []
        return [*own, *kernel.trust.lists()]
    except (FolderError, CryptoError, OSError) as error:
        raise _away(error) from error


async def published_list(kernel: Kernel, *, at: datetime) -> bytes:
    """Give the list that the public gets: one that this process wrote less than ``PUBLISHED_S`` ago, or a new one."""
    now_s = kernel.clock.monotonic_s()
    known = kernel.trust.published
    if known is None or known[1] <= now_s:
        known = (await revocation_list(kernel, at=at), now_s + PUBLISHED_S)
        kernel.trust.published = known
    return known[0]


def authorities(kernel: Kernel) -> bytes:
    """Give the own authorities' certificates in PEM, the issuing one first; raises ``NotFound``."""
    if not kernel.trust.folder.exists:
        raise NotFound("本站没有自建的签发机构。", "This site has no authority of its own.")
    return b"".join(one.pem() for one in kernel.trust.chain())


def chain_of(kernel: Kernel, found: UserCertificate) -> bytes:
    """Give a certificate in PEM, with those above it when we have issued it."""
    own = Certificate(der_of(found))
    above = kernel.trust.chain() if found.source is Source.PLATFORM else []
    return b"".join(one.pem() for one in (own, *above))


def der_of(found: UserCertificate) -> bytes:
    """Give a certificate in DER."""
    return base64.b64decode(found.der)


def file_name(found: UserCertificate) -> str:
    """Name the file of a certificate: whose, and until when."""
    return f"{found.name}-{found.not_after.astimezone(BEIJING):%Y%m%d}.pem"


async def _authority(kernel: Kernel) -> Authority:
    try:
        authority = await kernel.trust.authority()
    except (FolderError, CryptoError) as error:
        raise _away(error) from error
    if authority is None:
        raise Unavailable(
            "本站没有自建的签发机构，请登记外部电子认证服务机构签发的证书。",
            "This site issues no certificates; register one of an outside authority.",
            reason="no-authority",
        )
    return authority


def _away(error: Exception) -> Unavailable:
    return Unavailable(
        f"证书服务暂不可用，请联系平台管理员：{error}",
        f"Certificates cannot be checked now; ask the operator: {error}",
        reason="trust-unreadable",
    )


def _refused(refusal: Refusal) -> Problem:
    if refusal is Refusal.UNKNOWN:
        return NotFound("没有这张证书。", "There is no such certificate.")
    return Refused(*TEXTS[refusal], reason=refusal.value)

"""Handing out challenges, checking what was signed, and logging in with it."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

import msgspec
import structlog

from crypto import signatures
from crypto.certificates.certificate import Certificate
from crypto.certificates.validation import CertificateRefusedError, Fault, Use, Validated
from crypto.errors import AlgorithmDeniedError, AlgorithmUnavailableError, CryptoError
from kernel.access.assurance import Method
from kernel.access.sessions import Session
from kernel.commit.by import By
from kernel.problems import Forbidden, Refused, Unauthenticated
from kernel.runtime import Kernel
from registries.certificates import service as certificates
from registries.certificates.rules import Status, UserCertificate
from registries.challenges import queries
from registries.challenges.rules import (
    NONCE_BYTES,
    TEXTS,
    Challenge,
    Purpose,
    Refusal,
    decide_answer,
)
from registries.users import service as users
from registries.users.service import Opened, enter, load_actor

__all__ = ["Proof", "Proven", "binding_of", "challenge", "log_in", "prove", "register", "step_up"]

CHALLENGES_PER_ADDRESS: Final = 600
WINDOW_S: Final = 300

log = structlog.get_logger()

FAULT_TEXTS: Final[dict[Fault, tuple[str, str]]] = {
    Fault.NOT_YET_VALID: ("证书尚未生效", "The certificate is not valid yet"),
    Fault.EXPIRED: ("证书已过期，请更新证书", "The certificate has expired; renew it"),
    Fault.UNTRUSTED: (
        "证书的签发机构不受本站信任",
        "This site does not trust the authority that issued the certificate",
    ),
    Fault.ALGORITHM: ("证书使用的算法已停用", "The certificate uses an algorithm that is no longer accepted"),
    Fault.REVOKED: ("证书已吊销", "The certificate is revoked"),
    Fault.REVOCATION_UNKNOWN: (
        "无法确认证书是否已吊销，请联系平台管理员更新吊销列表",
        "Whether the certificate is revoked cannot be told; ask the operator to renew the revocation list",
    ),
    Fault.BROKEN: ("证书内容无法验证", "The certificate does not verify"),
    Fault.WRONG_USE: ("证书不能用于此用途", "The certificate is not meant for this"),
}


class Proof(msgspec.Struct, frozen=True):
    """What the holder of a certificate hands in; ``signature`` is DER for ECDSA and SM2."""

    nonce: bytes
    algorithm: str
    signature: bytes
    certificate: bytes
    chain: Sequence[bytes] = ()


class Proven(NamedTuple):
    """A challenge that was signed with the key of a good certificate."""

    challenge: Challenge
    validated: Validated


def binding_of(secret: str) -> bytes:
    """Stand for a session's token, or for a browser's cookie, without giving it away."""
    return hashlib.sha256(b"zhecai-binding/v1\0" + secret.encode()).digest()


async def challenge(
    kernel: Kernel, *, purpose: Purpose, site: str, binding: bytes, about: str, at: datetime, origin: str
) -> Challenge:
    """Hand out a challenge; raises ``TooMany``."""
    await kernel.limits.hit(f"challenge/address/{origin}", CHALLENGES_PER_ADDRESS, WINDOW_S)
    made = Challenge(secrets.token_bytes(NONCE_BYTES), purpose, site, binding, about, at)
    await queries.store(kernel.db.pool, made)
    return made


async def prove(kernel: Kernel, proof: Proof, *, purpose: Purpose, site: str, binding: bytes, at: datetime) -> Proven:
    """
    Check a signed challenge: still open, made for this, here, signed with the key of a certificate that is good now.

    The challenge is gone afterwards, whatever the outcome. Logins, registrations and acts that bind all come here.

    Raises:
        Unauthenticated: it does not hold; ``reason`` says why.
        Unavailable: what we trust cannot be read.
    """
    decision = decide_answer(
        await queries.take(kernel.db.pool, proof.nonce), purpose=purpose, site=site, binding=binding, at=at
    )
    if isinstance(decision, Refusal):
        raise Unauthenticated(*_sentences(TEXTS[decision]), reason=decision.value)
    try:
        certificate = Certificate(proof.certificate)
        signatures.verify(
            proof.algorithm,
            signatures.load_public_key(certificate.spki),
            signature=proof.signature,
            message=decision.message(proof.algorithm),
            at=at,
            denials=kernel.trust.denials,
        )
        chain = [Certificate(one) for one in proof.chain]
        use = Use.SIGNING if purpose not in (Purpose.LOGIN, Purpose.REGISTER) else Use.LOGIN
        return Proven(decision, await certificates.validated(kernel, certificate, chain, use=use, at=at))
    except CertificateRefusedError as error:
        log.info("certificate.refused", fault=error.fault.value, detail=str(error))
        raise Unauthenticated(*_sentences(FAULT_TEXTS[error.fault]), reason=error.fault.value) from error
    except AlgorithmDeniedError as error:
        raise Unauthenticated(*_sentences(FAULT_TEXTS[Fault.ALGORITHM]), reason=Fault.ALGORITHM.value) from error
    except AlgorithmUnavailableError as error:
        raise Unauthenticated(
            f"本站无法验证该算法的签名：{error}。",
            f"This site cannot verify such signatures: {error}.",
            reason="algorithm-unavailable",
        ) from error
    except CryptoError as error:
        raise Unauthenticated(
            "签名与证书不符，请确认选择了正确的证书后重试。",
            "The signature does not fit the certificate; make sure that it is the right one, and try again.",
            reason="signature-wrong",
        ) from error


async def register(kernel: Kernel, by: By, proof: Proof, *, site: str, binding: bytes) -> UserCertificate:
    """Register an outside authority's certificate for who is logged in; raises as :func:`prove`, and ``Refused``."""
    found = await prove(kernel, proof, purpose=Purpose.REGISTER, site=site, binding=binding, at=by.at)
    return await certificates.register(kernel, by, found.validated)


async def holder(kernel: Kernel, found: Proven) -> UserCertificate:
    """Find whose certificate was shown; raises ``Unauthenticated`` when it is nobody's, or revoked here."""
    known = await certificates.by_certificate(kernel, found.validated.certificate)
    if known is None:
        raise Unauthenticated(
            "这张证书尚未在本站登记，请先用其他方式登录后登记。",
            "This certificate is not registered here; log in another way and register it first.",
            reason="certificate-unregistered",
        )
    if known.status is Status.REVOKED:
        raise Unauthenticated(*_sentences(FAULT_TEXTS[Fault.REVOKED]), reason=Fault.REVOKED.value)
    return known


async def log_in(
    kernel: Kernel,
    proof: Proof,
    *,
    site: str,
    binding: bytes,
    at: datetime,
    origin: str,
    user_agent: str,
    replaces: str | None = None,
) -> Opened:
    """
    Open a session for the account whose certificate has signed; the one that ``replaces`` is the token of ends.

    Raises:
        Unauthenticated: as :func:`prove`, or nobody here has this certificate.
        Forbidden: the account is disabled.
    """
    found = await prove(kernel, proof, purpose=Purpose.LOGIN, site=site, binding=binding, at=at)
    known = await holder(kernel, found)
    actor = await load_actor(kernel.db, known.user_id)
    if actor is None:
        raise Forbidden(
            "账号已停用，请联系平台管理员。", "The account is disabled; ask the operator.", reason="disabled"
        )
    return await enter(kernel, actor, Method.CERTIFICATE, origin=origin, user_agent=user_agent, replaces=replaces)


async def step_up(
    kernel: Kernel, session: Session, token: str, proof: Proof, *, purpose: Purpose, site: str, at: datetime
) -> Opened:
    """
    Raise a session to the level of certificates, for an act that binds; its token changes.

    Raises:
        Unauthenticated: as :func:`prove`, or the session has ended.
        Refused: the certificate is somebody else's.
    """
    found = await prove(kernel, proof, purpose=purpose, site=site, binding=binding_of(token), at=at)
    known = await holder(kernel, found)
    if known.user_id != session.actor.user_id:
        raise Refused(
            "这张证书属于其他账号。", "The certificate is another account's.", reason="certificate-of-another"
        )
    return await users.prove(kernel, token, Method.CERTIFICATE)


def _sentences(texts: tuple[str, str]) -> tuple[str, str]:
    zh, en = texts
    return f"{zh}。", f"{en}."

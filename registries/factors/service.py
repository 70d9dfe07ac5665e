"""Setting up second factors, and proving who one is with them."""

import hashlib
import json
import secrets
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit
from uuid import UUID

import structlog
import webauthn
from webauthn.helpers import base64url_to_bytes, parse_client_data_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from crypto.errors import NotVerifiedError
from kernel.access.assurance import Assurance, Method
from kernel.access.sessions import Session
from kernel.ids import uuid7
from kernel.problems import NotFound, Refused, Unauthenticated
from kernel.runtime import Kernel
from registries.factors import queries
from registries.factors.queries import TOTP_SEED, Passkey, PasskeyRow
from registries.factors.rules import (
    ISSUER,
    PASSKEYS_MAX,
    RECOVERY_BYTES,
    RECOVERY_CODES,
    SEED_BYTES,
    TEXTS,
    Refusal,
    is_one_time_code,
    key_uri,
    matching_step,
    recovery_hash,
    recovery_text,
    seed_text,
    typed,
)
from registries.users import service as users
from registries.users.rules import FactorAdded, FactorRemoved
from registries.users.service import Opened, ResetRow

__all__ = ["TOTP_SEED", "PasskeyRow", "ResetRow"]

ATTEMPTS_PER_ACCOUNT: Final = 10
"""Codes and passkeys that may be wrong, since the last right one."""
ATTEMPTS_PER_ADDRESS: Final = 1_000
WINDOW_S: Final = 300
CHALLENGE: Final = timedelta(minutes=5)
_VERIFIED: Final = UserVerificationRequirement.REQUIRED

log = structlog.get_logger()


class Purpose(StrEnum):
    """What a challenge was made for; it is good for nothing else."""

    REGISTER = "register"
    PROVE = "prove"
    LOGIN = "login"


class Site(NamedTuple):
    """The site as a browser sees it: the origin of its pages."""

    origin: str

    @property
    def host(self) -> str:
        return urlsplit(self.origin).hostname or ""


class Factors(NamedTuple):
    """What an account has beside its password."""

    totp: bool
    passkeys: tuple[PasskeyRow, ...]
    recovery_left: int
    reset: ResetRow | None


class NewSeed(NamedTuple):
    """A seed, for typing and as what a QR code holds; told once."""

    text: str
    uri: str


def _refused(refusal: Refusal) -> Refused:
    return Refused(*TEXTS[refusal], reason=refusal.value)


def _user_of(session: Session) -> UUID:
    assert session.actor.user_id is not None
    return session.actor.user_id


async def factors_of(kernel: Kernel, session: Session) -> Factors:
    """Tell what an account has beside its password."""
    pool, user_id = kernel.db.pool, _user_of(session)
    seed = await queries.seed_of(pool, user_id)
    return Factors(
        seed is not None and seed.confirmed,
        await queries.passkeys_of(pool, user_id),
        await queries.codes_left(pool, user_id),
        await users.reset_of(kernel, user_id),
    )


async def drop_reset(kernel: Kernel, user_id: UUID) -> None:
    """
    Delete the second factors of an account whose reset is in the journal.

    Asked again it deletes what is left of them, never what their owner has set up since.
    """
    await queries.drop_reset(kernel.db, user_id)


async def begin_totp(kernel: Kernel, session: Session) -> NewSeed:
    """Make a seed that counts once a code of it was shown; raises ``Refused`` when there is one already."""
    user_id, seed = _user_of(session), secrets.token_bytes(SEED_BYTES)
    sealed = kernel.vault.seal(TOTP_SEED.purpose_of(user_id), seed)
    if not await queries.put_seed(kernel.db.pool, user_id, sealed, kernel.clock.now()):
        raise _refused(Refusal.EXISTS)
    return NewSeed(seed_text(seed), key_uri(seed, session.actor.login))


async def confirm_totp(kernel: Kernel, session: Session, token: str, code: str, *, origin: str) -> Opened:
    """
    Take the first code of a new seed: the account has one-time codes from now on.

    Raises:
        TooMany: too often for this account.
        Refused: the code is wrong, or no seed waits for one.
    """
    seed = await queries.seed_of(kernel.db.pool, _user_of(session))
    if seed is None or seed.confirmed:
        raise _refused(Refusal.UNKNOWN if seed is None else Refusal.EXISTS)
    await _check_code(kernel, session, code)
    await users.note_factor(kernel, session.actor, FactorAdded(Method.TOTP, ""), origin=origin)
    return await users.prove(kernel, token, Method.TOTP)


async def remove_totp(kernel: Kernel, session: Session, *, origin: str) -> None:
    """Remove the one-time codes; raises ``Refused`` when there are none, or nothing else."""
    factors = await factors_of(kernel, session)
    if not factors.totp:
        raise _refused(Refusal.UNKNOWN)
    await _check_not_last(kernel, session, rest=len(factors.passkeys))
    await queries.drop_seed(kernel.db.pool, _user_of(session))
    await users.note_factor(kernel, session.actor, FactorRemoved(Method.TOTP, ""), origin=origin)


async def prove_code(kernel: Kernel, session: Session, token: str, code: str, *, origin: str) -> Opened:
    """
    Prove who holds a session with a one-time code or a recovery code, each good once.

    Raises:
        TooMany: too often for this account.
        Refused: the code is wrong or was used.
    """
    text = typed(code)
    if is_one_time_code(text):
        seed = await queries.seed_of(kernel.db.pool, _user_of(session))
        if seed is None or not seed.confirmed:
            raise _refused(Refusal.CODE_WRONG)
        await _check_code(kernel, session, text)
        return await users.prove(kernel, token, Method.TOTP)
    user_id = _user_of(session)
    await _count(kernel, user_id)
    if not await queries.use_code(kernel.db.pool, user_id, recovery_hash(user_id, text)):
        raise _refused(Refusal.CODE_WRONG)
    await _forget(kernel, user_id)
    await users.note_factor(kernel, session.actor, FactorRemoved(Method.RECOVERY, ""), origin=origin)
    return await users.prove(kernel, token, Method.RECOVERY)


async def make_recovery_codes(kernel: Kernel, session: Session, *, origin: str) -> tuple[str, ...]:
    """Make recovery codes in place of those before; told once. Raises ``Refused`` without another second factor."""
    user_id = _user_of(session)
    factors = await factors_of(kernel, session)
    if not factors.totp and not factors.passkeys:
        raise _refused(Refusal.UNKNOWN)
    codes = tuple(recovery_text(secrets.token_bytes(RECOVERY_BYTES)) for _ in range(RECOVERY_CODES))
    await queries.replace_codes(kernel.db, user_id, [recovery_hash(user_id, code) for code in codes])
    await users.note_factor(kernel, session.actor, FactorAdded(Method.RECOVERY, ""), origin=origin)
    return codes


async def begin_passkey(kernel: Kernel, session: Session, site: Site) -> dict[str, Any]:
    """Give what a browser needs to make a passkey; raises ``Refused`` for too many, and where there is no domain."""
    user_id = _user_of(session)
    known = await queries.credentials_of(kernel.db.pool, user_id)
    if len(known) >= PASSKEYS_MAX:
        raise _refused(Refusal.TOO_MANY)
    options = webauthn.generate_registration_options(
        rp_id=_domain(site),
        rp_name=ISSUER,
        user_name=session.actor.login,
        user_id=user_id.bytes,
        user_display_name=session.actor.name,
        challenge=await _challenge(kernel, Purpose.REGISTER, user_id),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=_VERIFIED
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=each.credential_id) for each in known],
    )
    return _as_json(options)


async def add_passkey(
    kernel: Kernel, session: Session, token: str, credential: Mapping[str, Any], name: str, *, site: Site, origin: str
) -> Opened:
    """
    Take in a passkey that a browser has made for the challenge it was given.

    Raises:
        Refused: it is not for this challenge, site or account; its holder was not verified; or it is known already.
    """
    user_id, at = _user_of(session), kernel.clock.now()
    challenge = await _answered(kernel, credential, Purpose.REGISTER, user_id)
    try:
        made = webauthn.verify_registration_response(
            credential=dict(credential),
            expected_challenge=challenge,
            expected_rp_id=_domain(site),
            expected_origin=site.origin,
            require_user_verification=True,
        )
    except _UNREADABLE as error:
        raise _wrong(error) from error
    passkey = Passkey(uuid7(at), user_id, made.credential_id, made.credential_public_key, made.sign_count, name.strip())
    if not await queries.add_passkey(kernel.db.pool, passkey, at):
        raise _refused(Refusal.PASSKEY_WRONG)
    await users.note_factor(kernel, session.actor, FactorAdded(Method.PASSKEY, passkey.name), origin=origin)
    return await users.prove(kernel, token, Method.PASSKEY)


async def remove_passkey(kernel: Kernel, session: Session, passkey_id: UUID, *, origin: str) -> None:
    """Remove one of the own passkeys; raises ``NotFound``, or ``Refused`` when it is the last second factor."""
    factors = await factors_of(kernel, session)
    if passkey_id not in {passkey.passkey_id for passkey in factors.passkeys}:
        raise NotFound("没有这个通行密钥。", "There is no such passkey, or it is not yours.")
    await _check_not_last(kernel, session, rest=len(factors.passkeys) - 1 + factors.totp)
    name = await queries.drop_passkey(kernel.db.pool, _user_of(session), passkey_id)
    await users.note_factor(kernel, session.actor, FactorRemoved(Method.PASSKEY, name or ""), origin=origin)


async def ask_passkey(kernel: Kernel, session: Session, site: Site) -> dict[str, Any]:
    """Give what a browser needs to show one of the account's passkeys; raises ``Refused`` when there is none."""
    user_id = _user_of(session)
    known = await queries.credentials_of(kernel.db.pool, user_id)
    if not known:
        raise _refused(Refusal.UNKNOWN)
    options = webauthn.generate_authentication_options(
        rp_id=_domain(site),
        challenge=await _challenge(kernel, Purpose.PROVE, user_id),
        allow_credentials=[PublicKeyCredentialDescriptor(id=each.credential_id) for each in known],
        user_verification=_VERIFIED,
    )
    return _as_json(options)


async def prove_passkey(
    kernel: Kernel, session: Session, token: str, credential: Mapping[str, Any], *, site: Site
) -> Opened:
    """
    Prove who holds a session with a passkey.

    Raises:
        TooMany: too often for this account.
        Refused: the passkey is not the account's, not for this challenge or site, or looks like a copy.
    """
    user_id = _user_of(session)
    await _count(kernel, user_id)
    challenge = await _answered(kernel, credential, Purpose.PROVE, user_id)
    await _check_assertion(kernel, credential, challenge, site, user_id=user_id)
    await _forget(kernel, user_id)
    return await users.prove(kernel, token, Method.PASSKEY)


async def ask_any_passkey(kernel: Kernel, site: Site, *, origin: str) -> dict[str, Any]:
    """Give what a browser needs to log somebody in with a passkey that names its account; raises ``TooMany``."""
    await kernel.limits.hit(f"login/address/{origin}", ATTEMPTS_PER_ADDRESS, WINDOW_S)
    await queries.sweep(kernel.db.pool, kernel.clock.now())
    options = webauthn.generate_authentication_options(
        rp_id=_domain(site),
        challenge=await _challenge(kernel, Purpose.LOGIN, None),
        user_verification=_VERIFIED,
    )
    return _as_json(options)


async def log_in(
    kernel: Kernel,
    credential: Mapping[str, Any],
    *,
    site: Site,
    origin: str,
    user_agent: str,
    replaces: str | None,
) -> Opened:
    """
    Log in with a passkey alone: something that one has, opened by something that one knows or is.

    Raises:
        TooMany: too often from this address.
        Unauthenticated: it is nobody's, not for this challenge or site, or its account is disabled.
    """
    await kernel.limits.hit(f"login/address/{origin}", ATTEMPTS_PER_ADDRESS, WINDOW_S)
    try:
        challenge = await _answered(kernel, credential, Purpose.LOGIN, None)
        passkey = await _check_assertion(kernel, credential, challenge, site)
    except Refused as error:
        raise Unauthenticated(*error.detail, reason=Refusal.PASSKEY_WRONG.value) from error
    actor = await users.load_actor(kernel.db, passkey.user_id)
    if actor is None:
        raise Unauthenticated(*TEXTS[Refusal.PASSKEY_WRONG], reason=Refusal.PASSKEY_WRONG.value)
    return await users.enter(kernel, actor, Method.PASSKEY, origin=origin, user_agent=user_agent, replaces=replaces)


_UNREADABLE: Final = (WebAuthnException, ValueError, KeyError, TypeError)
"""What the library raises for an answer that is wrong, or none at all."""


def _wrong(error: Exception) -> Refused:
    log.info("passkey.refused", why=type(error).__name__)
    return _refused(Refusal.PASSKEY_WRONG)


async def _check_assertion(
    kernel: Kernel, credential: Mapping[str, Any], challenge: bytes, site: Site, *, user_id: UUID | None = None
) -> Passkey:
    try:
        passkey = await queries.passkey_of(kernel.db.pool, base64url_to_bytes(credential["rawId"]))
        if passkey is None or user_id not in {None, passkey.user_id}:
            raise _refused(Refusal.PASSKEY_WRONG)
        shown = webauthn.verify_authentication_response(
            credential=dict(credential),
            expected_challenge=challenge,
            expected_rp_id=_domain(site),
            expected_origin=site.origin,
            credential_public_key=passkey.public_key,
            credential_current_sign_count=passkey.sign_count,
            require_user_verification=True,
        )
    except _UNREADABLE as error:
        raise _wrong(error) from error
    if not await queries.use_passkey(kernel.db.pool, passkey.id, shown.new_sign_count, kernel.clock.now()):
        log.warning("passkey.counter", passkey_id=passkey.id)  # two devices hold it, or two requests raced
        raise _refused(Refusal.PASSKEY_WRONG)
    return passkey


async def _check_code(kernel: Kernel, session: Session, code: str) -> None:
    user_id, at = _user_of(session), kernel.clock.now()
    await _count(kernel, user_id)
    seed = await queries.seed_of(kernel.db.pool, user_id)
    if seed is None:
        raise _refused(Refusal.CODE_WRONG)
    try:
        secret = kernel.vault.unseal(TOTP_SEED.purpose_of(user_id), seed.sealed)
    except NotVerifiedError as error:
        log.error("totp.seed_not_verified", user_id=user_id, why=str(error))  # noqa: TRY400 - whose hand it was, no trace tells
        raise _refused(Refusal.CODE_WRONG) from error
    step = matching_step(secret, typed(code), at=at, last_step=seed.last_step)
    if step is None or not await queries.use_step(kernel.db.pool, user_id, step, at):
        raise _refused(Refusal.CODE_WRONG)
    await _forget(kernel, user_id)


async def _check_not_last(kernel: Kernel, session: Session, *, rest: int) -> None:
    """Let the last second factor go only where a password is enough; its recovery codes go with it."""
    if rest:
        return
    if kernel.settings.proof_max is not Assurance.PASSWORD:
        raise _refused(Refusal.LAST)
    await queries.drop_codes(kernel.db.pool, _user_of(session))


async def _challenge(kernel: Kernel, purpose: Purpose, user_id: UUID | None) -> bytes:
    challenge = secrets.token_bytes(32)
    expires_at = kernel.clock.now() + CHALLENGE
    await queries.put_challenge(kernel.db.pool, _digest(challenge), purpose, user_id, expires_at)
    return challenge


async def _answered(kernel: Kernel, credential: Mapping[str, Any], purpose: Purpose, user_id: UUID | None) -> bytes:
    """Find the challenge that a browser has answered and use it up; raises ``Refused`` when it is none of ours."""
    try:
        said = base64url_to_bytes(credential["response"]["clientDataJSON"])
        challenge = parse_client_data_json(said).challenge
    except _UNREADABLE as error:
        raise _wrong(error) from error
    expires_at = await queries.take_challenge(kernel.db.pool, _digest(challenge), purpose, user_id)
    if expires_at is None or expires_at <= kernel.clock.now():
        raise _refused(Refusal.PASSKEY_WRONG)
    return challenge


def _digest(challenge: bytes) -> bytes:
    return hashlib.sha256(challenge).digest()


def _domain(site: Site) -> str:
    """Return what passkeys are bound to; raises ``Refused`` at an IP address, which cannot be (W3C WebAuthn 5.1.2)."""
    if not site.host or ":" in site.host or site.host.replace(".", "").isdigit():
        raise _refused(Refusal.NO_DOMAIN)
    return site.host


def _as_json(options: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(webauthn.helpers.options_to_json(options))
    return found


async def _count(kernel: Kernel, user_id: UUID) -> None:
    await kernel.limits.hit(f"factor/account/{user_id}", ATTEMPTS_PER_ACCOUNT, WINDOW_S)


async def _forget(kernel: Kernel, user_id: UUID) -> None:
    await kernel.limits.forget(f"factor/account/{user_id}")

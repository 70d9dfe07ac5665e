"""Login and step-up by certificate over HTTP."""

import secrets
from datetime import datetime
from typing import Annotated, Final
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
from msgspec import Meta

from crypto.certificates.certificate import CERTIFICATE_BYTES_MAX, CHAIN_LEN_MAX
from crypto.signatures import SIGNATURE_BYTES_MAX
from kernel.access.table import Action
from kernel.problems import Forbidden, Invalid, Refused, TooMany, Unauthenticated, Unavailable
from kernel.web.context import Context
from kernel.web.entry import SessionOut, entered, own
from kernel.web.routes import Answer, op
from registries.challenges import service
from registries.challenges.rules import ABOUT_LENGTH_MAX, LIFETIME, NONCE_BYTES, Purpose, moment

CHALLENGE_COOKIE: Final = "zhecai_challenge"
"""Names the browser that asked, before there is a session; a signature made in another one is of no use."""
_COOKIE_BYTES: Final = 32

Der = Annotated[bytes, Meta(min_length=1, max_length=CERTIFICATE_BYTES_MAX)]
"""Base64 on the wire."""


class ChallengeIn(msgspec.Struct, forbid_unknown_fields=True):
    """What the signature will be for; ``about`` names the thing that an act is about, such as a hash."""

    purpose: Purpose
    about: Annotated[str, Meta(max_length=ABOUT_LENGTH_MAX)] = ""


class ChallengeOut(msgspec.Struct, frozen=True):
    """The parts of what is to be signed; the address is not among them: the browser knows its own."""

    purpose: Purpose
    nonce: str
    binding: str
    issued_at: str
    about: str
    expires_at: datetime


class ProofIn(msgspec.Struct, forbid_unknown_fields=True):
    """A signed challenge. ``certificate`` and ``chain`` are DER, ``signature`` too for ECDSA and SM2; all base64."""

    nonce: Annotated[str, Meta(pattern=f"^[0-9a-f]{{{2 * NONCE_BYTES}}}$")]
    algorithm: Annotated[str, Meta(min_length=1, max_length=64)]
    signature: Annotated[bytes, Meta(min_length=1, max_length=SIGNATURE_BYTES_MAX)]
    certificate: Der
    chain: Annotated[tuple[Der, ...], Meta(max_length=CHAIN_LEN_MAX)] = ()


@op(
    "POST",
    "/api/session/challenge",
    action=Action.SESSION_OPEN,
    tag="registries",
    summary="Get a challenge to sign",
    status=201,
    problems=(TooMany,),
    keyless=True,
)
async def get_challenge(ctx: Context, body: ChallengeIn) -> ChallengeOut:
    secret, headers = ctx.token if ctx.session else None, None
    if secret is None:
        secret = secrets.token_urlsafe(_COOKIE_BYTES)
        headers = {"Set-Cookie": _cookie(ctx, secret, int(LIFETIME.total_seconds()))}
    made = await service.challenge(
        ctx.kernel,
        purpose=body.purpose,
        site=_site(ctx),
        binding=service.binding_of(secret),
        about=body.about,
        at=ctx.received_at,
        origin=ctx.origin,
    )
    out = ChallengeOut(
        made.purpose, made.nonce.hex(), made.binding.hex(), moment(made.issued_at), made.about, made.expires_at
    )
    return Answer(out, headers) if headers else out  # type: ignore[return-value]  # the frame unpacks it


class RegisteredOut(msgspec.Struct, frozen=True):
    certificate_id: UUID


class StepUpIn(msgspec.Struct, forbid_unknown_fields=True):
    """A challenge signed for an act: what for, and the proof."""

    purpose: Purpose
    proof: ProofIn


@op(
    "POST",
    "/api/session/certificate",
    action=Action.SESSION_OPEN,
    tag="registries",
    summary="Log in with a certificate",
    status=201,
    problems=(Unauthenticated, Forbidden, TooMany, Unavailable),
    keyless=True,
)
async def log_in(ctx: Context, body: ProofIn) -> SessionOut:
    """503 ``revocation-unreachable``: no answer that counts says whether the certificate is revoked; try later."""
    opened = await service.log_in(
        ctx.kernel,
        _proof(body),
        site=_site(ctx),
        binding=service.binding_of(_secret(ctx)),
        at=ctx.received_at,
        origin=ctx.origin,
        user_agent=ctx.request.headers.get("user-agent", ""),
        replaces=ctx.token,
    )
    return entered(ctx, *opened)


@op(
    "POST",
    "/api/sessions/current/certificate",
    action=Action.SESSION_STEP_UP,
    tag="registries",
    summary="Prove with a certificate who is logged in",
    status=201,
    problems=(Refused, TooMany, Unavailable),
    keyless=True,
)
async def step_up(ctx: Context, body: StepUpIn) -> SessionOut:
    """503 ``revocation-unreachable``: no answer that counts says whether the certificate is revoked; try later."""
    opened = await service.step_up(
        ctx.kernel,
        *own(ctx),
        _proof(body.proof),
        purpose=body.purpose,
        site=_site(ctx),
        at=ctx.received_at,
    )
    return entered(ctx, *opened)


@op(
    "POST",
    "/api/certificates/registrations",
    action=Action.CERTIFICATE_CHANGE,
    tag="registries",
    summary="Register an outside authority's certificate",
    status=201,
    problems=(Unauthenticated, Refused, Unavailable),
    keyless=True,
)
async def register(ctx: Context, body: ProofIn) -> RegisteredOut:
    """503 ``revocation-unreachable``: no answer that counts says whether the certificate is revoked; try later."""
    found = await service.register(
        ctx.kernel, ctx.by, _proof(body), site=_site(ctx), binding=service.binding_of(ctx.token or "")
    )
    return RegisteredOut(found.id)


def _proof(body: ProofIn) -> service.Proof:
    return service.Proof(
        nonce=bytes.fromhex(body.nonce),
        algorithm=body.algorithm,
        signature=body.signature,
        certificate=body.certificate,
        chain=body.chain,
    )


def _site(ctx: Context) -> str:
    """Say what a browser that shows our pages sees as their origin (RFC 6454)."""
    if ctx.kernel.settings.public_url:
        return ctx.kernel.settings.public_url
    parts = urlsplit(str(ctx.request.url))
    return f"{parts.scheme}://{ctx.request.headers.get('host', parts.netloc)}"


def _secret(ctx: Context) -> str:
    """Say to what the challenge was bound: the session if there is one, else the browser that asked."""
    secret = ctx.token if ctx.session else ctx.request.cookies.get(CHALLENGE_COOKIE)
    if not secret:
        raise Invalid(
            "请先获取验证码（浏览器须允许本站 Cookie）。",
            "Ask for a challenge first; cookies of this site are needed.",
            field="nonce",
        )
    return secret


def _cookie(ctx: Context, secret: str, max_age_s: int) -> str:
    secure = "; Secure" if ctx.request.url.scheme == "https" else ""
    path = "/api/session"
    return f"{CHALLENGE_COOKIE}={secret}; Path={path}; Max-Age={max_age_s}; HttpOnly; SameSite=Strict{secure}"


ROUTES = [get_challenge, log_in, step_up, register]

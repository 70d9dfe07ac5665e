"""Second factors over HTTP: the own ones, and proofs by them."""

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
from msgspec import Meta

from kernel.access.table import Action
from kernel.problems import Forbidden, NotFound, Refused, TooMany, Unauthenticated
from kernel.web.context import Context
from kernel.web.entry import SessionOut, entered, own
from kernel.web.routes import op
from registries.factors import service
from registries.factors.rules import NAME_LENGTH_MAX
from registries.factors.service import PasskeyRow, ResetRow, Site

_ANSWER_BYTES_MAX = 64 * 1024
"""An authenticator's answer; those without attestation have about one kilobyte."""


class FactorsOut(msgspec.Struct, frozen=True):
    """What the account has beside its password."""

    totp: bool
    passkeys: tuple[PasskeyRow, ...]
    recovery_left: int
    reset: ResetRow | None
    """When an administrator has reset them last."""


class SeedOut(msgspec.Struct, frozen=True):
    """A new seed, told once: to be typed, or shown as a QR code of ``uri``."""

    secret: str
    uri: str


class CodeIn(msgspec.Struct, forbid_unknown_fields=True):
    """A one-time code of six digits, or a recovery code."""

    code: Annotated[str, Meta(min_length=6, max_length=40)]


class RecoveryOut(msgspec.Struct, frozen=True):
    """New recovery codes, told once; those before are void."""

    codes: tuple[str, ...]


class OptionsOut(msgspec.Struct, frozen=True):
    """What ``PublicKeyCredential.parse…OptionsFromJSON`` takes (W3C WebAuthn Level 3)."""

    options: dict[str, Any]


_Base64Url = Annotated[str, Meta(max_length=16_000, pattern=r"^[A-Za-z0-9_-]{0,16000}$")]
_Word = Annotated[str, Meta(max_length=40)]


class NoExtensions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The results of extensions: we ask for none."""


class AuthenticatorResponse(msgspec.Struct, forbid_unknown_fields=True, rename="camel", omit_defaults=True):
    """What an authenticator says: when it makes a key, or when it signs with one."""

    client_data: Annotated[_Base64Url, Meta(min_length=1)] = msgspec.field(name="clientDataJSON")
    authenticator_data: _Base64Url | None = None
    attestation_object: _Base64Url | None = None
    signature: _Base64Url | None = None
    user_handle: _Base64Url | None = None
    transports: Annotated[tuple[_Word, ...], Meta(max_length=10)] = ()
    public_key: _Base64Url | None = None
    public_key_algorithm: Annotated[int, Meta(ge=-65_535, le=65_535)] | None = None


class Credential(msgspec.Struct, forbid_unknown_fields=True, rename="camel", omit_defaults=True):
    """What ``PublicKeyCredential.toJSON`` gives (W3C WebAuthn Level 3, section 5.1.8)."""

    id: Annotated[_Base64Url, Meta(min_length=1)]
    raw_id: Annotated[_Base64Url, Meta(min_length=1)]
    type: Literal["public-key"]
    response: AuthenticatorResponse
    authenticator_attachment: _Word | None = None
    client_extension_results: NoExtensions = NoExtensions()

    def as_json(self) -> dict[str, Any]:
        """Give it back as it came, for the library that checks it."""
        return {"clientExtensionResults": {}, **msgspec.to_builtins(self)}


class CredentialIn(msgspec.Struct, forbid_unknown_fields=True):
    """The answer of a passkey."""

    credential: Credential


class PasskeyIn(msgspec.Struct, forbid_unknown_fields=True):
    """A new passkey, and what its owner calls it."""

    credential: Credential
    name: Annotated[str, Meta(min_length=1, max_length=NAME_LENGTH_MAX, pattern=r"\S")]


def _site(ctx: Context) -> Site:
    """Tell the origin of our pages as a browser sees it (RFC 6454)."""
    if ctx.kernel.settings.public_url:
        return Site(ctx.kernel.settings.public_url)
    url = urlsplit(str(ctx.request.url))
    return Site(f"{url.scheme}://{url.netloc}")


async def _factors(ctx: Context) -> FactorsOut:
    return FactorsOut(*await service.factors_of(ctx.kernel, own(ctx)[0]))


@op("GET", "/api/account/factors", action=Action.FACTOR_READ, tag="registries", summary="The own second factors")
async def get_factors(ctx: Context) -> FactorsOut:
    return await _factors(ctx)


@op(
    "POST",
    "/api/account/totp",
    action=Action.FACTOR_CHANGE,
    tag="registries",
    summary="Begin to set up one-time codes",
    problems=(Refused,),
    keyless=True,
)
async def begin_totp(ctx: Context) -> SeedOut:
    return SeedOut(*await service.begin_totp(ctx.kernel, own(ctx)[0]))


@op(
    "POST",
    "/api/account/totp/confirm",
    action=Action.FACTOR_CHANGE,
    tag="registries",
    summary="Set up one-time codes by showing the first",
    problems=(Refused, TooMany, Unauthenticated),
    keyless=True,
)
async def confirm_totp(ctx: Context, body: CodeIn) -> SessionOut:
    return entered(ctx, *await service.confirm_totp(ctx.kernel, *own(ctx), body.code, origin=ctx.origin))


@op(
    "DELETE",
    "/api/account/totp",
    action=Action.FACTOR_CHANGE,
    tag="registries",
    summary="Remove the one-time codes",
    problems=(Refused,),
    keyless=True,
)
async def remove_totp(ctx: Context) -> FactorsOut:
    await service.remove_totp(ctx.kernel, own(ctx)[0], origin=ctx.origin)
    return await _factors(ctx)


@op(
    "POST",
    "/api/account/recovery-codes",
    action=Action.FACTOR_CHANGE,
    tag="registries",
    summary="Make new recovery codes",
    problems=(Refused,),
    keyless=True,
)
async def make_recovery_codes(ctx: Context) -> RecoveryOut:
    return RecoveryOut(await service.make_recovery_codes(ctx.kernel, own(ctx)[0], origin=ctx.origin))


@op(
    "POST",
    "/api/account/passkeys/options",
    action=Action.FACTOR_CHANGE,
    tag="registries",
    summary="Begin to add a passkey",
    problems=(Refused,),
    keyless=True,
)
async def begin_passkey(ctx: Context) -> OptionsOut:
    return OptionsOut(await service.begin_passkey(ctx.kernel, own(ctx)[0], _site(ctx)))


@op(
    "POST",
    "/api/account/passkeys",
    action=Action.FACTOR_CHANGE,
    tag="registries",
    summary="Add a passkey",
    problems=(Refused, Unauthenticated),
    keyless=True,
    body_bytes_max=_ANSWER_BYTES_MAX,
)
async def add_passkey(ctx: Context, body: PasskeyIn) -> SessionOut:
    opened = await service.add_passkey(
        ctx.kernel, *own(ctx), body.credential.as_json(), body.name, site=_site(ctx), origin=ctx.origin
    )
    return entered(ctx, *opened)


@op(
    "DELETE",
    "/api/account/passkeys/{passkey_id}",
    action=Action.FACTOR_CHANGE,
    tag="registries",
    summary="Remove a passkey",
    problems=(NotFound, Refused),
    keyless=True,
)
async def remove_passkey(ctx: Context, passkey_id: UUID) -> FactorsOut:
    await service.remove_passkey(ctx.kernel, own(ctx)[0], passkey_id, origin=ctx.origin)
    return await _factors(ctx)


@op(
    "POST",
    "/api/sessions/current/code",
    action=Action.SESSION_STEP_UP,
    tag="registries",
    summary="Show a one-time code or a recovery code; the session gets another token",
    problems=(Refused, TooMany),
    keyless=True,
)
async def prove_code(ctx: Context, body: CodeIn) -> SessionOut:
    return entered(ctx, *await service.prove_code(ctx.kernel, *own(ctx), body.code, origin=ctx.origin))


@op(
    "POST",
    "/api/sessions/current/passkey/options",
    action=Action.SESSION_STEP_UP,
    tag="registries",
    summary="Begin to show a passkey",
    problems=(Refused,),
    keyless=True,
)
async def ask_passkey(ctx: Context) -> OptionsOut:
    return OptionsOut(await service.ask_passkey(ctx.kernel, own(ctx)[0], _site(ctx)))


@op(
    "POST",
    "/api/sessions/current/passkey",
    action=Action.SESSION_STEP_UP,
    tag="registries",
    summary="Show a passkey; the session gets another token",
    problems=(Refused, TooMany),
    keyless=True,
    body_bytes_max=_ANSWER_BYTES_MAX,
)
async def prove_passkey(ctx: Context, body: CredentialIn) -> SessionOut:
    return entered(ctx, *await service.prove_passkey(ctx.kernel, *own(ctx), body.credential.as_json(), site=_site(ctx)))


@op(
    "POST",
    "/api/sessions/passkey/options",
    action=Action.SESSION_OPEN,
    tag="registries",
    summary="Begin to log in with a passkey",
    problems=(Refused, TooMany),
    keyless=True,
)
async def ask_any_passkey(ctx: Context) -> OptionsOut:
    return OptionsOut(await service.ask_any_passkey(ctx.kernel, _site(ctx), origin=ctx.origin))


@op(
    "POST",
    "/api/sessions/passkey",
    action=Action.SESSION_OPEN,
    tag="registries",
    summary="Log in with a passkey",
    status=201,
    problems=(Unauthenticated, Forbidden, Refused, TooMany),
    keyless=True,
    body_bytes_max=_ANSWER_BYTES_MAX,
)
async def log_in_with_passkey(ctx: Context, body: CredentialIn) -> SessionOut:
    opened = await service.log_in(
        ctx.kernel,
        body.credential.as_json(),
        site=_site(ctx),
        origin=ctx.origin,
        user_agent=ctx.request.headers.get("user-agent", ""),
        replaces=ctx.token,
    )
    return entered(ctx, *opened)


ROUTES = [
    get_factors,
    begin_totp,
    confirm_totp,
    remove_totp,
    make_recovery_codes,
    begin_passkey,
    add_passkey,
    remove_passkey,
    prove_code,
    ask_passkey,
    prove_passkey,
    ask_any_passkey,
    log_in_with_passkey,
]

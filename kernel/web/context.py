"""What an endpoint gets: who asks, from where, when, and the kernel to do it with."""

import hashlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
from starlette.requests import ClientDisconnect, HTTPConnection, Request

from kernel.access.actors import PUBLIC_ACTOR, Actor, Role
from kernel.access.assurance import Assurance, methods_for, strongest, weakest
from kernel.access.sessions import Session
from kernel.access.table import ACCESS, TABLE, Action, Nature
from kernel.commit.by import By
from kernel.commit.command import Key
from kernel.problems import Forbidden, Invalid, Scalar, StepUpNeeded, TooLarge, Unauthenticated
from kernel.settings import Settings

if TYPE_CHECKING:
    from kernel.runtime import Kernel

COOKIE: Final = "zhecai_session"
KEY_LEN_MAX: Final = 100
_WHILE_PENDING: Final = frozenset(
    {Action.SESSION_OPEN, Action.SESSION_READ, Action.SESSION_CLOSE, Action.SESSION_STEP_UP}
)
_UNSAFE: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Context(msgspec.Struct, frozen=True, eq=False):
    """
    One request.

    ``origin`` is the caller's network address. ``received_at`` is when the last byte of the request had been read,
    stamped once. ``key`` is the idempotency key of a write, ``token`` that of the session. ``session`` is the caller's,
    also where the actor is the public because the session is pending or the role has no right of its own.
    """

    kernel: "Kernel"
    actor: Actor
    session: Session | None
    origin: str
    received_at: datetime
    key: Key | None
    token: str | None
    request: Request

    @property
    def by(self) -> By:
        """Who asks, as services are told."""
        return By(self.actor, self.origin, self.received_at, self.key)

    def by_telling(self, told: object) -> By:
        """
        Say who asks for what is secret in part: the key remembers ``told``, what is not, in place of the body.

        What is kept under a key must not help anybody to guess a password or the number of an identity card.
        """
        if self.key is None:
            return self.by
        key = _key(self.request, self.key.owner, self.key.key, msgspec.json.encode(told))
        return msgspec.structs.replace(self.by, key=key)


def origin_of(connection: HTTPConnection) -> str:
    """Return the caller's network address as the server sees it (behind a trusted proxy: as the proxy says)."""
    client = connection.scope.get("client")
    return str(client[0]) if client else "local"


def _header(connection: HTTPConnection, name: bytes) -> str:
    """Read one header, empty where there is none; a mapping of them for each look is most of its cost."""
    return next((value.decode("latin-1") for key, value in connection.scope["headers"] if key == name), "")


def bearer_of(connection: HTTPConnection) -> str | None:
    """Return the token that a program sends itself; a browser never adds one by itself."""
    scheme, _, credentials = _header(connection, b"authorization").partition(" ")
    return credentials if scheme.lower() == "bearer" and credentials else None


class Caller(NamedTuple):
    """Who sent a request: as whom it is served, in which session, with which token."""

    actor: Actor
    session: Session | None
    token: str | None


async def authenticate(connection: HTTPConnection, kernel: "Kernel", action: Action) -> Caller:
    """
    Find out who asks and whether the role may do ``action``; one who may only as everybody may is the public.

    Raises:
        Unauthenticated: the action needs a login; or the session has ended.
        Forbidden: the role may not do it, or a browser was sent here by another site.
        StepUpNeeded: the session has not shown enough.
    """
    token = bearer_of(connection)
    if token is None:
        _check_same_site(connection, kernel.settings.public_url)
        token = connection.cookies.get(COOKIE)
    session = await kernel.sessions.find(token) if token else None
    permitted = ACCESS[action]
    if session is not None and not permitted.isdisjoint(session.actor.roles):
        lack = lacking(session, action, kernel.settings, kernel.clock.now())
        if lack is None:
            return Caller(session.actor, session, token)
        if Role.PUBLIC not in permitted:
            raise _step_up(session, lack)
    if Role.PUBLIC in permitted:
        return Caller(PUBLIC_ACTOR, session, token)
    if session is None:
        raise Unauthenticated("请先登录再进行此操作。", "Log in to do this.")
    raise Forbidden("您的角色不能进行此操作。", "Your role may not do this.", action=action.value)


def lacking(session: Session, action: Action, settings: Settings, at: datetime) -> Assurance | None:
    """
    Tell which level a session must show, now, before ``action``; ``None`` when it has shown enough.

    A pending session may do what leads out of its state: see itself, prove more, end. Who has no second factor yet may
    also set one up, and so may whose own were reset; who has one must show it first, or a stolen password would add the
    thief's own.
    """
    rule = TABLE[action]
    if session.pending:
        enrolling = rule.nature is Nature.ACCOUNT and session.enrolling
        return None if action in _WHILE_PENDING or enrolling else strongest(session.floor, Assurance.SECOND_FACTOR)
    needed = weakest(rule.level, settings.proof_max)
    if not session.level.reaches(needed):
        return needed
    age_max_s = settings.proof_age_max_s
    if rule.fresh and age_max_s is not None and at - session.proven_at > timedelta(seconds=age_max_s):
        return strongest(needed, session.level)
    return None


def _step_up(session: Session, needed: Assurance) -> StepUpNeeded:
    methods = () if session.enrolling else methods_for(needed, session.actor.methods)
    if methods:
        zh, en = "请再次验证身份后继续。", "Prove who you are, then go on."
    else:
        zh, en = "请先设置所需的验证方式，然后继续。", "Set up the means of proof that this needs, then go on."
    names: list[Scalar] = [method.value for method in methods]
    return StepUpNeeded(zh, en, level=needed.value, methods=names, enrol=not methods)


def _check_same_site(connection: HTTPConnection, public_url: str | None) -> None:
    """
    Refuse what another site makes a browser do (CSRF): the origin must be the host asked, or our public address.

    A write is refused with or without our cookie, for a login that another site performs is one too; a listener only
    with it, for what the public sees may be seen from anywhere.
    """
    if connection.scope["type"] == "websocket":
        harmless = COOKIE not in connection.cookies
    else:
        harmless = connection.scope["method"] not in _UNSAFE
    origin = connection.headers.get("origin")
    if harmless or origin is None or origin == public_url:
        return
    if origin.split("://", 1)[-1] != connection.headers.get("host"):
        raise Forbidden(
            "请求来自其他网站，已拒绝。", "The request comes from another site and was refused.", reason="cross-site"
        )


async def read_body(request: Request, bytes_max: int) -> bytes:
    """
    Read the whole body.

    Raises:
        TooLarge: it is longer than ``bytes_max``.
    """
    chunks: list[bytes] = []
    size, more = 0, True
    while more:  # not request.stream(): the event loop keeps account of each such generator
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk, more = message.get("body", b""), message.get("more_body", False)
        size += len(chunk)
        if size > bytes_max:
            raise TooLarge(
                f"提交内容超过 {bytes_max} 字节的上限。", f"The body is over the limit of {bytes_max} bytes."
            )
        chunks.append(chunk)
    return b"".join(chunks)


def key_of(request: Request, actor: Actor, body: bytes) -> Key:
    """
    Read the idempotency key of a write; its fingerprint covers method, path and body.

    Raises:
        Invalid: there is none, or it is too long.
    """
    key = _header(request, b"idempotency-key")
    if not 1 <= len(key) <= KEY_LEN_MAX:
        raise Invalid(
            f"写操作须带 Idempotency-Key 请求头（1 至 {KEY_LEN_MAX} 个字符），重试时使用同一个键。",
            f"A write needs an Idempotency-Key header of 1 to {KEY_LEN_MAX} characters; a retry uses the same one.",
            field="Idempotency-Key",
        )
    return _key(request, actor.journal, key, body)


def _key(request: Request, owner: str, key: str, told: bytes) -> Key:
    asked = f"{request.method} {request.scope['path']}\n".encode()
    return Key(owner, key, hashlib.sha256(asked + told).digest())

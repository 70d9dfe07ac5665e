"""
Users: who may log in, for which organisation and in which roles.

Password hashes are not part of this: a secret has no place in a journal that is kept for fifteen years
and shown to supervisors. See ``docs/adr/0020-passwords-outside-the-journal.md``.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from typing import Final, assert_never
from uuid import UUID

import msgspec

from kernel.access.actors import PURCHASERS, SUPPLIERS, Role
from kernel.access.assurance import Method
from registries.organisations.lifecycle import IN_REVIEW, REGISTERED, Kind, Organisation
from registries.organisations.lifecycle import Status as OrganisationStatus

PASSWORD_LENGTH_MIN: Final = 10
PASSWORD_LENGTH_MAX: Final = 128
PASSWORD_CHARACTERS_MIN: Final = 5
"""Different characters of a password."""
PASSWORD_REST_MIN: Final = 6
"""Characters beside a common word or the login."""
LOGIN_LENGTH_MIN: Final = 3
NAME_LENGTH_MAX: Final = 50

_TRIED_FIRST: Final = ("password", "123456", "qwerty", "abc123", "111111", "admin123", "zhecai123", "iloveyou")
_LOGIN: Final = re.compile(r"[a-z0-9][a-z0-9._@-]{2,63}")
ROLES_OF: Final[dict[Kind, tuple[Role, ...]]] = {
    Kind.PURCHASER: (*PURCHASERS, Role.ADMINISTRATOR),
    Kind.SUPPLIER: (*SUPPLIERS, Role.ADMINISTRATOR),
    Kind.AGENCY: (Role.AGENCY, Role.ADMINISTRATOR),
    Kind.EXPERTS: (Role.EXPERT, Role.ADMINISTRATOR),
    Kind.SUPERVISOR: (Role.SUPERVISOR, Role.ADMINISTRATOR),
    Kind.AUDITOR: (Role.AUDITOR, Role.ADMINISTRATOR),
    Kind.OPERATOR: (Role.OPERATOR, Role.ADMINISTRATOR),
}
"""What an account of each kind of organisation may act as: one role or several, in this order."""


ENROLLING: Final = frozenset({Method.TOTP, Method.PASSKEY})
"""Second factors that an account sets up; recovery codes come beside them."""


class Status(StrEnum):
    """Whether the user may log in."""

    ACTIVE = "active"
    DISABLED = "disabled"


class Refusal(StrEnum):
    """Why a step is refused, in order of precedence."""

    EXISTS = "user-exists"
    UNKNOWN = "user-unknown"
    LOGIN_WRONG = "login-wrong"
    NAME_WRONG = "name-wrong"
    PASSWORD_WRONG = "password-length"  # noqa: S105  a reason, not a password
    PASSWORD_WEAK = "password-weak"  # noqa: S105  a reason, not a password
    ORGANISATION_UNKNOWN = "organisation-unknown"
    ROLES_WRONG = "roles-wrong"
    NOT_ONES_OWN = "not-ones-own"
    OWN_FACTORS = "own-factors"
    SAME_HAND = "same-hand"
    LAST_ADMINISTRATOR = "last-administrator"
    LAST_APPROVER = "last-approver"
    NOTHING_CHANGES = "nothing-changes"


TEXTS: Final[dict[Refusal, tuple[str, str]]] = {
    Refusal.EXISTS: ("用户已存在", "The user exists already"),
    Refusal.UNKNOWN: ("用户不存在", "There is no such user"),
    Refusal.LOGIN_WRONG: (
        "登录名须为3至64位小写字母、数字或 . _ @ -",
        "A login has 3 to 64 lower-case letters, digits or . _ @ -",
    ),
    Refusal.NAME_WRONG: (f"姓名须为1至{NAME_LENGTH_MAX}字", f"A name has 1 to {NAME_LENGTH_MAX} characters"),
    Refusal.PASSWORD_WRONG: (
        f"密码须为{PASSWORD_LENGTH_MIN}至{PASSWORD_LENGTH_MAX}个字符",
        f"A password has {PASSWORD_LENGTH_MIN} to {PASSWORD_LENGTH_MAX} characters",
    ),
    Refusal.PASSWORD_WEAK: (
        "密码过于简单：请勿使用连续或重复的字符、常见口令或登录名",
        "The password is too easy to guess: no runs, no repetition, no common words, not the login",
    ),
    Refusal.ORGANISATION_UNKNOWN: ("单位不存在", "There is no such organisation"),
    Refusal.ROLES_WRONG: (
        "角色与单位类型不符：采购、供应、评审、监管、运营须分离",
        "The roles do not fit the organisation: buying, selling, judging, overseeing and operating stay apart",
    ),
    Refusal.NOT_ONES_OWN: (
        "不能停用自己的账号或改变自己的角色，请由本单位另一位管理员操作",
        "Nobody disables the own account or changes the own roles; another administrator does",
    ),
    Refusal.OWN_FACTORS: (
        "不能重置自己的第二因素，请由本单位另一位管理员操作",
        "Nobody resets the own second factors; another administrator does",
    ),
    Refusal.SAME_HAND: (
        "同一位管理员不能既设置密码又重置第二因素，请由本单位另一位管理员操作",
        "One administrator does not both give a password and reset the factors; another administrator does",
    ),
    Refusal.LAST_ADMINISTRATOR: (
        "本单位须至少保留一位可用的管理员",
        "An organisation keeps at least one administrator who can log in",
    ),
    Refusal.LAST_APPROVER: (
        "本单位启用了审批（或已设定生效日期），须保留一位可用的审批人：请先为其他同事设置“采购审批”角色，或先停用审批",
        "Approval is on, or set for later, and nobody else could approve: name another approver or switch it off first",
    ),
    Refusal.NOTHING_CHANGES: ("没有变化", "Nothing would change"),
}


class Reset(msgspec.Struct, frozen=True):
    """That an administrator took an account's second factors away; ``enrolled`` once its owner has set one up again."""

    at: datetime
    by: UUID
    reason: str
    enrolled: bool = False


class User(msgspec.Struct, frozen=True):
    """
    A user as they stand.

    ``password_given_by`` is who chose the password, where that is not its owner.
    """

    id: UUID
    login: str
    name: str
    organisation_id: UUID
    roles: tuple[Role, ...]
    status: Status
    created_at: datetime
    password_given_by: UUID | None = None
    reset: Reset | None = None

    @property
    def reset_by(self) -> UUID | None:
        """Who has reset the second factors, until there is one again."""
        return self.reset.by if self.reset and not self.reset.enrolled else None


class Registered(msgspec.Struct, frozen=True, tag_field="kind", tag="user.registered"):
    """The account was opened."""

    id: UUID
    login: str
    name: str
    organisation_id: UUID
    roles: tuple[Role, ...]
    password_given_by: UUID | None = None


class PasswordSet(msgspec.Struct, frozen=True, tag_field="kind", tag="user.password_set"):
    """The password was changed, ``given_by`` somebody else; which one it is, is nobody's business."""

    given_by: UUID | None = None


class Disabled(msgspec.Struct, frozen=True, tag_field="kind", tag="user.disabled"):
    """The account may not log in."""

    reason: str


class Enabled(msgspec.Struct, frozen=True, tag_field="kind", tag="user.enabled"):
    """The account may log in again."""

    reason: str


class FactorAdded(msgspec.Struct, frozen=True, tag_field="kind", tag="user.factor_added"):
    """The account can be proven in another way; ``name`` is what its owner calls it."""

    method: Method
    name: str


class FactorRemoved(msgspec.Struct, frozen=True, tag_field="kind", tag="user.factor_removed"):
    """The account can no longer be proven so; a recovery code that was used is removed too."""

    method: Method
    name: str


class FactorsReset(msgspec.Struct, frozen=True, tag_field="kind", tag="user.factors_reset"):
    """The account's second factors are void; its owner sets one up before anything else."""

    by: UUID
    reason: str


class RolesChanged(msgspec.Struct, frozen=True, tag_field="kind", tag="user.roles_changed"):
    """The account acts as something else from now on."""

    roles: tuple[Role, ...]


Event = Registered | PasswordSet | Disabled | Enabled | FactorAdded | FactorRemoved | FactorsReset | RolesChanged


def normal_login(text: str) -> str:
    """Write a login as it is stored: no spaces around it, small letters."""
    return text.strip().lower()


def password_fits(password: str) -> bool:
    """Tell whether a new password has a length that we accept; longer is better than stranger."""
    return PASSWORD_LENGTH_MIN <= len(password) <= PASSWORD_LENGTH_MAX


def decide_register(
    user: User | None, registered: Registered, organisation: Organisation | None
) -> Registered | Refusal:
    """
    Decide a new account: it has one or several of the roles of its kind of organisation.

    Buying, selling, judging, overseeing and operating stay with different organisations.

    Source: 政府采购法 第十四条, 第六十条 (separation of duties).
    """
    if user is not None:
        return Refusal.EXISTS
    if not _LOGIN.fullmatch(registered.login):
        return Refusal.LOGIN_WRONG
    if not 0 < len(registered.name.strip()) <= NAME_LENGTH_MAX:
        return Refusal.NAME_WRONG
    if organisation is None:
        return Refusal.ORGANISATION_UNKNOWN
    if not _roles_fit(organisation.kind, registered.roles):
        return Refusal.ROLES_WRONG
    return registered


def _roles_fit(kind: Kind, roles: tuple[Role, ...]) -> bool:
    return bool(roles) and roles == tuple(role for role in ROLES_OF[kind] if role in roles)


def roles_of_administrator(kind: Kind) -> tuple[Role, ...]:
    """List what the first account of an organisation acts as: as all that its organisation may, it is alone there."""
    return ROLES_OF.get(kind, (Role.ADMINISTRATOR,))


def roles_now(roles: tuple[Role, ...], status: OrganisationStatus) -> tuple[Role, ...]:
    """
    Tell as what somebody may act while the organisation is where it is.

    An applicant's administrator may follow the application and nothing else; who is out of the register is nobody.
    """
    if status in REGISTERED:
        return roles
    return tuple(role for role in roles if role is Role.ADMINISTRATOR) if status in IN_REVIEW else ()


def faults_of_account(login: str, name: str, password: str) -> dict[str, Refusal]:
    """Find what is wrong with a new account, by the name of the field."""
    found: dict[str, Refusal] = {}
    if not _LOGIN.fullmatch(login):
        found["login"] = Refusal.LOGIN_WRONG
    if not 0 < len(name.strip()) <= NAME_LENGTH_MAX:
        found["person"] = Refusal.NAME_WRONG
    if not password_fits(password):
        found["password"] = Refusal.PASSWORD_WRONG
    elif password_is_weak(password, login):
        found["password"] = Refusal.PASSWORD_WEAK
    return found


def password_is_weak(password: str, login: str) -> bool:
    """
    Tell whether a password is one of the first that anybody would try.

    That is one character over and over, a run, or little more than a common word or the login. Longer beats stranger,
    so nothing else is asked; a list of leaked passwords is not shipped.
    """
    lowered = password.lower()
    steps = {ord(other) - ord(one) for one, other in pairwise(lowered)}
    few = len(set(lowered)) < PASSWORD_CHARACTERS_MIN or (len(steps) == 1 and steps <= {-1, 0, 1})
    words = (*_TRIED_FIRST, *([login] if len(login) >= LOGIN_LENGTH_MIN else []))
    return few or any(word in lowered and len(lowered) - len(word) < PASSWORD_REST_MIN for word in words)


def decide_set_password(user: User | None, password: str, by: UUID | None = None) -> PasswordSet | Refusal:
    """
    Decide a new password, chosen by an administrator or, without ``by``, by its owner.

    Who has reset the factors does not give the password too while no new one is set up: see :func:`decide_reset`.
    """
    if user is None:
        return Refusal.UNKNOWN
    given_by = None if by == user.id else by
    if given_by is not None and user.reset_by == given_by:
        return Refusal.SAME_HAND
    return PasswordSet(given_by) if password_fits(password) else Refusal.PASSWORD_WRONG


def decide_reset(user: User | None, *, by: UUID, reason: str) -> FactorsReset | Refusal:
    """
    Decide that an account's second factors are void (重置第二因素).

    Two hands do it: an administrator takes the factors away, and only who has the password sets up others. So nobody
    resets the own ones, nor those of somebody whose password is the one that they gave.

    Source: ADR-0060.
    """
    assert reason
    if user is None:
        return Refusal.UNKNOWN
    if user.id == by:
        return Refusal.OWN_FACTORS
    return Refusal.SAME_HAND if user.password_given_by == by else FactorsReset(by, reason)


def decide_factor(user: User | None, event: FactorAdded | FactorRemoved) -> FactorAdded | FactorRemoved | Refusal:
    """Decide that an account has another means of proof, or one less."""
    return Refusal.UNKNOWN if user is None else event


def decide_disable(user: User | None, *, reason: str) -> Disabled | Refusal:
    """Decide that an account may not log in."""
    assert reason
    if user is None:
        return Refusal.UNKNOWN
    return Refusal.NOTHING_CHANGES if user.status is Status.DISABLED else Disabled(reason)


def decide_enable(user: User | None, *, reason: str) -> Enabled | Refusal:
    """Decide that an account may log in again."""
    assert reason
    if user is None:
        return Refusal.UNKNOWN
    return Refusal.NOTHING_CHANGES if user.status is Status.ACTIVE else Enabled(reason)


def decide_roles(user: User | None, kind: Kind, roles: tuple[Role, ...]) -> RolesChanged | Refusal:
    """Decide as what an account acts from now on."""
    if user is None:
        return Refusal.UNKNOWN
    if not _roles_fit(kind, roles):
        return Refusal.ROLES_WRONG
    return Refusal.NOTHING_CHANGES if roles == user.roles else RolesChanged(roles)


def keeps_an_administrator(users: Iterable[User | None], changed: User) -> bool:
    """Tell whether an organisation whose ``users`` are these still has an administrator with ``changed`` among them."""
    after = [changed if user and user.id == changed.id else user for user in users]
    return any(user and user.status is Status.ACTIVE and Role.ADMINISTRATOR in user.roles for user in after)


def _enrolled(user: User) -> User:
    return msgspec.structs.replace(user, reset=user.reset and msgspec.structs.replace(user.reset, enrolled=True))


def evolve(user: User | None, event: Event, at: datetime) -> User:
    """Apply what was decided."""
    if isinstance(event, Registered):
        return User(**msgspec.structs.asdict(event), status=Status.ACTIVE, created_at=at)
    assert user is not None
    match event:
        case PasswordSet():
            return msgspec.structs.replace(user, password_given_by=event.given_by)
        case FactorAdded() | FactorRemoved():
            return _enrolled(user) if isinstance(event, FactorAdded) and event.method in ENROLLING else user
        case FactorsReset():
            return msgspec.structs.replace(user, reset=Reset(at, event.by, event.reason))
        case Disabled() | Enabled():
            status = Status.ACTIVE if isinstance(event, Enabled) else Status.DISABLED
            return msgspec.structs.replace(user, status=status)
        case RolesChanged():
            return msgspec.structs.replace(user, roles=event.roles)
        case _:
            assert_never(event)

"""Valid organisations, users and regions; a test names only what it is about."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from stdnum.cn import uscc

from kernel.access.actors import Actor, Role, system_actor
from kernel.runtime import Kernel
from registries.organisations import service as organisations
from registries.organisations.lifecycle import Declared, Details, Kind, Organisation, Profile, Size, Status
from registries.organisations.rules import DECLARED_BY, _organisation_check
from registries.users import service as users

AT = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
PASSWORD = "correct horse battery"
OPERATOR = system_actor("test")


def a_credit_code(number: int = 1) -> str:
    """The ``number``-th valid code of our own: both check characters are right."""
    body = f"{number:08d}"
    first = f"91330100{body}{_organisation_check(body)}"
    return first + uscc.calc_check_digit(first)


def an_organisation(**changes: Any) -> Organisation:
    organisation = Organisation(
        id=UUID(int=1),
        kind=Kind.SUPPLIER,
        name="杭州测试科技有限公司",
        credit_code=a_credit_code(),
        region="330102",
        status=Status.ACTIVE,
        registered_at=AT,
    )
    return msgspec.structs.replace(organisation, **changes)


def a_profile(**changes: Any) -> Profile:
    """What a supplier says of itself; ``changes`` are of the profile or of its details."""
    details = Details(
        legal_representative="王强",
        address="杭州市上城区解放路1号",
        contact="李敏",
        phone="13800138000",
        email="limin@example.cn",
        bank_name="工商银行杭州分行",
        bank_account="1202020219900012345",
        size=Size.SMALL,
        declared=tuple(one for one in Declared if one in DECLARED_BY[Kind.SUPPLIER]),
    )
    own = {name: changes.pop(name) for name in ("name", "region") if name in changes}
    profile = Profile(an_organisation().name, an_organisation().region, msgspec.structs.replace(details, **changes))
    return msgspec.structs.replace(profile, **own)


def an_applicant(**changes: Any) -> Organisation:
    """A supplier that has applied and waits; ``changes`` are of the organisation."""
    profile = a_profile()
    found = an_organisation(
        status=Status.APPLIED,
        registered_at=None,
        number="ZC20261123-AAAAA-BBBBB",
        applied_at=AT,
        details=profile.details,
    )
    return msgspec.structs.replace(found, **changes)


async def register(kernel: Kernel, number: int, kind: Kind = Kind.SUPPLIER, region: str = "330102") -> UUID:
    """Enter an organisation in the register of a kernel."""
    return await organisations.register_organisation(
        kernel, OPERATOR, kind=kind, name=f"测试单位{number}", credit_code=a_credit_code(number), region=region
    )


async def a_user(
    kernel: Kernel, login: str, organisation_id: UUID, role: Role = Role.SUPPLIER, name: str = "测试员"
) -> Actor:
    """Open an account with ``PASSWORD`` and return its actor."""
    id_ = await users.create_user(
        kernel,
        OPERATOR,
        login=login,
        name=name,
        password=PASSWORD,
        organisation_id=organisation_id,
        roles=(role,),
    )
    actor = await users.load_actor(kernel.db, id_)
    assert actor is not None
    return actor

"""
Who is not a trader of the sample province: an application that waits for its review, and a supplier that is suspended.

Both come the way that they come at a real site; names are invented, credit codes well-formed but nobody's.
"""

from datetime import timedelta
from typing import Final
from uuid import UUID

from kernel.access.actors import PUBLIC_ACTOR, Actor, Role
from kernel.commit.by import By
from kernel.runtime import Kernel
from market.standing import service as standing
from registries.organisations.lifecycle import Declared, Details, Kind, Profile, Size
from registries.organisations.rules import DECLARED_BY, today
from registries.registrations import service as registrations
from registries.registrations.service import Administrator, Form, Verdict

_SUSPENDED_FOR: Final = timedelta(days=180)
APPLICANT: Final = "newcomer"
SUSPENDED: Final = "suspended"
"""The logins of the two."""


def _form(name: str, credit_code: str, region: str, contact: str) -> Form:
    details = Details(
        legal_representative="方建国",
        address="示例路 18 号",
        contact=contact,
        phone="13800138000",
        email="contact@example.cn",
        bank_name="示例银行杭州分行",
        bank_account="6200000000000000001",
        size=Size.SMALL,
        declared=tuple(one for one in Declared if one in DECLARED_BY[Kind.SUPPLIER]),
    )
    return Form(Kind.SUPPLIER, credit_code, Profile(name, region, details))


async def set_up_newcomers(kernel: Kernel, *, supervisor_id: UUID, region: str, password: str) -> None:
    """Let one supplier apply and wait, and another be approved and suspended by the supervisor's organisation."""
    at = kernel.clock.now()
    nobody = By(PUBLIC_ACTOR, "local", at)
    waiting = _form("杭州新启示例信息技术有限公司", "91330104MA990108XE", "330105", "方经理")
    await registrations.apply(kernel, nobody, waiting, Administrator(APPLICANT, "方经理", password))
    barred = _form("台州旧规示例商贸有限公司", "91331002MA99010711", "331002", "许经理")
    made = await registrations.apply(kernel, nobody, barred, Administrator(SUSPENDED, "许经理", password))
    supervisor = Actor(None, "system/demo", "demo", supervisor_id, "", region, (Role.SUPERVISOR,))
    await registrations.review(
        kernel,
        By(supervisor, "local", at),
        made.organisation_id,
        Verdict.APPROVE,
        faults={},
        note="材料齐全",
        revision=1,
    )
    await standing.suspend(
        kernel,
        By(supervisor, "local", at),
        made.organisation_id,
        reason="提供虚假材料谋取成交（示例）",
        until=today(at) + _SUSPENDED_FOR,
    )

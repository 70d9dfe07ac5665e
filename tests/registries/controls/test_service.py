"""The approval limit in a real database: set by the administrator, dated, with its history."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from uuid import UUID

import pytest

from kernel.access.actors import Actor, Role
from kernel.commit.by import By
from kernel.problems import NotFound, Refused
from kernel.runtime import Kernel
from market.approvals import service as approvals
from registries.controls import service as controls
from registries.controls.rules import Refusal
from registries.members import service as members
from registries.organisations.rules import Kind, today
from tests.builders.market_approvals import Desk, a_desk, by, set_limit
from tests.builders.registries import OPERATOR, a_user, register
from tests.conftest import KernelMaker

LIMIT = 5000_00


@pytest.fixture
async def desk(kernel: Kernel) -> Desk:
    return await a_desk(kernel, approval_from_fen=None)


async def refusal(kernel: Kernel, asked: By, approval_from_fen: int | None, days: int = 0) -> str:
    day = today(asked.at) + timedelta(days=days)
    with pytest.raises(Refused) as refused:
        await approvals.set_control(kernel, asked, approval_from_fen=approval_from_fen, effective_from=day, note="")
    return str(refused.value.members["reason"])


async def test_what_was_set_holds_and_its_history_says_who_set_it_when(kernel: Kernel, desk: Desk) -> None:
    asked = by(kernel, desk.administrator)
    later = today(asked.at) + timedelta(days=30)
    await set_limit(kernel, desk, LIMIT)
    await approvals.set_control(kernel, asked, approval_from_fen=None, effective_from=later, note="试行结束")

    found = await approvals.control_of(kernel, desk.handler, at=asked.at)

    assert (found.approval_from_fen, found.version) == (LIMIT, 2)
    assert [(one.effective_from, one.approval_from_fen) for one in found.ahead] == [(later, None)]
    assert [(one.version, one.approval_from_fen, one.note) for one in found.history] == [
        (2, None, "试行结束"),
        (1, LIMIT, "内控制度"),
    ]
    assert {one.name for one in found.history} == {desk.administrator.name}
    assert {one.user_id for one in found.approvers} == {desk.approver.user_id, desk.second.user_id}


async def test_without_an_approver_who_can_log_in_nothing_is_set(kernel: Kernel, desk: Desk) -> None:
    for approver in (desk.approver, desk.second):
        assert approver.user_id
        await members.disable(kernel, By(desk.administrator, "192.0.2.1", kernel.clock.now()), approver.user_id, "离职")

    assert await refusal(kernel, by(kernel, desk.administrator), LIMIT) == Refusal.NO_APPROVER


def close(kernel: Kernel, desk: Desk, approver: Actor) -> Awaitable[UUID]:
    assert approver.user_id
    asked = By(desk.administrator, "192.0.2.1", kernel.clock.now())
    return members.disable(kernel, asked, approver.user_id, "离职")


def reason_of(answer: object) -> str:
    assert isinstance(answer, Refused), answer
    return str(answer.members["reason"])


async def kept(kernel: Kernel, desk: Desk) -> int:
    found = await approvals.control_of(kernel, desk.handler, at=kernel.clock.now())
    return len(found.approvers)


async def test_the_last_approver_goes_once_another_is_named_or_approval_is_off(kernel: Kernel, desk: Desk) -> None:
    await set_limit(kernel, desk, LIMIT)
    await close(kernel, desk, desk.second)
    with pytest.raises(Refused) as closed:
        await close(kernel, desk, desk.approver)
    assert desk.approver.user_id
    asked = By(desk.administrator, "192.0.2.1", kernel.clock.now())
    with pytest.raises(Refused) as changed:
        await members.set_roles(kernel, asked, desk.approver.user_id, (Role.PURCHASER,))
    assert (reason_of(closed.value), reason_of(changed.value)) == ("last-approver", "last-approver")

    assert desk.handler.user_id
    await members.set_roles(kernel, asked, desk.handler.user_id, (Role.PURCHASER, Role.APPROVER))
    await close(kernel, desk, desk.approver)
    with pytest.raises(Refused):
        await members.set_roles(kernel, asked, desk.handler.user_id, (Role.PURCHASER,))
    await set_limit(kernel, desk, None)
    await members.set_roles(kernel, asked, desk.handler.user_id, (Role.PURCHASER,))
    assert await kept(kernel, desk) == 0


async def test_the_last_approver_stays_for_a_limit_that_is_set_for_later(kernel: Kernel, desk: Desk) -> None:
    asked = by(kernel, desk.administrator)
    later = today(asked.at) + timedelta(days=30)
    await approvals.set_control(kernel, asked, approval_from_fen=LIMIT, effective_from=later, note="")
    await close(kernel, desk, desk.second)

    with pytest.raises(Refused) as refused:
        await close(kernel, desk, desk.approver)
    await approvals.set_control(kernel, asked, approval_from_fen=None, effective_from=later, note="")
    await close(kernel, desk, desk.approver)

    assert reason_of(refused.value) == "last-approver"


async def test_of_two_approvers_who_are_closed_at_once_one_stays(
    kernel: Kernel, desk: Desk, make_kernel: KernelMaker
) -> None:
    await set_limit(kernel, desk, LIMIT)
    other = await make_kernel()

    tries = await asyncio.gather(
        close(kernel, desk, desk.approver), close(other, desk, desk.second), return_exceptions=True
    )

    (refused,) = [one for one in tries if isinstance(one, BaseException)]
    assert reason_of(refused) == "last-approver"
    assert await kept(kernel, desk) == 1


async def test_a_limit_and_the_closing_of_the_last_approver_at_once_never_both_happen(
    kernel: Kernel, desk: Desk, make_kernel: KernelMaker
) -> None:
    await close(kernel, desk, desk.second)
    other = await make_kernel()

    tries = await asyncio.gather(
        set_limit(kernel, desk, LIMIT), close(other, desk, desk.approver), return_exceptions=True
    )

    (refused,) = [one for one in tries if isinstance(one, BaseException)]
    found = await approvals.control_of(kernel, desk.handler, at=kernel.clock.now())
    assert reason_of(refused) == ("last-approver" if found.approval_from_fen else Refusal.NO_APPROVER)
    assert bool(found.approvers) is (found.approval_from_fen is not None)


async def test_above_the_limits_of_direct_orders_nothing_is_set(kernel: Kernel, desk: Desk) -> None:
    asked = by(kernel, desk.administrator)
    most = approvals.most_of(kernel, desk.administrator, asked.at)
    assert most

    assert await refusal(kernel, asked, most + 1) == Refusal.ABOVE_LIMITS
    await set_limit(kernel, desk, most)


async def test_a_day_that_has_passed_is_refused(kernel: Kernel, desk: Desk) -> None:
    assert await refusal(kernel, by(kernel, desk.administrator), LIMIT, days=-1) == Refusal.DAY_PAST


async def test_a_supplier_has_no_such_limit(kernel: Kernel) -> None:
    organisation_id = await register(kernel, 901, Kind.SUPPLIER)
    administrator = await a_user(kernel, "seller-admin", organisation_id, Role.ADMINISTRATOR)

    assert await refusal(kernel, by(kernel, administrator), LIMIT) == Refusal.NOT_PURCHASER
    assert (await approvals.control_of(kernel, administrator, at=kernel.clock.now())).history == ()


async def test_an_account_without_an_organisation_has_none_to_read(kernel: Kernel) -> None:
    with pytest.raises(NotFound):
        await controls.read_control(kernel, OPERATOR, at=kernel.clock.now())


async def test_a_retry_with_the_same_key_is_answered_as_the_first_time(kernel: Kernel, desk: Desk) -> None:
    asked = by(kernel, desk.administrator, "k1")
    day = today(asked.at)
    first = await approvals.set_control(kernel, asked, approval_from_fen=LIMIT, effective_from=day, note="")

    again = await approvals.set_control(kernel, asked, approval_from_fen=LIMIT, effective_from=day, note="")

    assert again == first
    assert (await approvals.control_of(kernel, desk.handler, at=asked.at)).version == 1

"""The ledger: every refusal, both sides of each edge, and what holds whatever happens."""

from datetime import UTC, datetime, timedelta
from typing import assert_never
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from budget.lines.rules import (
    RESERVATIONS_MAX,
    TEXTS,
    Account,
    Adjusted,
    Appropriated,
    Consumed,
    Event,
    Line,
    Refusal,
    Released,
    Reserved,
    decide_adjust,
    decide_consume,
    decide_release,
    evolve,
    fiscal_year,
    posting_of,
    refusal_to_reserve,
)
from kernel.frozenmap import FrozenMap
from tests.builders.budget import MORNING, ORDER, OTHER_ORDER, OTHER_SCHOOL, SCHOOL, a_line, an_appropriation

MICROSECOND = timedelta(microseconds=1)
NEW_YEAR_IN_BEIJING = datetime(2026, 12, 31, 16, tzinfo=UTC)


def reserve(line: Line, amount_fen: int, *, organisation_id: UUID = SCHOOL, at: datetime = MORNING) -> Refusal | None:
    """Ask as an order does: ``None`` where nothing speaks against it."""
    return refusal_to_reserve(line, organisation_id=organisation_id, amount_fen=amount_fen, at=at)


def test_all_that_is_appropriated_is_available() -> None:
    line = evolve(None, an_appropriation(amount_fen=500), MORNING)

    assert (line.appropriated_fen, line.available_fen, line.reserved_fen, line.consumed_fen) == (500, 500, 0, 0)


def test_the_last_fen_can_be_reserved() -> None:
    assert reserve(a_line(appropriated_fen=100, available_fen=100), 100) is None


def test_one_fen_more_than_there_is_cannot_be_reserved() -> None:
    assert reserve(a_line(appropriated_fen=100, available_fen=100), 101) is Refusal.INSUFFICIENT


def test_another_organisation_cannot_reserve_even_from_another_year() -> None:
    assert reserve(a_line(year=2025), 1, organisation_id=OTHER_SCHOOL) is Refusal.NOT_YOURS


@pytest.mark.parametrize(
    ("_case", "at", "year", "outcome"),
    [
        ("last moment of the year", NEW_YEAR_IN_BEIJING - MICROSECOND, 2026, None),
        ("first moment of the next", NEW_YEAR_IN_BEIJING, 2026, Refusal.WRONG_YEAR),
        ("next year's line a moment early", NEW_YEAR_IN_BEIJING - MICROSECOND, 2027, Refusal.WRONG_YEAR),
        ("next year's line on time", NEW_YEAR_IN_BEIJING, 2027, None),
    ],
)
def test_a_line_serves_its_own_fiscal_year_in_beijing(
    _case: str, at: datetime, year: int, outcome: Refusal | None
) -> None:
    assert reserve(a_line(year=year), 1, at=at) == outcome


def test_the_fiscal_year_is_the_calendar_year_in_beijing() -> None:
    assert fiscal_year(NEW_YEAR_IN_BEIJING - MICROSECOND) == 2026
    assert fiscal_year(NEW_YEAR_IN_BEIJING) == 2027


@pytest.mark.parametrize(
    ("open_orders", "outcome"),
    [(RESERVATIONS_MAX - 1, None), (RESERVATIONS_MAX, Refusal.TOO_MANY_OPEN)],
)
def test_open_orders_on_a_line_are_limited(open_orders: int, outcome: Refusal | None) -> None:
    line = a_line(
        reservations=FrozenMap({UUID(int=number): 1 for number in range(open_orders)}), reserved_fen=open_orders
    )

    assert reserve(line, 1) == outcome


def test_an_order_gives_back_exactly_what_it_kept_and_no_fen_more() -> None:
    line = evolve(a_line(), Reserved(ORDER, 70), MORNING)

    assert decide_release(line, order_id=ORDER, amount_fen=70) == Released(ORDER, 70)
    assert decide_release(line, order_id=ORDER, amount_fen=71) is Refusal.NOT_RESERVED
    assert decide_release(line, order_id=OTHER_ORDER, amount_fen=1) is Refusal.NOT_RESERVED


def test_an_order_consumes_exactly_what_it_kept_and_no_fen_more() -> None:
    line = evolve(a_line(), Reserved(ORDER, 70), MORNING)

    assert decide_consume(line, order_id=ORDER, amount_fen=70) == Consumed(ORDER, 70)
    assert decide_consume(line, order_id=ORDER, amount_fen=71) is Refusal.NOT_RESERVED
    assert decide_consume(line, order_id=OTHER_ORDER, amount_fen=1) is Refusal.NOT_RESERVED


def test_another_orders_money_cannot_be_consumed_although_the_line_has_it() -> None:
    line = evolve(evolve(a_line(), Reserved(ORDER, 70), MORNING), Reserved(OTHER_ORDER, 30), MORNING)

    assert decide_consume(line, order_id=OTHER_ORDER, amount_fen=31) is Refusal.NOT_RESERVED


def test_a_release_makes_the_amount_available_again() -> None:
    line = evolve(evolve(a_line(), Reserved(ORDER, 70), MORNING), Released(ORDER, 70), MORNING)

    assert line == a_line()


def test_a_receipt_consumes_and_leaves_what_is_available_alone() -> None:
    line = evolve(evolve(a_line(), Reserved(ORDER, 70), MORNING), Consumed(ORDER, 70), MORNING)

    assert line == a_line(available_fen=1_000_000_00 - 70, consumed_fen=70)


def test_a_partial_release_keeps_the_rest_for_the_order() -> None:
    line = evolve(evolve(a_line(), Reserved(ORDER, 70), MORNING), Released(ORDER, 30), MORNING)

    assert line.reservations == {ORDER: 40}


def test_a_cut_may_take_all_that_is_available_and_no_fen_more() -> None:
    line = evolve(a_line(appropriated_fen=100, available_fen=100), Reserved(ORDER, 60), MORNING)

    assert decide_adjust(line, amount_fen=-40, document="调〔2026〕2号") == Adjusted(-40, "调〔2026〕2号")
    assert decide_adjust(line, amount_fen=-41, document="调〔2026〕2号") is Refusal.BELOW_COMMITTED
    assert decide_adjust(line, amount_fen=1, document="追〔2026〕3号") == Adjusted(1, "追〔2026〕3号")


@pytest.mark.parametrize(
    ("event", "debit", "credit", "amount"),
    [
        (an_appropriation(amount_fen=9), Account.AVAILABLE, Account.APPROPRIATED, 9),
        (Adjusted(9, "d"), Account.AVAILABLE, Account.APPROPRIATED, 9),
        (Adjusted(-9, "d"), Account.APPROPRIATED, Account.AVAILABLE, 9),
        (Reserved(ORDER, 9), Account.RESERVED, Account.AVAILABLE, 9),
        (Released(ORDER, 9), Account.AVAILABLE, Account.RESERVED, 9),
        (Consumed(ORDER, 9), Account.CONSUMED, Account.RESERVED, 9),
    ],
)
def test_every_event_is_one_double_entry(event: Event, debit: Account, credit: Account, amount: int) -> None:
    posting = posting_of(event)

    assert (posting.debit, posting.credit, posting.amount_fen) == (debit, credit, amount)


def test_every_refusal_has_a_text_in_both_languages() -> None:
    assert set(TEXTS) == set(Refusal)
    assert all(zh and en for zh, en in TEXTS.values())


class LedgerAgainstNaive(RuleBasedStateMachine):
    """A line against a list of postings that is summed anew each time."""

    orders = Bundle("orders")

    def __init__(self) -> None:
        super().__init__()
        self.line = evolve(None, an_appropriation(amount_fen=1_000), MORNING)
        self.postings = [posting_of(an_appropriation(amount_fen=1_000))]
        self.made = 0

    def balance(self, account: Account) -> int:
        debits = sum(posting.amount_fen for posting in self.postings if posting.debit is account)
        credits_ = sum(posting.amount_fen for posting in self.postings if posting.credit is account)
        return debits - credits_

    def kept(self, order_id: UUID) -> int:
        moves = [posting for posting in self.postings if posting.order_id == order_id]
        return sum(p.amount_fen if p.debit is Account.RESERVED else -p.amount_fen for p in moves)

    def take(self, decision: Event | Refusal, *, allowed: bool) -> None:
        assert isinstance(decision, Refusal) is not allowed
        if not isinstance(decision, Refusal):
            self.line = evolve(self.line, decision, MORNING)
            self.postings.append(posting_of(decision))

    @rule(target=orders)
    def an_order(self) -> UUID:
        self.made += 1
        return UUID(int=self.made)

    @rule(order_id=orders, amount=st.integers(1, 600))
    def reserves(self, order_id: UUID, amount: int) -> None:
        decision = reserve(self.line, amount) or Reserved(order_id, amount)
        self.take(decision, allowed=amount <= self.balance(Account.AVAILABLE))

    @rule(order_id=orders, amount=st.integers(1, 600))
    def releases(self, order_id: UUID, amount: int) -> None:
        decision = decide_release(self.line, order_id=order_id, amount_fen=amount)
        self.take(decision, allowed=amount <= self.kept(order_id))

    @rule(order_id=orders, amount=st.integers(1, 600))
    def consumes(self, order_id: UUID, amount: int) -> None:
        decision = decide_consume(self.line, order_id=order_id, amount_fen=amount)
        self.take(decision, allowed=amount <= self.kept(order_id))

    @rule(amount=st.integers(-600, 600).filter(bool))
    def adjusts(self, amount: int) -> None:
        decision = decide_adjust(self.line, amount_fen=amount, document="d")
        self.take(decision, allowed=self.balance(Account.AVAILABLE) + amount >= 0)

    @invariant()
    def agrees_with_its_postings(self) -> None:
        assert self.line.appropriated_fen == -self.balance(Account.APPROPRIATED)
        assert self.line.available_fen == self.balance(Account.AVAILABLE)
        assert self.line.reserved_fen == self.balance(Account.RESERVED)
        assert self.line.consumed_fen == self.balance(Account.CONSUMED)

    @invariant()
    def conserves_money(self) -> None:
        line = self.line
        assert line.appropriated_fen == line.available_fen + line.reserved_fen + line.consumed_fen
        assert min(line.available_fen, line.reserved_fen, line.consumed_fen) >= 0
        assert sum(line.reservations.values()) == line.reserved_fen
        assert all(line.reservations.values())


TestLedgerAgainstNaive = LedgerAgainstNaive.TestCase

events = st.lists(
    st.tuples(st.sampled_from(["reserve", "release", "consume", "adjust"]), st.integers(0, 5), st.integers(1, 400))
)


@given(steps=events)
def test_money_is_conserved_and_never_negative_whatever_is_asked(steps: list[tuple[str, int, int]]) -> None:
    line = evolve(None, an_appropriation(amount_fen=1_000), MORNING)
    for what, number, amount in steps:
        order_id = UUID(int=number)
        match what:
            case "reserve":
                decision: Event | Refusal = reserve(line, amount) or Reserved(order_id, amount)
            case "release":
                decision = decide_release(line, order_id=order_id, amount_fen=amount)
            case "consume":
                decision = decide_consume(line, order_id=order_id, amount_fen=amount)
            case _:
                decision = decide_adjust(line, amount_fen=amount - 200 or 1, document="d")
        match decision:
            case Refusal():
                continue
            case Appropriated() | Adjusted() | Reserved() | Released() | Consumed():
                line = evolve(line, decision, MORNING)
            case _:
                assert_never(decision)
        assert line.appropriated_fen == line.available_fen + line.reserved_fen + line.consumed_fen
        assert min(line.available_fen, line.reserved_fen, line.consumed_fen) >= 0

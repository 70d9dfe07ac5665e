"""The table of an order's life is the whole truth, and its effects give back or use up exactly what is held."""

from itertools import product
from pathlib import Path

import msgspec
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from budget.lines import rules as budget
from catalog.offers import rules as offers
from market.limits import rules as limits
from market.orders.lifecycle import (
    BY,
    FINAL,
    NEXT,
    STEP_TEXTS,
    Accepted,
    Cancelled,
    Closed,
    Details,
    Event,
    IllegalStepError,
    Order,
    Placed,
    Received,
    Refused,
    Shipped,
    Side,
    Stage,
    Step,
    StepRefusal,
    after,
    amounts_by_category,
    counted_of,
    decide_step,
    evolve,
    fulfilled,
    picture,
    steps_of,
    undone,
)
from tests.builders.budget import MORNING, ORDER, SCHOOL, a_line
from tests.builders.market_orders import (
    LAPTOP_OFFER,
    PRINTER_OFFER,
    a_terms,
    an_offer,
    an_order,
    an_order_line,
)

SAID = Details(reason="无货", carrier="顺丰", tracking="SF1", note="完好")
EVENTS = {
    Step.ACCEPT: Accepted(),
    Step.REFUSE: Refused("无货"),
    Step.CANCEL: Cancelled(Side.PURCHASER, "无货"),
    Step.SHIP: Shipped("顺丰", "SF1"),
    Step.RECEIVE: Received("完好"),
    Step.CLOSE: Closed(),
}


def test_final_stages_have_no_way_out() -> None:
    assert {Stage.REFUSED, Stage.CANCELLED, Stage.CLOSED} == FINAL


def test_every_stage_can_be_reached() -> None:
    reached = {Stage.PLACED}
    while more := {target for (stage, _), target in NEXT.items() if stage in reached} - reached:
        reached |= more

    assert reached == set(Stage)


@pytest.mark.parametrize(("stage", "step"), [pair for pair in product(Stage, Step) if pair not in NEXT])
def test_every_pair_that_is_not_named_is_refused(stage: Stage, step: Step) -> None:
    with pytest.raises(IllegalStepError):
        after(stage, step)
    assert all(decide_step(stage, step, side, SAID) is StepRefusal.NOT_AT_THIS_STAGE for side in Side)


@pytest.mark.parametrize(("stage", "step"), NEXT)
def test_a_step_is_taken_by_its_side_and_no_other(stage: Stage, step: Step) -> None:
    for side in Side:
        decision = decide_step(stage, step, side, SAID)
        if side in BY[stage, step]:
            assert not isinstance(decision, StepRefusal)
            assert evolve(an_order(stage=stage), decision, MORNING).stage is NEXT[stage, step]
        else:
            assert decision is StepRefusal.NOT_YOUR_STEP


def test_who_may_take_a_step_is_told_for_every_way_in_the_table() -> None:
    assert set(BY) == set(NEXT)
    assert all(BY.values())


@pytest.mark.parametrize(
    ("stage", "side", "steps"),
    [
        (Stage.PLACED, Side.SUPPLIER, (Step.ACCEPT, Step.REFUSE)),
        (Stage.PLACED, Side.PURCHASER, (Step.CANCEL,)),
        (Stage.ACCEPTED, Side.SUPPLIER, (Step.SHIP, Step.CANCEL)),
        (Stage.SHIPPED, Side.SUPPLIER, ()),
        (Stage.RECEIVED, Side.PURCHASER, (Step.CLOSE,)),
        (Stage.CLOSED, Side.PURCHASER, ()),
    ],
)
def test_a_side_is_offered_the_steps_it_may_take(stage: Stage, side: Side, steps: tuple[Step, ...]) -> None:
    assert steps_of(stage, side) == steps


@pytest.mark.parametrize("step", Step)
def test_an_event_says_what_was_said_with_the_step(step: Step) -> None:
    (stage,) = [stage for stage, named in NEXT if named is step][:1]
    (side,) = list(BY[stage, step])[:1]

    assert decide_step(stage, step, side, SAID) == EVENTS[step]


def test_an_order_remembers_why_it_ended_and_who_ended_it() -> None:
    refused = evolve(an_order(), Refused("停产"), MORNING)
    cancelled = evolve(an_order(stage=Stage.ACCEPTED), Cancelled(Side.SUPPLIER, "缺货"), MORNING)

    assert (refused.reason, refused.ended_by) == ("停产", Side.SUPPLIER)
    assert (cancelled.reason, cancelled.ended_by) == ("缺货", Side.SUPPLIER)


def test_an_order_remembers_how_it_travels() -> None:
    shipped = evolve(an_order(stage=Stage.ACCEPTED), Shipped("顺丰", "SF1"), MORNING)

    assert (shipped.carrier, shipped.tracking, shipped.changed_at) == ("顺丰", "SF1", MORNING)


def test_what_an_order_froze_never_changes() -> None:
    order: Order = evolve(None, Placed(a_terms()), MORNING)
    for event in (Accepted(), Shipped("", ""), Received(""), Closed()):
        order = evolve(order, event, MORNING)

    assert order.terms == a_terms()
    assert order.stage is Stage.CLOSED


def test_an_event_survives_the_journal() -> None:
    for event in (Placed(a_terms()), *EVENTS.values()):
        assert msgspec.json.decode(msgspec.json.encode(event), type=Event) == event


def test_every_refusal_of_a_step_has_a_text_in_both_languages() -> None:
    assert set(STEP_TEXTS) == set(StepRefusal)


def test_the_picture_in_the_documentation_is_drawn_from_the_table() -> None:
    page = Path(__file__).parents[3] / "docs/lifecycles/order.md"

    assert page.read_text("utf-8") == picture()


TERMS = a_terms(
    total_fen=9300_00 + 1200_00,
    lines=(
        an_order_line(),
        an_order_line(
            offer_id=PRINTER_OFFER, category_code="A02021003", quantity=1, price_fen=1200_00, amount_fen=1200_00
        ),
    ),
)


def test_amounts_are_summed_up_by_category() -> None:
    assert amounts_by_category(TERMS) == {"2022/A02010108": 9300_00, "2022/A02021003": 1200_00}
    assert counted_of(ORDER, TERMS) == limits.Counted(SCHOOL, 2026, ORDER, amounts_by_category(TERMS))


def test_two_lines_of_one_category_count_as_one_sum() -> None:
    assert amounts_by_category(a_terms(lines=(an_order_line(), an_order_line()))) == {"2022/A02010108": 18600_00}


class OrderAgainstLedgers(RuleBasedStateMachine):
    """Whatever steps are tried in whatever order, what an order holds goes back or is used up exactly once."""

    def __init__(self) -> None:
        super().__init__()
        self.order = evolve(None, Placed(TERMS), MORNING)
        self.offers: dict[object, offers.Offer | None] = {
            LAPTOP_OFFER: an_offer(reserved=2),
            PRINTER_OFFER: an_offer(id=PRINTER_OFFER, reserved=1),
        }
        self.line = budget.evolve(a_line(), budget.Reserved(ORDER, TERMS.total_fen), MORNING)
        self.spending = limits.evolve(None, counted_of(ORDER, TERMS), MORNING)

    @rule(step=st.sampled_from(Step), side=st.sampled_from(Side))
    def tries(self, step: Step, side: Side) -> None:
        decision = decide_step(self.order.stage, step, side, SAID)
        if isinstance(decision, StepRefusal):
            return
        self.order = evolve(self.order, decision, MORNING)
        if self.order.stage in (Stage.REFUSED, Stage.CANCELLED):
            back = undone(ORDER, TERMS, self.offers, self.line)  # type: ignore[arg-type]
            moved: list[tuple[object, offers.Event]] = list(back.offers)
            self.line = budget.evolve(self.line, back.budget, MORNING)
            self.spending = limits.evolve(self.spending, back.spending, MORNING)
        elif self.order.stage is Stage.RECEIVED:
            used = fulfilled(ORDER, TERMS, self.offers, self.line)  # type: ignore[arg-type]
            moved = list(used.offers)
            self.line = budget.evolve(self.line, used.budget, MORNING)
        else:
            moved = []
        for offer_id, event in moved:
            self.offers[offer_id] = offers.evolve(self.offers[offer_id], event, MORNING)

    @invariant()
    def holds_what_its_stage_says(self) -> None:
        held = self.order.stage in (Stage.PLACED, Stage.ACCEPTED, Stage.SHIPPED)
        used = self.order.stage in (Stage.RECEIVED, Stage.CLOSED)
        total = TERMS.total_fen
        assert (self.line.reserved_fen, self.line.consumed_fen) == (total * held, total * used)
        laptop, printer = self.offers[LAPTOP_OFFER], self.offers[PRINTER_OFFER]
        assert laptop
        assert printer
        assert (laptop.reserved, laptop.consumed, printer.reserved, printer.consumed) == (
            2 * held,
            2 * used,
            held,
            used,
        )
        assert sum(self.spending.by_category.values()) == total * (held or used)


TestOrderAgainstLedgers = OrderAgainstLedgers.TestCase

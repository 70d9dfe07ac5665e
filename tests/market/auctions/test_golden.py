"""The traces in ``../shared/golden/reverse_auction.json``, worked out by others from products in use."""

import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from kernel.money import parse_yuan
from market.auctions.lifecycle import ExtendFrom, Extension, MinimumStep, StepFrom
from market.auctions.rules import Refusal, decide_offer
from tests.builders.market_auctions import NOON, a_supplier, after, an_auction, an_offer

GOLDEN = Path(__file__).parents[4] / "shared" / "golden" / "reverse_auction.json"
WORDS = {Refusal.CLOSED: "rejected:closed", Refusal.STEP_TOO_SMALL: "rejected:step"}


@pytest.mark.skipif(not GOLDEN.exists(), reason=f"{GOLDEN} is not on this machine")
@pytest.mark.parametrize("name", ["RA-1", "RA-3"])
def test_a_golden_trace_comes_out_to_the_letter(name: str) -> None:
    case = next(case for case in json.loads(GOLDEN.read_text())["cases"] if case["id"] == name)
    expected = case["expected"]
    auction = an_auction(
        ceiling_fen=case["ceiling"] * 100,
        duration_s=case["end"] - case["start"],
        step=_step(case),
        step_from=StepFrom.BEST,
        extension=Extension(
            case["last_window_min"] * 60, case["extend_min"] * 60, case["max_extensions"], ExtendFrom.CLOSE
        ),
    )

    log = []
    for second, bidder, yuan, _ in expected["log"]:
        at = NOON + timedelta(seconds=second)
        decision = decide_offer(auction, an_offer(parse_yuan(yuan), int(bidder[1:])), at)
        if isinstance(decision, Refusal):
            log.append([second, bidder, yuan, WORDS[decision]])
            continue
        changed = after(auction, decision[1], at)
        word = "accepted+extended" if changed.extensions > auction.extensions else "accepted"
        log.append([second, bidder, yuan, word])
        auction = changed

    assert log == expected["log"]
    assert auction.closes_at == NOON + timedelta(seconds=expected["end"])
    assert auction.extensions == expected["extensions"]
    assert auction.ladder[0].price_fen == parse_yuan(expected["best"])
    assert auction.admitted >= {a_supplier(1), a_supplier(2), a_supplier(3)}


def _step(case: dict[str, Any]) -> MinimumStep:
    if "step_amount" in case:
        return MinimumStep(amount_fen=case["step_amount"] * 100)
    return MinimumStep(ratio_bp=int(Decimal(case["step_percent"]) * 10_000))

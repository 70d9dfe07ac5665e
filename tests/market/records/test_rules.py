"""The record says what the entries say, in words for people."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from kernel.documents.document import Document, Facts, Paragraph, Table
from market.auctions.lifecycle import AuctionStage, AuctionTerms, Cause, MinimumStep
from market.records.rules import auction_record, final_prices, format_money
from tests.builders.market_auctions import NOON, some_terms

SECOND = timedelta(seconds=1)


class Summary(msgspec.Struct, frozen=True):
    number: str = "JJ20261123-7K3M9-QX2PA"
    purchaser_name: str = "杭州市第一中学"
    stage: AuctionStage = AuctionStage.AWARDED
    terms: AuctionTerms = some_terms()
    bidders: int = 2
    offers: int = 3
    extensions: int = 1
    winner: str | None = "甲公司"
    awarded_fen: int | None = 79_000_000
    cause: Cause | None = None
    reason: str = ""


class Line(msgspec.Struct, frozen=True):
    version: int
    kind: str
    at: Any = NOON
    leaf: str = "ab" * 32
    label: int | None = None
    name: str | None = None
    price_fen: int | None = None
    closes_at: Any = None
    reason: str | None = None
    cause: Cause | None = None


def offered(version: int, label: int, price_fen: int, name: str | None = None) -> Line:
    return Line(version, "auction.offered", NOON + version * SECOND, label=label, price_fen=price_fen, name=name)


LINES = (
    Line(1, "auction.started"),
    offered(2, 1, 80_000_000),
    offered(3, 2, 79_500_000),
    offered(4, 1, 79_000_000),
    Line(5, "auction.closed", NOON + 60 * SECOND),
)


def facts(document: Document) -> dict[str, str]:
    found = document.blocks[0]
    assert isinstance(found, Facts)
    return dict(found.rows)


def tables(document: Document) -> list[Table]:
    return [block for block in document.blocks if isinstance(block, Table)]


def test_the_record_names_procedure_result_and_time_in_beijing() -> None:
    said = facts(auction_record(Summary(), LINES, cut=False, at=NOON))

    assert said["结果"] == "已成交"
    assert (said["成交供应商"], said["成交金额"]) == ("甲公司", "¥790,000.00")
    assert said["竞价截止"].endswith(".000")
    assert said["参与报价"] == "2 家供应商，共 3 次有效报价"
    assert "终止原因" not in said


def test_a_failed_auction_says_why() -> None:
    failed = Summary(stage=AuctionStage.FAILED, winner=None, awarded_fen=None, cause=Cause.SHORT, reason="择期再采")
    said = facts(auction_record(failed, LINES[:1], cut=False, at=NOON))

    assert (said["终止原因"], said["说明"], said["竞价截止"]) == ("报价供应商不足", "择期再采", "未到截止")
    assert "成交供应商" not in said


def test_the_last_offer_of_each_bidder_counts_and_of_equal_ones_the_earlier() -> None:
    lines = [offered(1, 1, 500), offered(2, 2, 400), offered(3, 3, 400, "丙"), offered(4, 1, 450)]
    assert [(label, name, price) for label, name, price, _ in final_prices(lines)] == [
        (2, "", 400), (3, "丙", 400), (1, "", 450),
    ]  # fmt: skip


def test_without_an_offer_it_says_so() -> None:
    document = auction_record(Summary(), LINES[:1], cut=False, at=NOON)
    assert Paragraph("无有效报价。") in document.blocks


def test_every_entry_stands_there_with_its_whole_hash() -> None:
    *_, entries = tables(auction_record(Summary(), LINES, cut=False, at=NOON))
    assert [row[0] for row in entries.rows] == ["1", "2", "3", "4", "5"]
    assert {row[-1] for row in entries.rows} == {"ab" * 32}
    assert [row[2] for row in entries.rows] == ["开始", "报价", "报价", "报价", "截止"]


def test_what_was_left_out_is_said() -> None:
    whole = auction_record(Summary(), LINES, cut=False, at=NOON)
    cut = auction_record(Summary(), LINES, cut=True, at=NOON)
    assert len(cut.blocks) == len(whole.blocks) + 1
    assert "前 5 条" in getattr(cut.blocks[-1], "text", "")


def test_details_come_together() -> None:
    line = Line(6, "auction.failed", reason="说明", cause=Cause.NO_OFFER, closes_at=NOON)
    *_, entries = tables(auction_record(Summary(), (line,), cut=False, at=NOON))
    assert entries.rows[0][5].endswith("；无人报价；说明")


@pytest.mark.parametrize(
    ("fen", "written"), [(0, "0.00"), (99, "0.99"), (100_000, "1,000.00"), (123_456_789, "1,234,567.89")]
)
def test_money_has_separators(fen: int, written: str) -> None:
    assert format_money(fen) == written


@pytest.mark.parametrize(
    ("step", "written"),
    [
        (MinimumStep(amount_fen=5_000), "¥50.00"),
        (MinimumStep(ratio_bp=50), "0.5 %"),
        (MinimumStep(ratio_bp=100), "1 %"),
    ],
)
def test_a_step_is_an_amount_or_a_share(step: MinimumStep, written: str) -> None:
    summary = Summary(terms=some_terms(step=step))
    assert facts(auction_record(summary, LINES, cut=False, at=NOON))["最小降幅"] == written

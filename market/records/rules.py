"""What the record of a reverse auction says (竞价记录), from what everybody may see of it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Protocol

from kernel.clock import BEIJING
from kernel.documents.document import Block, Column, Document, Facts, Heading, Paragraph, Table
from kernel.money import Fen, format_yuan
from market.auctions.lifecycle import AuctionStage, AuctionTerms, Cause, MinimumStep

LINES_MAX: Final = 4000
"""Entries in one document; the journal and its page have all."""

_STAGES: Final = {
    AuctionStage.DRAFT: "草稿",
    AuctionStage.PUBLISHED: "已发布",
    AuctionStage.LIVE: "竞价中",
    AuctionStage.PAUSED: "已暂停",
    AuctionStage.CLOSED: "已截止，待定标",
    AuctionStage.AWARDED: "已成交",
    AuctionStage.FAILED: "已终止",
}
_CAUSES: Final = {Cause.SHORT: "报价供应商不足", Cause.NO_OFFER: "无人报价", Cause.PURCHASER: "采购人终止"}
_KINDS: Final = {
    "auction.drafted": "创建草稿",
    "auction.edited": "修改草稿",
    "auction.published": "发布",
    "auction.withdrawn": "撤回",
    "auction.started": "开始",
    "auction.offered": "报价",
    "auction.paused": "暂停",
    "auction.resumed": "恢复",
    "auction.extended": "不足延时",
    "auction.closed": "截止",
    "auction.awarded": "定标",
    "auction.failed": "终止",
}


class Summary(Protocol):
    """An auction as everybody sees it after its end."""

    @property
    def number(self) -> str: ...
    @property
    def purchaser_name(self) -> str: ...
    @property
    def stage(self) -> AuctionStage: ...
    @property
    def terms(self) -> AuctionTerms: ...
    @property
    def bidders(self) -> int: ...
    @property
    def offers(self) -> int: ...
    @property
    def extensions(self) -> int: ...
    @property
    def winner(self) -> str | None: ...
    @property
    def awarded_fen(self) -> int | None: ...
    @property
    def cause(self) -> Cause | None: ...
    @property
    def reason(self) -> str: ...


class Line(Protocol):
    """One entry of the record, as everybody sees it."""

    @property
    def version(self) -> int: ...
    @property
    def at(self) -> datetime: ...
    @property
    def kind(self) -> str: ...
    @property
    def leaf(self) -> str: ...
    @property
    def label(self) -> int | None: ...
    @property
    def name(self) -> str | None: ...
    @property
    def price_fen(self) -> int | None: ...
    @property
    def closes_at(self) -> datetime | None: ...
    @property
    def reason(self) -> str | None: ...
    @property
    def cause(self) -> Cause | None: ...


def auction_record(auction: Summary, lines: Sequence[Line], *, cut: bool, at: datetime) -> Document:
    """Describe the record; ``cut`` says that ``lines`` are not all."""
    blocks: list[Block] = [
        Facts(tuple(_facts(auction, lines, at))),
        Heading("采购内容"),
        _items(auction.terms),
        Heading("最终报价"),
        *_standings(lines),
        Heading("竞价过程"),
        Paragraph(
            "以下各条由平台的业务日志逐条重放得出，日志只增不改。"
            "校验值是该条日志全部内容的 SHA-256 值，可据此在平台上核对。"
        ),
        _entries(lines),
    ]
    if cut:
        blocks.append(Paragraph(f"记录很长，本文书只列前 {len(lines)} 条；全部记录见平台。"))
    return Document(
        title="竞价记录",
        number=auction.number,
        issuer="浙采",
        footer="本文书由浙采平台依据业务日志出具",
        blocks=tuple(blocks),
    )


def final_prices(lines: Sequence[Line]) -> list[tuple[int, str, int, datetime]]:
    """
    Rank the last accepted offer of each bidder, the lowest first; of equal ones the earlier comes first.

    Returns:
        Label, name or empty, price in fen, time of the offer.
    """
    last: dict[int, tuple[int, int, str, datetime]] = {}
    for line in lines:
        if line.kind == "auction.offered" and line.label is not None and line.price_fen is not None:
            last[line.label] = (line.price_fen, line.version, line.name or "", line.at)
    ranked = sorted(last.items(), key=lambda pair: pair[1][:2])
    return [(label, name, price_fen, at) for label, (price_fen, _, name, at) in ranked]


def _facts(auction: Summary, lines: Sequence[Line], at: datetime) -> list[tuple[str, str]]:
    terms = auction.terms
    started = next((line.at for line in lines if line.kind == "auction.started"), None)
    closed = next((line.at for line in reversed(lines) if line.kind == "auction.closed"), None)
    facts = [
        ("项目名称", terms.title),
        ("采购单位", auction.purchaser_name),
        ("最高限价", _money(terms.ceiling_fen)),
        ("最小降幅", _step(terms.step)),
        ("竞价开始", _time(started) if started else "未开始"),
        ("竞价截止", _time(closed) if closed else "未到截止"),
        ("延时", f"{auction.extensions} 次"),
        ("参与报价", f"{auction.bidders} 家供应商，共 {auction.offers} 次有效报价"),
        ("结果", _STAGES[auction.stage]),
    ]
    if auction.winner is not None and auction.awarded_fen is not None:
        facts += [("成交供应商", auction.winner), ("成交金额", _money(auction.awarded_fen))]
    if auction.cause is not None:
        facts.append(("终止原因", _CAUSES[auction.cause]))
    if auction.reason:
        facts.append(("说明", auction.reason))
    return [*facts, ("出具时间", _time(at))]


def _items(terms: AuctionTerms) -> Table:
    rows = tuple(
        (str(place), item.name, item.spec, f"{item.quantity} {item.unit}".strip())
        for place, item in enumerate(terms.items, 1)
    )
    heads = ("序号", "名称", "规格要求", "数量")
    return Table(heads, (Column.NUMBER, Column.TEXT, Column.TEXT, Column.NUMBER), (0, 2, 3, 0), rows)


def _standings(lines: Sequence[Line]) -> list[Block]:
    ranked = final_prices(lines)
    if not ranked:
        return [Paragraph("无有效报价。")]
    rows = tuple(
        (str(place), f"供应商 {label}", name or "（定标后公布）", format_money(price_fen), _time(at))
        for place, (label, name, price_fen, at) in enumerate(ranked, 1)
    )
    heads = ("名次", "代号", "供应商", "报价（元）", "报价时间")
    columns = (Column.NUMBER, Column.TEXT, Column.TEXT, Column.NUMBER, Column.TEXT)
    return [Table(heads, columns, (0, 0, 1, 0, 0), rows)]


def _entries(lines: Sequence[Line]) -> Table:
    rows = tuple(
        (
            str(line.version),
            _time(line.at),
            _KINDS.get(line.kind, line.kind),
            "" if line.label is None else f"供应商 {line.label}",
            "" if line.price_fen is None else format_money(line.price_fen),
            _detail(line),
            line.leaf,
        )
        for line in lines
    )
    heads = ("序号", "时间", "事项", "供应商", "报价（元）", "内容", "校验值")
    columns = (
        Column.NUMBER, Column.TEXT, Column.TEXT, Column.TEXT, Column.NUMBER, Column.TEXT, Column.HASH,
    )  # fmt: skip
    return Table(heads, columns, (0, 0, 0, 0, 0, 1, 0), rows)


def _detail(line: Line) -> str:
    parts = [
        f"截止 {line.closes_at.astimezone(BEIJING):%H:%M:%S}" if line.closes_at else "",
        _CAUSES[line.cause] if line.cause else "",
        line.reason or "",
    ]
    return "；".join(part for part in parts if part)


def _step(step: MinimumStep) -> str:
    if step.amount_fen is not None:
        return _money(step.amount_fen)
    assert step.ratio_bp is not None
    return f"{step.ratio_bp / 100:g} %"


def _money(fen: int) -> str:
    return f"¥{format_money(fen)}"


def format_money(fen: int) -> str:
    """Write fen as yuan with separators of thousands: ``1234567`` is ``12,345.67``."""
    whole, _, cents = format_yuan(Fen(fen)).partition(".")
    return f"{int(whole):,}.{cents}"


def _time(at: datetime) -> str:
    """Write Beijing time to the millisecond."""
    beijing = at.astimezone(BEIJING)
    return f"{beijing:%Y-%m-%d %H:%M:%S}.{beijing.microsecond // 1000:03d}"

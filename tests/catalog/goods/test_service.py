"""Importing goods from real files into a real database."""

import csv
import json
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import msgspec
import pytest
from openpyxl import Workbook

from catalog.definitions import service as definitions
from catalog.goods import service
from catalog.goods.service import GoodsOptions, GoodsReport, RejectedRow
from catalog.products import service as products
from catalog.products.service import Wanted
from kernel.journal.verify import Difference, verify_kind
from kernel.problems import Invalid, NotFound
from kernel.runtime import Kernel
from portal.app import KINDS
from tests.builders.catalog import ATTRIBUTES, LAPTOP, Market, a_market
from tests.builders.registries import OPERATOR, a_credit_code

GOODS = Path(__file__).parents[4] / "shared/data/goods/litemall_goods.csv"
HEAD = ("商品编号", "名称", "品目", "品牌", "型号", "单位", "市场价", "单价", "数量")
ROWS: tuple[tuple[Any, ...], ...] = (
    ("1", "昭阳 X5", LAPTOP, "联想", "X5-14", "台", 6999, 5800.5, 20),
    ("2", "擎云 L420", "便携式计算机", "华为", "L420", "台", "5,999.00", "5500", ""),
    ("3", "没有价格", LAPTOP, "", "", "台", "", "", ""),
    ("4", "品目不明", "床品件套", "", "", "件", "", "100", ""),
)
DEAL = GoodsOptions(agreement="ZJKJ-2026-001", supplier=a_credit_code(101), quota=7)


@pytest.fixture
async def market(kernel: Kernel) -> Market:
    return await a_market(kernel)


def a_csv(path: Path, rows: Sequence[Sequence[Any]] = ROWS, *, encoding: str = "utf-8") -> Path:
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file).writerows([HEAD, *rows])
    return path


def an_xlsx(path: Path) -> Path:
    book = Workbook()
    for row in (HEAD, *ROWS):
        book.active.append([None if cell == "" else cell for cell in row])
    book.save(path)
    return path


def a_jsonl(path: Path) -> Path:
    lines = [json.dumps(dict(zip(HEAD, row, strict=True)), ensure_ascii=False) for row in ROWS]
    path.write_text("\n".join(lines), "utf-8")
    return path


def a_broken_book() -> bytes:
    """A spreadsheet whose sheet breaks off in the middle of a tag."""
    whole, broken = BytesIO(), BytesIO()
    book = Workbook()
    book.active.append(HEAD)
    book.save(whole)
    with ZipFile(whole) as source, ZipFile(broken, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            target.writestr(name, content[: len(content) // 2] if "sheet1" in name else content)
    return broken.getvalue()


async def run(kernel: Kernel, path: Path, **changes: Any) -> GoodsReport:
    return await service.import_goods(kernel, OPERATOR, path, msgspec.structs.replace(DEAL, **changes))


def counts(report: GoodsReport) -> tuple[int, int, int, int, int]:
    found = (report.imported, report.revised, report.unchanged, report.duplicates, report.rejected)
    assert sum(found) == report.rows
    return found


@pytest.mark.parametrize("name", ["goods.csv", "goods.CSV", "goods.xlsx", "goods.jsonl", "gb18030.csv", "bom.csv"])
async def test_every_format_says_the_same(kernel: Kernel, market: Market, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if path.suffix == ".xlsx":
        an_xlsx(path)
    elif path.suffix == ".jsonl":
        a_jsonl(path)
    else:
        a_csv(path, encoding={"gb18030.csv": "gb18030", "bom.csv": "utf-8-sig"}.get(name, "utf-8"))

    report = await run(kernel, path)

    assert counts(report) == (2, 0, 0, 0, 2)
    shift = 0 if path.suffix == ".jsonl" else 1
    assert [(fault.line, fault.field) for fault in report.faults] == [(3 + shift, "price"), (4 + shift, "category")]
    page = await products.find(kernel, Wanted(supplier_id=market.suppliers[0]))
    found = {row.name: (row.best_price_fen, row.available, row.market_price_fen) for row in page.items}
    assert found == {"昭阳 X5": (5_800_50, 20, 6_999_00), "擎云 L420": (5_500_00, 7, 5_999_00)}


@pytest.mark.usefixtures("market")
async def test_a_dry_run_says_what_an_import_would_and_does_nothing(kernel: Kernel, tmp_path: Path) -> None:
    path = a_csv(tmp_path / "goods.csv")
    dry = await run(kernel, path, dry_run=True)
    assert counts(dry) == (2, 0, 0, 0, 2)
    assert len((await products.find(kernel, Wanted())).items) == 1
    done = await run(kernel, path)
    assert dry == msgspec.structs.replace(done, dry_run=True)
    assert counts(await run(kernel, path, dry_run=True)) == (0, 0, 2, 0, 2)


@pytest.mark.usefixtures("market")
async def test_an_import_that_was_stopped_goes_on_where_it_was(
    kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "SLICE_ROWS", 3)
    path = a_csv(tmp_path / "goods.csv", [(n, f"电脑{n}", LAPTOP, "", "", "台", "", 100 + n, 1) for n in range(10)])

    class StoppedError(Exception):
        pass

    def stop(done: int, total: int) -> None:
        assert total == 11
        if done == 6:
            raise StoppedError

    with pytest.raises(StoppedError):
        await service.import_goods(kernel, OPERATOR, path, DEAL, stop)
    assert counts(await run(kernel, path)) == (4, 0, 6, 0, 0)
    assert counts(await run(kernel, path)) == (0, 0, 10, 0, 0)


@pytest.mark.usefixtures("market")
async def test_a_changed_row_revises_its_product_or_its_offer(kernel: Kernel, tmp_path: Path) -> None:
    path = tmp_path / "goods.csv"
    await run(kernel, a_csv(path, ROWS[:2]))
    renamed, cheaper = list(ROWS[0]), list(ROWS[1])
    renamed[1], cheaper[7] = "昭阳 X5 改", "5000"
    assert counts(await run(kernel, a_csv(path, [renamed, cheaper]))) == (0, 2, 0, 0, 0)
    page = await products.find(kernel, Wanted(text="改"))
    assert [(row.name, row.revision) for row in page.items] == [("昭阳 X5 改", 2)]
    page = await products.find(kernel, Wanted(text="擎云"))
    assert [(row.best_price_fen, row.agreement_price_fen, row.revision) for row in page.items] == [
        (5_000_00, 5_500_00, 1)
    ]


@pytest.mark.usefixtures("market")
async def test_duplicates_within_a_file_are_told_from_contradictions(kernel: Kernel, tmp_path: Path) -> None:
    other = list(ROWS[0])
    other[7] = "1"
    report = await run(kernel, a_csv(tmp_path / "goods.csv", [ROWS[0], ROWS[0], other]))
    assert counts(report) == (1, 0, 0, 1, 1)
    assert report.faults == (
        RejectedRow(4, "number", "与第2行是同一商品，但内容不同", "The same goods as line 2, with other content"),
    )


@pytest.mark.usefixtures("market")
async def test_a_rejected_row_takes_neither_product_nor_offer(kernel: Kernel, tmp_path: Path) -> None:
    dear = ("9", "太贵", LAPTOP, "", "", "台", "", "8000.01", "")
    report = await run(kernel, a_csv(tmp_path / "goods.csv", [dear]))
    assert [(fault.field, fault.zh) for fault in report.faults] == [("price", "协议价格高于采购包最高限制单价")]
    assert (await products.find(kernel, Wanted(text="太贵"))).items == ()


@pytest.mark.usefixtures("market")
async def test_broken_rows_are_named_with_their_line(kernel: Kernel, tmp_path: Path) -> None:
    path = tmp_path / "goods.csv"
    path.write_text('name,unit,category\n"两\n行",台,x\n电脑,台,A02010108,多余\n\n电脑,台,A02010108\n', "utf-8")
    report = await service.import_goods(kernel, OPERATOR, path)
    assert counts(report) == (1, 0, 0, 0, 2)
    assert [(fault.line, fault.field) for fault in report.faults] == [(2, "category"), (4, "")]


@pytest.mark.usefixtures("market")
async def test_broken_lines_of_json_are_named_and_the_others_taken(kernel: Kernel, tmp_path: Path) -> None:
    path = tmp_path / "goods.jsonl"
    good = json.dumps({"name": "电脑", "unit": "台", "category": LAPTOP, "price": 12.30, "colour": "红"})
    path.write_bytes(b'{"name": \n\n[1]\n"\xff"\n' + good.encode())
    report = await service.import_goods(kernel, OPERATOR, path)
    assert counts(report) == (1, 0, 0, 0, 3)
    assert [fault.line for fault in report.faults] == [1, 3, 4]
    assert report.ignored_columns == ("colour",)


@pytest.mark.usefixtures("market")
async def test_attributes_are_read_by_the_nearest_definition(kernel: Kernel, tmp_path: Path) -> None:
    await definitions.define_category(kernel, OPERATOR, code="A02010100", attributes=ATTRIBUTES)
    path = tmp_path / "goods.csv"
    path.write_text(
        f"name,unit,category,attr.processor,attr.screen\n甲,台,{LAPTOP},龙芯,14.0英寸\n乙,台,{LAPTOP},,9\n", "utf-8"
    )
    report = await service.import_goods(kernel, OPERATOR, path)
    assert counts(report) == (1, 0, 0, 0, 1)
    assert [fault.field for fault in report.faults] == ["attributes.screen", "attributes.processor"]


@pytest.mark.usefixtures("market")
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("goods.txt", b"name"),
        ("goods.csv", b""),
        ("goods.csv", "品牌,单位\n".encode()),
        ("goods.csv", "名称,name\n".encode()),
        ("goods.csv", b"\xff\xff\xff\n"),
        ("goods.xlsx", b"PK no archive"),
        ("goods.xlsx", a_broken_book()),
        ("goods.csv", b'name\n"' + b"x" * 200_000 + b'"\n'),
    ],
)
async def test_what_is_no_list_of_goods_is_invalid(kernel: Kernel, tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Invalid):
        await service.import_goods(kernel, OPERATOR, tmp_path / name)


@pytest.mark.usefixtures("market")
async def test_options_that_name_nothing_are_refused_before_anything_is_read(kernel: Kernel, tmp_path: Path) -> None:
    path = a_csv(tmp_path / "goods.csv")
    for problem, changes in (
        (NotFound, {"agreement": "X"}),
        (NotFound, {"supplier": a_credit_code(999)}),
        (Invalid, {"supplier": ""}),
        (Invalid, {"category": "A99999999"}),
        (Invalid, {"mapping": {"床品件套": "A99999999"}}),
        (Invalid, {"quota": -1}),
        (Invalid, {"edition": "2013", "category": LAPTOP}),
    ):
        with pytest.raises(problem):
            await run(kernel, path, **changes)
    with pytest.raises(Invalid):
        await run(kernel, tmp_path / "absent.csv")


@pytest.mark.skipif(not GOODS.exists(), reason="the sample goods are not on this machine")
async def test_the_sample_goods_become_offers_and_the_journal_proves_them(kernel: Kernel) -> None:
    await a_market(kernel, category="A05000000", max_unit_price_fen=100_000_00)
    heard: list[tuple[int, int]] = []
    options = msgspec.structs.replace(DEAL, category="A05000000")
    report = await service.import_goods(kernel, OPERATOR, GOODS, options, lambda *done: heard.append(done))
    assert counts(report) == (239, 0, 0, 0, 0)
    assert report.ignored_columns == ("goods_id",)
    assert heard == [(239, 240)]
    assert counts(await run(kernel, GOODS, category="A05000000")) == (0, 0, 239, 0, 0)
    named = sum("羊毛" in row["name"] for row in csv.DictReader(GOODS.read_text("utf-8").splitlines()))
    assert (await products.facets(kernel, Wanted(text="羊毛"))).total == named > 0

    async with kernel.db.pool.acquire() as connection:
        for kind in KINDS:
            assert [one async for one in verify_kind(connection, kind) if isinstance(one, Difference)] == []

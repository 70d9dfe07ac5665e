import csv
import json
from collections import Counter
from importlib.resources import files
from pathlib import Path

import pytest

from catalog.classification.rules import (
    REASONS,
    Category,
    Finding,
    ListRow,
    Reading,
    Reason,
    Severity,
    Subject,
    ancestors_of,
    decide_load,
    edition_id,
    evolve,
    is_code,
    read_list,
    read_name,
    subject_of,
    subtree_prefix,
)
from tests.builders.registries import AT

OFFICIAL = Path(__file__).parents[4] / "shared/data/gpc-2022.json"

A = ListRow(1, "A", "", "货物")
EQUIPMENT = ListRow(2, "A02000000", "A", "设备")
COMPUTERS = ListRow(3, "A02010000", "A02000000", "信息化设备")


def official() -> Reading:
    entries = json.loads(OFFICIAL.read_text("utf-8"))["entries"]
    return read_list(
        ListRow(n, one["catalog_code"], one["parent_code"] or "", one["catalog_name"], one["description"])
        for n, one in enumerate(entries, 1)
    )


def findings(*rows: ListRow) -> list[tuple[int, Severity, Reason]]:
    return [(one.row, one.severity, one.reason) for one in read_list(rows).findings]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A", True),
        ("C02010108", True),
        ("C0201010801", True),
        ("D", False),
        ("A0201", False),
        ("", False),
        ("a", False),
    ],
)
def test_the_form_of_codes(text: str, *, expected: bool) -> None:
    assert is_code(text) is expected


def test_the_first_letter_is_the_subject() -> None:
    assert [subject_of(code) for code in ("A", "B08010000", "C")] == [Subject.GOODS, Subject.WORKS, Subject.SERVICES]


def test_a_subtree_begins_like_its_top() -> None:
    codes = ["A", "A02000000", "A02010000", "A02010108", "C0201010800"]
    assert [subtree_prefix(code) for code in codes] == ["A", "A02", "A0201", "A02010108", "C02010108"]


def test_ancestors_are_listed_nearest_first_and_loops_end() -> None:
    assert ancestors_of("c", {"c": "b", "b": "a", "a": ""}) == ("c", "b", "a")
    assert ancestors_of("c", {"c": "b", "b": "c"}) == ("c", "b")
    assert ancestors_of("", {}) == ()


def test_an_edition_is_loaded_once_and_a_repeat_does_nothing() -> None:
    rows = [Category("A", "", "货物"), Category("A02000000", "A", "设备", "各种设备")]
    loaded = decide_load(None, "2022", rows)
    assert loaded is not None
    classification = evolve(None, loaded, AT)
    assert (classification.id, classification.loads) == (edition_id("2022"), 1)
    assert decide_load(classification, "2022", rows) is None
    bare = [Category("A02000000", "A", "设备")]
    assert decide_load(classification, "2022", bare) is None  # the description that it has is kept


def test_a_later_load_adds_and_renames_and_takes_nothing_away() -> None:
    first = decide_load(None, "2022", [Category("A", "", "货物"), Category("B", "", "工程")])
    assert first is not None
    before = evolve(None, first, AT)
    second = decide_load(before, "2022", [Category("C", "", "服务"), Category("A", "", "货物类")])
    assert second is not None
    after = evolve(before, second, AT)
    assert [(one.code, one.name) for one in after.categories] == [("A", "货物类"), ("B", "工程"), ("C", "服务")]
    assert after.loads == 2


def test_two_editions_are_two_streams() -> None:
    assert edition_id("2013") != edition_id("2022")


@pytest.mark.parametrize(
    ("text", "name", "reason"),
    [
        ("便携式计算机", "便携式计算机", None),
        (" KVM 设备 ", "KVM 设备", None),
        ("卡拉 OK 设备", "卡拉 OK 设备", None),
        ("台、桌类", "台、桌类", None),
        ("石膏龙骨，相关石膏制品", "石膏龙骨，相关石膏制品", None),
        ("农副食品，动、植物油制品", "农副食品，动、植物油制品", Reason.NAME_DOUBTFUL),
        ("住宅 使用的成套住宅；供居住的非成套", "住宅", Reason.NAME_SPILLED),
        ("航道 包", "航道", Reason.NAME_SPILLED),
        ("台、站 站，煤台，上油台，料台，渣台，", "台、站", Reason.NAME_SPILLED),
        ("激光视盘机 VCD、DVD 等设备入此。", "激光视盘机", Reason.NAME_SPILLED),
        ("医用 X 线诊断设备 层诊断设备、X 线电子计算机断层", "医用 X 线诊断设备", Reason.NAME_SPILLED),
        ("特殊环境设备 备、防爆电视设备、 防腐电视设", "特殊环境设备", Reason.NAME_SPILLED),
        ("燃气设备安装 ——环流供暖", "燃气设备安装", Reason.NAME_SPILLED),
    ],
)
def test_names_that_can_be_told(text: str, name: str, reason: Reason | None) -> None:
    assert read_name(text) == (name, reason)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", Reason.NAME_EMPTY),
        ("  ", Reason.NAME_EMPTY),
        ("——历史语言学研究服务；", Reason.NAME_UNREADABLE),
        ("包括磁性材料参数测量仪等。", Reason.NAME_UNREADABLE),
        ("合成纤维及合纤聚合物生产装 置 纶短纤维装置、涤纶工业丝装置、", Reason.NAME_UNREADABLE),
        ("实验室电工仪器及", Reason.NAME_UNREADABLE),
        ("短条及细枝等", Reason.NAME_UNREADABLE),
        ("及其他 仪器", Reason.NAME_SPILLED),
        ("仪器及 指针式电表", Reason.NAME_UNREADABLE),
    ],
)
def test_names_that_are_doubtful(text: str, reason: Reason) -> None:
    assert read_name(text)[1] is reason


def test_every_row_is_a_category_or_has_a_finding_that_says_why_not() -> None:
    rejected = Severity.REJECTED
    rows = [A, EQUIPMENT, COMPUTERS]
    assert findings(*rows) == []
    assert findings(A, ListRow(2, "A0200", "A", "设备")) == [(2, rejected, Reason.CODE_WRONG)]
    assert findings(A, ListRow(2, "A", "", "货物")) == [(2, rejected, Reason.CODE_TWICE)]
    assert findings(A, ListRow(2, "A02000000", "", "设备")) == [(2, rejected, Reason.PARENT_DANGLING)]
    assert findings(A, COMPUTERS) == [(3, rejected, Reason.PARENT_DANGLING)]
    assert findings(A, ListRow(2, "B01000000", "A", "房屋")) == [(2, rejected, Reason.PARENT_MISPLACED)]
    assert findings(ListRow(2, "A02000000", "A02000000", "设备")) == [(2, rejected, Reason.PARENT_MISPLACED)]
    assert findings(A, ListRow(2, "A02000000", "A", " ")) == [(2, rejected, Reason.NAME_EMPTY)]


def test_what_hangs_below_a_rejected_row_is_rejected_whatever_the_order() -> None:
    unreadable = ListRow(9, "A02000000", "A", "包括各种设备。")
    expected = [(3, Severity.REJECTED, Reason.PARENT_REJECTED), (9, Severity.REJECTED, Reason.NAME_UNREADABLE)]
    assert findings(COMPUTERS, unreadable, A) == expected


def test_a_mended_name_is_proposed_and_taken() -> None:
    reading = read_list([A, ListRow(2, "A02000000", "A", "设备 指各种设备。")])
    assert reading.findings == (
        Finding(2, "A02000000", "设备 指各种设备。", Severity.MENDED, Reason.NAME_SPILLED, "设备"),
    )
    assert reading.categories[1].name == "设备"


def test_the_compact_table_has_no_finding() -> None:
    text = files("catalog.classification").joinpath("gpc-common.tsv").read_text("utf-8")
    rows = list(csv.DictReader(text.splitlines(), delimiter="\t"))
    reading = read_list(ListRow(n, row["code"], row["parent"], row["name"]) for n, row in enumerate(rows, 2))
    assert (len(reading.categories), reading.findings) == (len(rows), ())


@pytest.mark.skipif(not OFFICIAL.exists(), reason="the official list is not on this machine")
def test_the_official_list_is_reported_row_by_row() -> None:
    reading = official()
    rejected = Counter(one.reason for one in reading.findings if one.severity is Severity.REJECTED)
    assert rejected == {Reason.PARENT_DANGLING: 6, Reason.NAME_UNREADABLE: 12}
    assert reading.rows == 4272 == len(reading.categories) + rejected.total()
    assert Counter(one.severity for one in reading.findings)[Severity.MENDED] == 441
    dangling = {one.code for one in reading.findings if one.reason is Reason.PARENT_DANGLING}
    assert dangling == {"A07050201", "A07050202", "A07050203", "A07050204", "B02130301", "B02130302"}


@pytest.mark.skipif(not OFFICIAL.exists(), reason="the official list is not on this machine")
def test_mended_names_are_those_of_the_compact_table() -> None:
    found = {one.code: one.name for one in official().categories}
    text = files("catalog.classification").joinpath("gpc-common.tsv").read_text("utf-8")
    for row in csv.DictReader(text.splitlines(), delimiter="\t"):
        assert found[row["code"]] == row["name"]


def test_every_reason_has_its_texts() -> None:
    assert set(REASONS) == set(Reason)

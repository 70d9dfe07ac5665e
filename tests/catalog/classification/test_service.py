"""The classification on a real database, over HTTP, and the import of the official list."""

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from catalog.classification import service
from catalog.classification.queries import CLASSIFICATION
from catalog.classification.rules import Reason, Severity
from kernel.journal.verify import Difference, verify_kind
from kernel.problems import Invalid
from kernel.runtime import Kernel
from tests.builders.registries import OPERATOR

OFFICIAL = Path(__file__).parents[4] / "shared/data/gpc-2022.json"

GOOD = {"code": "A", "parent": "", "name": "货物"}
SPILLED = {"code": "A02000000", "parent": "A", "name": "设备 指各种设备。"}
DANGLING = {"code": "A05010100", "parent": "A05010000", "name": "床类"}


def a_list(path: Path, *entries: dict[str, Any]) -> Path:
    path.write_text(json.dumps(entries, ensure_ascii=False), "utf-8")
    return path


async def count(kernel: Kernel) -> int:
    found: int = await kernel.db.pool.fetchval("select count(*) from classification_codes")
    return found


async def test_the_compact_table_is_loaded_once(kernel: Kernel, client: httpx2.AsyncClient) -> None:
    assert await service.load_common_codes(kernel, OPERATOR) == 202
    assert await service.load_common_codes(kernel, OPERATOR) == 0
    top = (await client.get("/api/classification")).json()["items"]
    assert [(one["code"], one["name"]) for one in top] == [("A", "货物"), ("B", "工程"), ("C", "服务")]
    assert all(one["children"] > 0 for one in top)
    below = (await client.get("/api/classification?parent=A02010100")).json()["items"]
    assert "A02010108" in [one["code"] for one in below]
    laptop = (await client.get("/api/classification/2022/A02010108")).json()
    assert [one["name"] for one in laptop["path"]] == ["货物", "设备", "信息化设备", "计算机", "便携式计算机"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/classification?edition=2013", 200),
        ("/api/classification?parent=x", 422),
        ("/api/classification/2013/A02010108", 404),
        ("/api/classification/2022/X", 404),
    ],
)
async def test_what_is_not_there(client: httpx2.AsyncClient, path: str, status: int) -> None:
    assert (await client.get(path)).status_code == status


async def test_a_finding_keeps_the_whole_list_out(kernel: Kernel, tmp_path: Path) -> None:
    path = a_list(tmp_path / "list.json", GOOD, SPILLED, DANGLING)
    report = await service.import_classification(kernel, OPERATOR, path)
    assert (report.rows, report.acceptable, report.accepted, report.imported) == (3, 2, False, 0)
    assert [(one.row, one.severity, one.reason) for one in report.findings] == [
        (2, Severity.MENDED, Reason.NAME_SPILLED),
        (3, Severity.REJECTED, Reason.PARENT_DANGLING),
    ]
    assert [service.reason_text(one)[0] for one in report.findings] == [
        "名称混入说明文字，已截取：设备",
        "上级编码不在目录中",
    ]
    assert await count(kernel) == 0


async def test_accepted_warnings_let_all_but_the_rejected_in(kernel: Kernel, tmp_path: Path) -> None:
    path = a_list(tmp_path / "list.json", GOOD, SPILLED, DANGLING)
    dry = await service.import_classification(kernel, OPERATOR, path, accept_warnings=True, dry_run=True)
    assert (dry.acceptable, dry.imported, await count(kernel)) == (2, 0, 0)
    report = await service.import_classification(kernel, OPERATOR, path, accept_warnings=True)
    assert (report.acceptable, report.imported, await count(kernel)) == (2, 2, 2)
    again = await service.import_classification(kernel, OPERATOR, path, accept_warnings=True)
    assert again.imported == 0


async def test_tables_are_read_too_and_only_their_edition(kernel: Kernel, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("edition,code,parent,name\n2013,A,,货物\n2022,B,,工程\n", "utf-8")
    report = await service.import_classification(kernel, OPERATOR, path, edition="2013")
    assert (report.rows, report.imported) == (1, 1)
    assert [row.code for row in await service.children_of(kernel, "2013", "")] == ["A"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("list.json", b"{}"),
        ("list.json", b"[1]"),
        ("list.json", b'{"entries": 7}'),
        ("list.json", b"no json"),
        ("list.csv", b"a,b\n1,2\n"),
        ("list.tsv", b"\xff\xfe\n"),
    ],
)
async def test_what_is_no_list_is_invalid(kernel: Kernel, tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Invalid):
        await service.import_classification(kernel, OPERATOR, tmp_path / name)
    with pytest.raises(Invalid):
        await service.import_classification(kernel, OPERATOR, tmp_path / "absent.json")


@pytest.mark.skipif(not OFFICIAL.exists(), reason="the official list is not on this machine")
async def test_the_official_list_joins_the_compact_table_and_the_journal_proves_it(kernel: Kernel) -> None:
    await service.load_common_codes(kernel, OPERATOR)
    refused = await service.import_classification(kernel, OPERATOR, OFFICIAL)
    assert (refused.accepted, refused.imported, await count(kernel)) == (False, 0, 202)
    report = await service.import_classification(kernel, OPERATOR, OFFICIAL, accept_warnings=True)
    assert (report.rows, report.acceptable) == (4272, 4254)
    assert await count(kernel) == 4254
    async with kernel.db.pool.acquire() as connection:
        found = [one async for one in verify_kind(connection, CLASSIFICATION)]
    assert not any(isinstance(one, Difference) for one in found)

"""Pictures that an import of goods gives along."""

import csv
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import msgspec
import pytest

from catalog.goods.service import GoodsOptions, GoodsReport, import_goods
from catalog.pictures import service as pictures
from catalog.products import service as products
from catalog.products.rules import Extent
from catalog.products.service import Wanted
from kernel.commit.by import By
from kernel.problems import Invalid
from kernel.runtime import Kernel
from tests.builders.catalog import LAPTOP, Market, a_market
from tests.builders.pictures import a_picture
from tests.builders.registries import AT, OPERATOR, a_credit_code

DEAL = GoodsOptions(agreement="ZJKJ-2026-001", supplier=a_credit_code(101))


@pytest.fixture
async def market(kernel: Kernel) -> Market:
    return await a_market(kernel)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "pictures"
    place.mkdir()
    for number in (1, 2):
        (place / f"图{number}.jpg").write_bytes(a_picture(number=number))
    (place / "text.jpg").write_bytes(b"no picture")
    (tmp_path / "secret.jpg").write_bytes(a_picture(number=3))
    (place / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    return place


def zipped(folder: Path) -> Path:
    place = folder.with_suffix(".zip")
    with ZipFile(place, "w") as archive:
        for file in folder.iterdir():
            archive.write(file, file.name)
    return place


def a_file(place: Path, cells: list[str]) -> Path:
    file = place.parent / "goods.csv"
    rows = [(number, f"电脑{number}", LAPTOP, "台", 5800, cell) for number, cell in enumerate(cells, 1)]
    with file.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([("商品编号", "名称", "品目", "单位", "单价", "图片"), *rows])
    return file


async def imported(kernel: Kernel, place: Path, cells: list[str], **changes: Any) -> GoodsReport:
    """Import one row for each cell of pictures."""
    file = a_file(place, cells)
    options = msgspec.structs.replace(DEAL, pictures=place, **changes)
    return await import_goods(kernel, OPERATOR, file, options)


async def shown(kernel: Kernel, name: str = "电脑1") -> tuple[str, ...]:
    (row,) = (await products.find(kernel, Wanted(text=name))).items
    return (await products.get(kernel, row.product_id)).product.pictures


@pytest.mark.parametrize("pack", [lambda folder: folder, zipped], ids=["directory", "zip"])
async def test_a_row_names_its_pictures_and_they_belong_to_the_supplier(
    kernel: Kernel, market: Market, folder: Path, pack: Any
) -> None:
    report = await imported(kernel, pack(folder), ["图2.jpg；图1.jpg"])

    assert (report.imported, report.faults) == (1, ())
    digests = await shown(kernel)
    rows = await pictures.known(kernel, digests)
    assert len(digests) == len(rows) == 2
    assert all(rows[digest].organisations == {market.suppliers[0]} for digest in digests)
    assert len(await pictures.read_picture(kernel, digests[0])) > 0


@pytest.mark.usefixtures("market")
async def test_the_same_import_again_changes_nothing_and_one_without_pictures_leaves_them(
    kernel: Kernel, folder: Path
) -> None:
    await imported(kernel, folder, ["图1.jpg"])
    before = await shown(kernel)

    again = await imported(kernel, folder, ["图1.jpg"])
    without = await imported(kernel, folder, [""])
    by_digest = await imported(kernel, folder, [before[0].upper()])

    assert (again.unchanged, without.unchanged, by_digest.unchanged) == (1, 1, 1)
    assert await shown(kernel) == before


@pytest.mark.usefixtures("market")
async def test_pictures_that_cannot_be_taken_reject_their_row_and_say_which(kernel: Kernel, folder: Path) -> None:
    cells = [
        "图1.jpg absent.jpg",
        "https://example.com/x.jpg",
        "../secret.jpg",
        "link.jpg",
        "text.jpg",
        "0" * 64,
        "图1.jpg",
    ]

    report = await imported(kernel, folder, cells)

    assert (report.imported, report.rejected) == (1, 6)
    assert [(fault.line, fault.field) for fault in report.faults] == [(line, "pictures") for line in range(2, 8)]
    said = [fault.en for fault in report.faults]
    assert [("absent" in said[0]), ("not fetched" in said[1]), ("JPEG" in said[4])] == [True, True, True]
    assert all(fault.zh for fault in report.faults)


@pytest.mark.usefixtures("market")
async def test_a_dry_run_judges_pictures_and_keeps_none(kernel: Kernel, folder: Path) -> None:
    report = await imported(kernel, folder, ["图1.jpg", "text.jpg"], dry_run=True)

    assert (report.imported, report.rejected) == (1, 1)
    assert not kernel.blobs.directory.exists()


@pytest.mark.usefixtures("market")
async def test_a_picture_that_was_taken_down_everywhere_is_not_taken_from_an_import_either(
    kernel: Kernel, folder: Path
) -> None:
    await imported(kernel, folder, ["图1.jpg"])
    (digest,) = await shown(kernel)
    (row,) = (await products.find(kernel, Wanted(text="电脑1"))).items
    by = By(OPERATOR, "local", kernel.clock.now())
    await products.take_down(kernel, by, row.product_id, digest, "侵权", Extent.EVERYWHERE)

    for cell in ("图1.jpg", digest):
        for dry_run in (True, False):
            report = await imported(kernel, folder, [cell], dry_run=dry_run)
            assert [fault.field for fault in report.faults] == ["pictures"]
    assert await shown(kernel) == ()


@pytest.mark.usefixtures("market")
async def test_a_place_that_holds_no_pictures_is_refused(kernel: Kernel, folder: Path) -> None:
    broken = folder.parent / "broken.zip"
    broken.write_bytes(b"no archive")

    for place in (broken, folder.parent / "absent"):
        with pytest.raises(Invalid) as refused:
            await imported(kernel, place, ["x"])
        assert refused.value.members["field"] == "pictures"


@pytest.mark.usefixtures("market")
async def test_a_picture_known_by_its_digest_needs_no_file(kernel: Kernel, tmp_path: Path) -> None:
    kept = await pictures.store_picture(kernel, By(OPERATOR, "test", AT), a_picture())

    report = await imported(kernel, tmp_path, [kept.digest])

    assert report.imported == 1
    assert await shown(kernel) == (kept.digest,)

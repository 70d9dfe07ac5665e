"""Importing real files into a real database."""

import csv
import time
from pathlib import Path

import pytest
from openpyxl import Workbook

from catalog.classification import service as classification
from catalog.goods import service
from catalog.goods.service import GoodsOptions
from catalog.products import service as products
from catalog.products.service import Wanted
from kernel.problems import Invalid, NotFound
from kernel.runtime import Kernel
from tests.builders.catalog import a_market
from tests.builders.registries import OPERATOR, a_credit_code

GOODS = Path(__file__).parents[4] / "shared/data/goods/litemall_goods.csv"


async def test_litemall(kernel: Kernel) -> None:
    await a_market(kernel, category="A05000000", max_unit_price_fen=100_000_00)
    options = GoodsOptions(category="A05000000", agreement="ZJKJ-2026-001", supplier=a_credit_code(101))
    for dry in (True, False, False):
        import msgspec

        t = time.perf_counter()
        r = await service.import_goods(
            kernel, OPERATOR, GOODS, msgspec.structs.replace(options, dry_run=dry), lambda a, b: print(a, b)
        )
        print(time.perf_counter() - t, r)
    print(await products.find(kernel, Wanted(text="羊毛"), limit=2))
    print(await products.facets(kernel, Wanted()))

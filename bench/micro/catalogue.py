"""
Import of goods and search of the catalogue, on a real embedded PostgreSQL with fsync on.

    .venv/bin/python bench/micro/catalogue.py [PRODUCTS]

Synthetic names of brand, category and model, every third without spaces, one offer each. Prints rows a second
of the import, and milliseconds (median, 95th percentile) of a first page by class of query. Left out: HTTP,
concurrency, attributes, a catalogue larger than memory.
"""

import asyncio
import csv
import os
import sys
import tempfile
from datetime import date
from itertools import count
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter

from catalog.agreements import service as agreements
from catalog.agreements.rules import Package, Subject
from catalog.classification import service as classification
from catalog.goods.service import GoodsOptions, import_goods
from catalog.products import service as products
from catalog.products.queries import Sort
from catalog.products.service import Wanted
from kernel.access.actors import system_actor
from kernel.clock import SystemClock
from kernel.db.database import Database
from kernel.engines.locate import postgres_bindir, redis_program
from kernel.engines.postgres import PostgresServer
from kernel.engines.valkey import ValkeyServer
from kernel.runtime import Kernel, open_kernel
from kernel.settings import Settings
from portal.app import load_actor
from portal.migrate import migrate
from registries.organisations import service as organisations
from registries.organisations.rules import Kind

ACTOR = system_actor("bench")
BRANDS = ["联想", "华为", "清华同方", "惠普", "戴尔", "得力", "晨光", "震旦", "海尔", "格力"]
CATEGORIES = ["A02010108", "A02010105", "A02010104", "A05010301", "A05010201", "A05040101", "A02061804", "A02020100"]
SELLER = "91330000733796106P"
ROUNDS = 7


def write(path: Path, rows: int, names: dict[str, str]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["number", "name", "category", "brand", "model", "unit", "price"])
        for n in range(rows):
            brand, code = BRANDS[n % 10], CATEGORIES[n // 10 % 8]
            gap = "" if n % 3 == 0 else " "
            model = f"{'ABCDEFGH'[n % 8]}{n * 7919 % 100_000}-{n % 97}"
            name = f"{brand}{gap}{names[code]}{gap}{model}{gap}{8 + n % 5 * 8}GB{gap}政企版"
            writer.writerow([n, name, code, brand, model, "台", f"{100 + n % 5000}.{n % 100:02d}"])


async def prepare(kernel: Kernel) -> None:
    await classification.load_common_codes(kernel, ACTOR)
    seller = await organisations.register_organisation(
        kernel, ACTOR, kind=Kind.SUPPLIER, name="供应商", credit_code=SELLER, region="330000"
    )
    today = kernel.clock.now().date()
    await agreements.conclude_agreement(
        kernel,
        ACTOR,
        number="BENCH",
        title="框架协议",
        organiser="采购中心",
        subject=Subject.GOODS,
        valid_from=date(today.year, 1, 1),
        valid_to=date(today.year, 12, 31),
        regions=("330000",),
        packages=(Package(1, "一包", "2022", "A", 10**12, (seller,)),),
    )


async def search(kernel: Kernel, label: str, queries: list[Wanted], sort: Sort = Sort.RELEVANCE) -> None:
    taken = []
    found = 0
    for _ in range(ROUNDS):
        for wanted in queries:
            began = perf_counter()
            found += len((await products.find(kernel, wanted, sort=sort)).items)
            taken.append((perf_counter() - began) * 1000)
    p95 = quantiles(taken, n=20)[-1]
    print(f"{label:28} {median(taken):8.1f} {p95:8.1f} ms   {found / len(taken):5.1f} rows")


async def main(rows: int, folder: Path, database_url: str, redis_url: str) -> None:
    await migrate(database_url)
    settings = Settings()
    async with open_kernel(
        settings, SystemClock(), database_url=database_url, redis_url=redis_url, load_actor=load_actor
    ) as kernel:
        await prepare(kernel)
        names = (await classification.names_and_parents(kernel, "2022"))[0]
        path = folder / "goods.csv"
        write(path, rows, names)
        options = GoodsOptions(agreement="BENCH", supplier=SELLER)
        for label in ("import", "import again"):
            began = perf_counter()
            report = await import_goods(kernel, ACTOR, path, options)
            took = perf_counter() - began
            print(f"{label:28} {rows / took:8.0f} rows/s  {report.imported} new, {report.unchanged} unchanged")
        owner = await Database(database_url, role=None).connect()
        await owner.execute("vacuum analyze")
        await owner.close()
        models = [f"{'ABCDEFGH'[n % 8]}{n * 7919 % 100_000}" for n in range(0, rows, max(1, rows // 20))]
        await search(kernel, "everything, newest", [Wanted()], Sort.NEWEST)
        await search(kernel, "everything, cheapest", [Wanted()], Sort.PRICE)
        await search(kernel, "category", [Wanted(category=code) for code in CATEGORIES])
        await search(kernel, "brand word", [Wanted(text=brand) for brand in BRANDS])
        await search(kernel, "brand and category, unspaced", [Wanted(text=f"{brand}办公椅") for brand in BRANDS])
        await search(
            kernel, "brand and category, price", [Wanted(text=f"{brand}办公椅") for brand in BRANDS], Sort.PRICE
        )
        await search(kernel, "model", [Wanted(text=model) for model in models])
        await search(kernel, "model fragment", [Wanted(text=model[1:4]) for model in models])
        await search(kernel, "nothing found", [Wanted(text=text) for text in ("挖掘机", "消防车", "龘龘龘")])
        began = perf_counter()
        for number in count():
            await products.facets(kernel, Wanted(text=BRANDS[number]))
            if number == 9:
                break
        print(f"{'facets of a brand':28} {(perf_counter() - began) * 100:8.1f} ms mean")


if __name__ == "__main__":
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    with tempfile.TemporaryDirectory() as temporary:
        os.chmod(temporary, 0o755)  # noqa: S103, PTH101  the server's own account must get in
        here = Path(temporary)
        (here / "pg").mkdir()
        (here / "valkey").mkdir()
        with (
            PostgresServer(postgres_bindir(), here / "pg") as postgres,
            ValkeyServer(redis_program(), here / "valkey") as valkey,
        ):
            asyncio.run(main(size, here, postgres.url_of("postgres"), valkey.url))

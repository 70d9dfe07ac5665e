"""What earlier runs found: one JSON object a line in ``bench/results/`` (not in git), drawn as a table and as SVG."""

import html as markup
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
from rich.console import Console
from rich.table import Table

from bench.result import CHECKOUT, Result

RESULTS: Final = CHECKOUT / "bench" / "results"
_SHOWN: Final = 30
_BARS: Final = "▁▂▃▄▅▆▇█"
_WIDTH, _HEIGHT = 420, 90


class Line(NamedTuple):
    """One metric over all runs: (when, commit, figure, ok), the oldest first; ``bar`` is the latest."""

    bench: str
    metric: str
    of: str
    bar: float | None
    points: list[tuple[str, str, float, bool]]


def append(found: Result, directory: Path = RESULTS) -> None:
    """Keep a result."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / f"{found.bench}.jsonl").open("ab") as file:
        file.write(msgspec.json.encode(found) + b"\n")


def read(directory: Path = RESULTS) -> Iterator[Result]:
    """Read all results that were kept, each bench's in the order of its runs; what is not one is passed over."""
    for path in sorted(directory.glob("*.jsonl")):
        for line in path.read_bytes().splitlines():
            try:
                yield msgspec.json.decode(line, type=Result)
            except msgspec.DecodeError:
                continue


def lines(results: Sequence[Result]) -> list[Line]:
    """Follow each metric through the results."""
    found: dict[tuple[str, str], Line] = {}
    for result in results:
        for bar in result.bars:
            known = found.get((result.bench, bar.metric))
            points = known.points if known else []
            figure = bar.ratio if bar.of == "ratio" else bar.value
            points.append((result.at, result.commit["id"], float(figure or 0.0), bar.ok))
            found[result.bench, bar.metric] = Line(result.bench, bar.metric, bar.of, bar.bar, points)
    return list(found.values())


def report(console: Console, *, as_json: bool, html: Path | None, directory: Path = RESULTS) -> int:
    """Show the history; 1 when there is none yet."""
    found = lines(list(read(directory)))
    if as_json:
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    elif not found:
        console.print("nothing measured yet: run `zhecai bench all`")
    else:
        console.print(_table(found))
    if html is not None:
        html.write_text(page(found), "utf-8")
        if not as_json:
            console.print(f"written to {html}")
    return 0 if found else 1


def _table(found: Sequence[Line]) -> Table:
    table = Table("bench", "metric", "runs", "history", "latest", "bar", "", title="zhecai bench report")
    for line in found:
        figures = [figure for _, _, figure, _ in line.points][-_SHOWN:]
        sign = "≥" if line.of == "ratio" else "≤"
        latest = line.points[-1]
        table.add_row(
            line.bench,
            line.metric,
            str(len(line.points)),
            sparkline(figures),
            f"{latest[2]:.2f}",
            "" if line.bar is None else f"{sign} {line.bar:g}",
            "" if line.bar is None else "[green]✓[/]" if latest[3] else "[red]✗[/]",
        )
    return table


def sparkline(figures: Sequence[float]) -> str:
    """Draw figures as one row of blocks, scaled from zero to the greatest."""
    top = max(figures, default=0.0) or 1.0
    return "".join(_BARS[min(len(_BARS) - 1, int(figure / top * len(_BARS)))] for figure in figures)


def page(found: Sequence[Line]) -> str:
    """Draw each metric as SVG on a page that needs nothing else: points, and the bar as a dashed line."""
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'><title>zhecai bench</title>",
        "<style>body{font:14px system-ui;margin:2rem}figure{display:inline-block;margin:1rem}</style>",
        "<h1>zhecai bench</h1>",
    ]
    parts += [_figure(line) for line in found]
    return "".join(parts) + "</html>\n"


def _figure(line: Line) -> str:
    points = line.points[-_SHOWN:]
    top = max([figure for _, _, figure, _ in points] + [line.bar or 0.0]) * 1.1 or 1.0

    def place(number: int, figure: float) -> tuple[float, float]:
        return 10 + number * (_WIDTH - 20) / max(1, len(points) - 1), _HEIGHT - figure / top * (_HEIGHT - 10)

    places = [
        (*place(number, figure), at, commit, figure, ok) for number, (at, commit, figure, ok) in enumerate(points)
    ]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y, *_ in places)
    dots = "".join(_dot(*each) for each in places)
    bar = "" if line.bar is None else _bar(place(0, line.bar)[1])
    return (
        f"<figure><figcaption>{markup.escape(f'{line.bench}: {line.metric}')}, latest {points[-1][2]:.2f}</figcaption>"
        f"<svg width='{_WIDTH}' height='{_HEIGHT}' role='img' aria-label='{markup.escape(line.metric)}'>"
        f"{bar}<polyline points='{path}' fill='none' stroke='#1d4ed8'/>{dots}</svg></figure>"
    )


def _bar(y: float) -> str:
    return f"<line x1='0' x2='{_WIDTH}' y1='{y:.1f}' y2='{y:.1f}' stroke='#b00' stroke-dasharray='4'/>"


def _dot(x: float, y: float, at: str, commit: str, figure: float, ok: Any) -> str:
    title = markup.escape(f"{at} {commit}: {figure:.3f}")
    return (
        f"<circle cx='{x:.1f}' cy='{y:.1f}' r='3' fill='{'#15803d' if ok else '#b00'}'><title>{title}</title></circle>"
    )

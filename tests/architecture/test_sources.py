"""House rules on the sources: sizes, places, entrances; what no tool of pyproject.toml can say."""

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
PACKAGES: Final = ("crypto", "kernel", "registries", "catalog", "budget", "market", "portal")
WITH_AREAS: Final = ("registries", "catalog", "budget", "market")

FILE_LINES_MAX: Final = 500
FUNCTION_LINES_MAX: Final = 70
GENERATED: Final = frozenset({"portal/ui/src/api/schema.d.ts", "portal/ui/package-lock.json"})

AREA_FILES: Final = frozenset(
    {f"{name}.py" for name in ("api", "live", "worker", "service", "queries", "tables", "rules", "lifecycle")}
    | {"__init__.py"}
)
DATA_ENDINGS: Final = frozenset({".tsv"})
ENTRANCES: Final = frozenset({"service", "rules", "lifecycle"})
FORBIDDEN_NAMES: Final = frozenset({"utils", "helpers", "common", "manager", "misc", "base"})


@cache
def tracked() -> tuple[str, ...]:
    """Every file that git keeps and that is there, by its path from the root."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S607
    return tuple(name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file())


def texts(*endings: str) -> Iterator[tuple[str, str]]:
    for name in tracked():
        if name not in GENERATED and name.endswith(endings):
            yield name, (ROOT / name).read_text("utf-8")


def test_no_file_is_longer_than_one_can_keep_in_mind() -> None:
    long = {name: size for name, text in texts(".py", ".ts", ".vue") if (size := text.count("\n")) > FILE_LINES_MAX}

    assert not long, f"split by noun (at most {FILE_LINES_MAX} lines)"


def test_no_function_is_longer_than_a_screen() -> None:
    long = {
        f"{name}:{node.lineno} {node.name}": size
        for name, text in texts(".py")
        if not name.startswith("portal/migrations/")  # a list of tables has no parts
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (size := (node.end_lineno or 0) - node.lineno + 1) > FUNCTION_LINES_MAX
    }

    assert not long, f"split (at most {FUNCTION_LINES_MAX} lines)"


def test_no_function_of_the_pages_is_longer_than_a_screen() -> None:
    """A composable (``useCart``) is a component's script that stands in a file of its own: its parts are measured."""
    begins = re.compile(
        r"^( *)(?:export )?(?:default )?(?:async )?"
        r"(?:function (?!use[A-Z])|const (?!use[A-Z])\w+ = (?:async )?\(.*=> \{$)"
    )
    long: dict[str, int] = {}
    for name, text in texts(".ts", ".vue"):
        lines = text.splitlines()
        for start, line in enumerate(lines):
            if begin := begins.match(line):
                ends = (index for index in range(start, len(lines)) if lines[index].startswith(f"{begin[1]}}}"))
                size = next(ends, start) - start + 1
                if size > FUNCTION_LINES_MAX:
                    long[f"{name}:{start + 1}"] = size

    assert not long, f"split (at most {FUNCTION_LINES_MAX} lines)"


def test_no_module_is_named_for_having_no_subject() -> None:
    assert not [name for name in tracked() if name.endswith(".py") and Path(name).stem in FORBIDDEN_NAMES]


@pytest.mark.parametrize("package", WITH_AREAS)
def test_an_area_holds_the_fixed_files_and_its_data_only(package: str) -> None:
    strange = [
        name
        for name in tracked()
        if name.startswith(f"{package}/")
        and name != f"{package}/__init__.py"
        and not (len(parts := name.split("/")) == 3 and (parts[2] in AREA_FILES or Path(name).suffix in DATA_ENDINGS))
    ]

    assert not strange


def test_a_package_begins_with_a_docstring_and_nothing_else() -> None:
    busy = [
        name
        for name, text in texts("__init__.py")
        if name.startswith(PACKAGES) and (len(body := ast.parse(text).body) != 1 or not isinstance(body[0], ast.Expr))
    ]

    assert not busy


def test_an_area_is_entered_through_its_service_and_its_rules() -> None:
    """``portal`` composes routes, halls and workers; a query may join the tables of a lower area."""
    wrong = [
        f"{name} imports {area}.{module}"
        for name, text in texts(".py")
        if name.startswith(PACKAGES)
        for area, module in _areas_imported(text)
        if not name.startswith(f"{area.replace('.', '/')}/")
        and module not in ENTRANCES
        and not (module == "tables" and name.endswith("/queries.py"))
        and not (module in {"api", "live", "worker"} and name == "portal/app.py")
    ]

    assert not wrong


def _areas_imported(text: str) -> Iterator[tuple[str, str]]:
    """Yield (``market.orders``, ``service``) for each way to write the import of an area's module."""
    for node in ast.walk(ast.parse(text)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            deep = node.module.count(".") >= 2
            names = [node.module] if deep else [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] in WITH_AREAS and len(parts) > 2:
                yield ".".join(parts[:2]), parts[2]


def test_a_test_stands_where_its_module_stands() -> None:
    """``market/auctions/rules.py`` is tested in ``tests/market/auctions``: no folder without a subject."""
    free = {"architecture", "browser", "builders", "conformance", "crash"}
    folders = {Path(name).parent.relative_to("tests") for name in tracked() if name.startswith("tests/")}
    strange = [
        str(folder)
        for folder in folders
        if folder.parts and folder.parts[0] not in free and not (ROOT / folder).is_dir()
    ]

    assert not strange


def test_a_todo_names_its_issue() -> None:
    nameless = re.compile(r"\b(?:TODO|FIXME|XXX)\b(?!.*#\d+)")
    own = "tests/architecture/test_sources.py"
    found = [
        f"{name}:{number}"
        for name, text in texts(".py", ".ts", ".vue", ".css", "Makefile")
        if name != own
        for number, line in enumerate(text.splitlines(), 1)
        if nameless.search(line)
    ]

    assert not found


def test_no_lock_file_names_where_to_download() -> None:
    address = re.compile(r'"resolved": *"http|--(?:extra-)?index-url|https?://\S+\.(?:whl|tgz|tar\.gz)')
    locks = ("requirements/", "portal/ui/package-lock.json", "pyproject.toml")
    found = [name for name in tracked() if name.startswith(locks) and address.search((ROOT / name).read_text("utf-8"))]

    assert not found


def test_no_file_names_a_path_of_the_machine_it_was_written_on() -> None:
    homes = re.compile(r"(?<![\w.~])/(?:home/\w+|root|Users/\w+|work)/\w")
    found = [
        f"{name}: {match[0]}"
        for name, text in texts(".py", ".ts", ".vue", ".md", ".toml", ".txt", ".json", "Makefile", "run")
        if (match := homes.search(text)) and name != "tests/architecture/test_sources.py"
    ]

    assert not found

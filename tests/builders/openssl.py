"""The program openssl: somebody else's reading of what we write. ``make test`` installs it on Debian."""

import shutil
import subprocess

import pytest


def openssl(*arguments: object) -> "subprocess.CompletedProcess[str]":
    """Run it; skips the test where it is not installed."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("needs the program openssl (Debian: apt install openssl)")
    command = [program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)

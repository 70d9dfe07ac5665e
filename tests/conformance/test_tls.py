"""The service's TLS in the eyes of sslyze, which has an environment of its own: it wants an older cryptography."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from kernel.settings import Settings
from kernel.vault.identities import identities_of
from tests.builders.environment import bare_environment

SSLYZE = Path(sys.prefix) / "tls" / "bin" / "sslyze"
PATIENCE_S = 120
HELD = "OK - Compliant"

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(not SSLYZE.exists(), reason="needs sslyze in .venv/tls: make test"),
]


class Site(NamedTuple):
    """A service that speaks TLS with a certificate that it made itself."""

    port: int
    root: Path

    def judged(self, *options: str) -> str:
        """All that sslyze says of the service; its own exit status is not zero when it finds something."""
        done = subprocess.run(
            [SSLYZE, "--certinfo_ca_file", self.root, *options, f"localhost:{self.port}"],
            capture_output=True, text=True, timeout=PATIENCE_S, check=False,
        )  # fmt: skip
        return done.stdout + done.stderr


@contextmanager
def serving(data_dir: Path, database_url: str, redis_url: str) -> Iterator[Site]:
    environment = bare_environment()
    environment |= {"ZHECAI_TLS": "on", "ZHECAI_DATABASE_URL": database_url, "ZHECAI_REDIS_URL": redis_url}
    log = data_dir / "log"
    with log.open("wb") as out:
        command = (sys.executable, "-m", "portal", "serve", "--port", "0", "--data", str(data_dir))
        process = subprocess.Popen(command, stdout=out, stderr=out, env=environment)
    try:
        limit_s = time.monotonic() + PATIENCE_S  # noqa: TID251 - a real process takes real time
        while not (ready := re.search(r"https://127\.0\.0\.1:(\d+)", log.read_text())):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < limit_s, "it took too long"  # noqa: TID251
            time.sleep(0.05)
        yield Site(int(ready[1]), identities_of(Settings(data_dir=data_dir)).trial_root)
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


@pytest.fixture
def site(tmp_path: Path, database_url: str, redis_url: str) -> Iterator[Site]:
    with serving(tmp_path, database_url, redis_url) as found:
        yield found


def test_the_service_is_what_mozilla_calls_intermediate(site: Site) -> None:
    said = site.judged("--mozilla_config", "intermediate")

    assert HELD in said, said


def test_sslyze_would_say_so_if_it_were_not(site: Site) -> None:
    """TLS 1.2 is still spoken, which Mozilla's modern set forbids."""
    said = site.judged("--mozilla_config", "modern")

    assert HELD not in said
    assert "TLSv1.2" in said

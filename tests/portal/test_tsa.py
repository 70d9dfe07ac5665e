"""``zhecai tsa`` as a process of its own: it stamps, is killed, and goes on without giving a number twice."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from crypto.timestamps.authority import Authority
from crypto.timestamps.request import StampRequest, imprint_of
from crypto.timestamps.response import token_of
from crypto.timestamps.verify import verify_answer
from kernel.clock import SystemClock
from kernel.settings import Settings
from kernel.timestamps.client import QUERY, read_trust
from kernel.vault.identities import Service, identities_of
from portal.cli import main

_READY = re.compile(r'"url": ?"([^"]+)"')


class Tsa:
    """The process."""

    def __init__(self, data: Path) -> None:
        command = [sys.executable, "-m", "portal", "tsa", "--port", "0", "--data", str(data)]
        environment = {**os.environ, "ZHECAI_LOG_FORMAT": "json"}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)
        self.url = self._ready()

    def _ready(self) -> str:
        assert self.process.stdout is not None
        said = b""
        for line in self.process.stdout:
            said += line
            if b"tsa.ready" in line and (found := _READY.search(line.decode())):
                return found[1]
        raise AssertionError(said.decode())

    def stop(self, number: int) -> int:
        self.process.send_signal(number)
        status = self.process.wait(timeout=20)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status


@pytest.fixture
def data(tmp_path: Path) -> Path:
    identities_of(Settings(data_dir=tmp_path)).make_trial(SystemClock().now(), name="测试", hosts=("localhost",))
    return tmp_path


@pytest.fixture
def started(data: Path) -> Iterator[list[Tsa]]:
    running = [Tsa(data)]
    yield running
    for one in running:
        if one.process.poll() is None:
            one.stop(signal.SIGKILL)


def serial_of(url: str, data: Path) -> int:
    request = StampRequest(imprint_of(b"contract"), nonce=1)
    answer = httpx2.post(url, content=request.encode(), headers={"Content-Type": QUERY}, timeout=10)
    trust = read_trust(identities_of(Settings(data_dir=data)).trial_root)
    return verify_answer(token_of(answer.content), request, trust).serial


def test_it_goes_on_after_being_killed_and_gives_no_number_twice(started: list[Tsa], data: Path) -> None:
    serials = [serial_of(started[0].url, data) for _ in range(3)]
    started[0].stop(signal.SIGKILL)
    started.append(Tsa(data))
    serials += [serial_of(started[1].url, data) for _ in range(3)]

    assert [serial >> 64 for serial in serials] == [1, 2, 3, 4, 5, 6]
    assert started[1].stop(signal.SIGTERM) == 0
    assert main(("tsa", "--check", "--data", str(data))) == 0


def test_without_a_certificate_it_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portal.commands.tsa.configure_logging", lambda _level, _form: None)
    assert main(("tsa", "--data", str(tmp_path))) == 2
    assert "zhecai keys request tsa" in " ".join(capsys.readouterr().err.split())


def test_without_a_register_the_check_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(("tsa", "--check", "--data", str(tmp_path))) == 2
    assert "There is no register" in " ".join(capsys.readouterr().err.split())


def test_a_key_gets_its_certificate_from_the_trial_authority(tmp_path: Path) -> None:
    """The way that docs/production.md describes; whoever has the root can check what is stamped."""
    data, ca = str(tmp_path / "data"), tmp_path / "ca"
    secret = tmp_path / "passphrase"
    secret.write_text("correct horse battery staple")
    common = ("--dir", str(ca), "--passphrase-file", str(secret))
    request, issued = tmp_path / "tsa.csr", tmp_path / "tsa.pem"
    for command in (
        ("ca", "init", *common, "--organisation", "某市财政局"),
        ("keys", "request", "tsa", "--data", data, "--name", "某市时间戳", "--out", str(request)),
        ("ca", "issue", "time-stamping", *common, "--name", "某市时间戳", "--csr", str(request), "--out", str(issued)),
        ("keys", "adopt", "tsa", str(issued), str(ca / "issuing.pem"), "--data", data),
        ("keys", "list", "--data", data),
    ):
        assert main(command) == 0, command
    found = identities_of(Settings(data_dir=Path(data))).load(Service.TSA)
    assert found is not None
    first, *chain = (x509.load_der_x509_certificate(one.der) for one in (found.certificate, *found.chain))
    assert isinstance(found.key, ec.EllipticCurvePrivateKey)
    authority = Authority(found.key, first, chain, policy="1.2.3", accuracy=timedelta(seconds=1))
    request_, at = StampRequest(imprint_of(b"contract")), SystemClock().now()

    stamp = verify_answer(authority.token(request_, serial=1, at=at), request_, read_trust(ca / "root.pem"))
    assert abs(stamp.at - at) < timedelta(milliseconds=1)

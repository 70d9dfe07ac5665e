"""TLS by default where others reach the service; old versions and weak ciphers get nowhere."""

import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from kernel.allowances import TlsMode
from kernel.clock import SystemClock
from kernel.settings import Settings, SettingsError
from kernel.vault.identities import Service, identities_of
from portal.server import listen, service_up
from portal.tls import CIPHERS, speaks_tls, tls_context
from tests.conftest import KernelMaker

ANY = "0.0.0.0"  # noqa: S104 - only a setting


@pytest.mark.parametrize(
    ("changes", "tls"),
    [
        ({}, False),
        ({"bind": "::1"}, False),
        ({"bind": "localhost"}, False),
        ({"bind": ANY}, True),
        ({"bind": "192.0.2.7"}, True),
        ({"bind": "zc.example.cn"}, True),
        ({"bind": ANY, "demo": True}, False),
        ({"bind": ANY, "tls": TlsMode.OFF}, False),
        ({"tls": TlsMode.ON}, True),
        ({"tls_cert": Path("c"), "tls_key": Path("k")}, True),
    ],
)
def test_the_service_speaks_tls_unless_only_this_machine_reaches_it(changes: dict[str, Any], tls: bool) -> None:  # noqa: FBT001
    assert speaks_tls(Settings(**changes)) is tls


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, public_url="https://zc.example.cn", tls=TlsMode.ON)


@contextmanager
def serving(context: ssl.SSLContext) -> Iterator[int]:
    """A server that greets whoever gets through, once."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            try:
                raw, _ = listener.accept()
                with context.wrap_socket(raw, server_side=True) as connection:
                    connection.sendall(b"hello")
            except OSError:
                return

        thread = threading.Thread(target=greet)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(10)


def greeted(port: int, client: ssl.SSLContext, host: str = "zc.example.cn") -> tuple[bytes, str | None, str]:
    with (
        socket.create_connection(("127.0.0.1", port), 10) as raw,
        client.wrap_socket(raw, server_hostname=host) as connection,
    ):
        cipher = connection.cipher()
        return connection.recv(5), connection.version(), cipher[0] if cipher else ""


def a_client(settings: Settings, **limits: Any) -> ssl.SSLContext:
    client = ssl.create_default_context(cafile=str(identities_of(settings).trial_root))
    for name, value in limits.items():
        setattr(client, name, value)
    return client


@pytest.mark.parametrize("host", ["zc.example.cn", "localhost"])
def test_a_client_that_trusts_the_root_gets_through(settings: Settings, host: str) -> None:
    with serving(tls_context(settings, SystemClock())) as port:
        said, version, _ = greeted(port, a_client(settings), host)
    assert (said, version) == (b"hello", "TLSv1.3")


def test_tls_1_2_has_forward_secrecy_and_authenticated_encryption(settings: Settings) -> None:
    with serving(tls_context(settings, SystemClock())) as port:
        _, version, cipher = greeted(port, a_client(settings, maximum_version=ssl.TLSVersion.TLSv1_2))
    assert version == "TLSv1.2"
    assert cipher in CIPHERS


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_tls_1_1_gets_nowhere(settings: Settings) -> None:
    context = tls_context(settings, SystemClock())
    client = a_client(settings)
    client.set_ciphers("ALL:@SECLEVEL=0")
    client.minimum_version = ssl.TLSVersion.TLSv1_1
    client.maximum_version = ssl.TLSVersion.TLSv1_1
    with serving(context) as port, pytest.raises(OSError, match=r"(?i)version|protocol|eof|reset|alert"):
        greeted(port, client)


@pytest.mark.parametrize("cipher", ["AES256-GCM-SHA384", "ECDHE-ECDSA-AES256-SHA384", "ECDHE-ECDSA-AES128-SHA"])
def test_other_ciphers_of_tls_1_2_get_nowhere(settings: Settings, cipher: str) -> None:
    context = tls_context(settings, SystemClock())
    client = a_client(settings, maximum_version=ssl.TLSVersion.TLSv1_2)
    client.set_ciphers(cipher)
    with serving(context) as port, pytest.raises(OSError, match=r"(?i)handshake|alert|eof|reset"):
        greeted(port, client)


@pytest.mark.parametrize(("group", "good"), [("P-256", True), ("X448", False), ("P-521", False), ("ffdhe2048", False)])
def test_keys_are_agreed_on_one_curve(settings: Settings, group: str, good: bool) -> None:  # noqa: FBT001
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs the program openssl (Debian: apt install openssl)")
    with serving(tls_context(settings, SystemClock())) as port:
        done = subprocess.run(
            [openssl, "s_client", "-groups", group, "-connect", f"127.0.0.1:{port}"],
            input=b"", capture_output=True, check=False, timeout=20,
        )  # fmt: skip
    assert (b"Cipher is TLS_" in done.stdout) is good, done.stdout


def test_a_host_that_the_certificate_does_not_name_is_refused_by_the_client(settings: Settings) -> None:
    with serving(tls_context(settings, SystemClock())) as port, pytest.raises(ssl.SSLCertVerificationError):
        greeted(port, a_client(settings), "other.example.cn")


def test_the_certificate_is_made_once_and_for_tls_alone(settings: Settings) -> None:
    tls_context(settings, SystemClock())
    first = identities_of(settings).load(Service.TLS)
    tls_context(settings, SystemClock())
    again = identities_of(settings).load(Service.TLS)

    assert first is not None
    assert again is not None
    assert first.certificate == again.certificate
    assert identities_of(settings).load(Service.SEAL) is None


def test_a_named_certificate_is_used(tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs the program openssl (Debian: apt install openssl)")
    made = subprocess.run(
        [
            openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=zc.example.cn", "-addext", "subjectAltName=DNS:zc.example.cn", "-keyout", key, "-out", cert,
        ],
        capture_output=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    named = Settings(data_dir=tmp_path, tls_cert=cert, tls_key=key)
    with serving(tls_context(named, SystemClock())) as port:
        said, _, _ = greeted(port, ssl.create_default_context(cafile=str(cert)))
    assert said == b"hello"
    assert identities_of(named).load(Service.TLS) is None


@pytest.mark.parametrize("content", [None, b"nothing"])
def test_a_certificate_that_cannot_be_used_is_said(tmp_path: Path, content: bytes | None) -> None:
    cert = tmp_path / "cert.pem"
    if content is not None:
        cert.write_bytes(content)
    with pytest.raises(SettingsError, match="cannot be used"):
        tls_context(Settings(data_dir=tmp_path, tls_cert=cert, tls_key=cert), SystemClock())


async def test_the_whole_service_answers_over_tls(make_kernel: KernelMaker, tmp_path: Path) -> None:
    kernel = await make_kernel(data_dir=tmp_path, tls=TlsMode.ON, port=0)
    with listen(kernel.settings) as listener:
        async with service_up(kernel, listener) as url:
            trust = a_client(kernel.settings)
            async with httpx2.AsyncClient(verify=trust) as client:
                answer = await client.get(url.replace("127.0.0.1", "localhost") + "/healthz")
            async with httpx2.AsyncClient() as stranger:
                with pytest.raises(httpx2.ConnectError, match="certificate verify failed"):
                    await stranger.get(url + "/healthz")
    assert (url.startswith("https://"), answer.status_code) == (True, 200)

"""
TLS of the web site: Mozilla's *intermediate* set, version 5.7 without DHE.

TLS 1.2 and 1.3, forward secrecy, authenticated encryption; the client's order of ciphers counts, since all are good and
it knows whether it computes AES quickly. ``sslyze --mozilla_config intermediate`` finds nothing against it, given the
root: ``tests/conformance/test_tls.py``.

The private key that ``zhecai keys`` holds never lies on a disk in the clear: it reaches OpenSSL through memory.
"""

import ipaddress
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from crypto import signatures
from crypto.errors import CryptoError
from kernel.allowances import TlsMode
from kernel.clock import Clock
from kernel.settings import Settings, SettingsError
from kernel.vault.identities import Identity, Service, identities_of

CIPHERS: Final = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
)
"""Of TLS 1.2; those of TLS 1.3 are all good."""


def speaks_tls(settings: Settings) -> bool:
    """Say whether the service itself speaks TLS."""
    match settings.tls:
        case TlsMode.ON:
            return True
        case TlsMode.OFF:
            return False
        case TlsMode.AUTO:
            return settings.tls_cert is not None or not (_loopback(settings.bind) or settings.demo)


def tls_context(settings: Settings, clock: Clock) -> ssl.SSLContext:
    """
    Make the server's side of TLS: the certificate that is named, or that of ``zhecai keys``, or one for a trial.

    Raises:
        SettingsError: certificate or key cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(":".join(CIPHERS))
    context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_ecdh_curve("prime256v1")  # Mozilla's set has X25519 and P-384 too; Python before 3.15 takes one alone
    context.set_alpn_protocols(["http/1.1"])
    try:
        if settings.tls_cert is not None:
            context.load_cert_chain(settings.tls_cert, settings.tls_key, password=lambda: "")  # asks nobody
        else:
            with _in_memory(_identity(settings, clock)) as path:
                context.load_cert_chain(path)
    except (OSError, ssl.SSLError, CryptoError) as error:
        raise SettingsError(
            f"网站的 TLS 证书或私钥不能使用：{error}。",
            f"The TLS certificate or key of the site cannot be used: {error}.",
        ) from error
    return context


def _identity(settings: Settings, clock: Clock) -> Identity:
    identities = identities_of(settings)
    found = identities.load(Service.TLS)
    if found is None:
        host = urlsplit(settings.public_url or "").hostname
        hosts = tuple(dict.fromkeys(name for name in (host, "localhost") if name))
        identities.make_trial(clock.now(), name="浙采", hosts=hosts, services=(Service.TLS,))
        found = identities.load(Service.TLS)
    assert found is not None
    return found


@contextmanager
def _in_memory(identity: Identity) -> Iterator[Path]:
    """Lend key and certificates as a file that is in memory only: Python's ``ssl`` reads nothing but files."""
    key = load_der_private_key(signatures.private_bytes(identity.key), None)
    content = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + identity.pem()
    descriptor = os.memfd_create("tls", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, content)
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

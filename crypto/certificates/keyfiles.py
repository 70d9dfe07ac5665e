"""
Private keys at rest: PKCS#8 encrypted with a passphrase, and PKCS#12 for handing a key and its certificate over.

PBES2 with PBKDF2-HMAC-SHA-256 and AES-256-CBC (RFC 8018): what ``openssl pkey`` reads, for every kind of key, SM2 too.
Cost: :data:`ITERATIONS` rounds, some 0.2 s, meant.
"""

import secrets
from typing import Final

from asn1crypto import algos, keys, pem
from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.asymmetric import mldsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12
from cryptography.x509 import load_der_x509_certificate

from crypto import signatures, sm2
from crypto.certificates import asn1
from crypto.errors import AlgorithmUnavailableError, KeyUnusableError, NotVerifiedError
from crypto.signatures import PrivateKey

ITERATIONS: Final = 600_000
"""OWASP's figure of 2023 for PBKDF2-HMAC-SHA-256."""
_ITERATIONS_MAX: Final = 10_000_000
PASSPHRASE_LEN_MIN: Final = 8
"""Characters."""
_SALT_BYTES: Final = 16
_KEY_BYTES: Final = 32
_BLOCK_BYTES: Final = 16
_LABEL: Final = "ENCRYPTED PRIVATE KEY"


def encrypt_key(key: PrivateKey, passphrase: str) -> bytes:
    """Encrypt a key; return PEM. Raises ``KeyUnusableError`` when the passphrase is too short."""
    _must_be_long(passphrase)
    salt, iv = secrets.token_bytes(_SALT_BYTES), secrets.token_bytes(_BLOCK_BYTES)
    padder = padding.PKCS7(_BLOCK_BYTES * 8).padder()
    plain = padder.update(signatures.private_bytes(key)) + padder.finalize()
    running = Cipher(algorithms.AES(_derived(passphrase, salt, ITERATIONS)), modes.CBC(iv)).encryptor()
    derivation = {
        "algorithm": "pbkdf2",
        "parameters": {
            "salt": algos.Pbkdf2Salt(name="specified", value=salt),
            "iteration_count": ITERATIONS,
            "prf": {"algorithm": "sha256"},
        },
    }
    scheme = {"algorithm": "aes256_cbc", "parameters": iv}
    info = keys.EncryptedPrivateKeyInfo(
        {
            "encryption_algorithm": {
                "algorithm": "pbes2",
                "parameters": {"key_derivation_func": derivation, "encryption_scheme": scheme},
            },
            "encrypted_data": running.update(plain) + running.finalize(),
        }
    )
    return bytes(pem.armor(_LABEL, info.dump()))


def decrypt_key(text: bytes, passphrase: str) -> PrivateKey:
    """
    Read a key that :func:`encrypt_key` or ``openssl pkcs8 -topk8 -v2 aes-256-cbc`` wrote.

    Raises:
        NotVerifiedError: the passphrase is wrong, or the file was changed.
        KeyUnusableError: it is not such a file.
    """
    with asn1.reading(KeyUnusableError("not an encrypted private key (PKCS#8, PBES2) in PEM")):
        _, _, der = pem.unarmor(text)
        info = keys.EncryptedPrivateKeyInfo.load(der, strict=True)
        parameters = info["encryption_algorithm"]["parameters"]
        derivation = parameters["key_derivation_func"]["parameters"]
        scheme = parameters["encryption_scheme"]
        salt, iterations = derivation["salt"].native, derivation["iteration_count"].native
        known = (derivation["prf"]["algorithm"].native, scheme["algorithm"].native) == ("sha256", "aes256_cbc")
        iv, sealed = scheme["parameters"].native, info["encrypted_data"].native
    if not known or not 0 < iterations <= _ITERATIONS_MAX:
        raise KeyUnusableError("the private key is encrypted in a way that is not accepted")
    running = Cipher(algorithms.AES(_derived(passphrase, salt, iterations)), modes.CBC(iv)).decryptor()
    unpadder = padding.PKCS7(_BLOCK_BYTES * 8).unpadder()
    try:
        plain = unpadder.update(running.update(sealed) + running.finalize()) + unpadder.finalize()
        return signatures.load_private_key(plain)
    except (ValueError, KeyUnusableError) as error:
        raise NotVerifiedError("the passphrase is wrong, or the key file was changed") from error


def pkcs12_file(key: PrivateKey, certificate: bytes, chain: list[bytes], *, name: str, passphrase: str) -> bytes:
    """Put a key, its certificate and the chain into a PKCS#12 file; SM2 keys have no place in one."""
    _must_be_long(passphrase)
    if isinstance(key, sm2.PrivateKey | mldsa.MLDSA65PrivateKey):
        raise AlgorithmUnavailableError("SM2 and ML-DSA keys have no place in PKCS#12 here; write PKCS#8 instead")
    own, *others = (load_der_x509_certificate(one) for one in (certificate, *chain))
    return pkcs12.serialize_key_and_certificates(
        name.encode(), key, own, others, BestAvailableEncryption(passphrase.encode())
    )


def _must_be_long(passphrase: str) -> None:
    if len(passphrase) < PASSPHRASE_LEN_MIN:
        raise KeyUnusableError(f"a passphrase has at least {PASSPHRASE_LEN_MIN} characters")


def _derived(passphrase: str, salt: bytes, iterations: int) -> bytes:
    return PBKDF2HMAC(hashes.SHA256(), _KEY_BYTES, salt, iterations).derive(passphrase.encode())

"""
SM2 signatures and encryption (GB/T 32918) through the system's libcrypto, because ``cryptography`` has no SM2 keys.

Signatures are those of GB/T 32918.2 with SM3 over ``Z`` and the message, DER-encoded; ``Z`` holds the signer's
identity, which is :data:`DEFAULT_ID` unless both sides have agreed on another (GM/T 0009-2012, 10). Needed is
OpenSSL 3.0 or later that was built with SM2; :func:`unavailable` says why it cannot be used where it cannot.

This is not a certified module (密码模块): a site that must have one signs through its device.

Cost: 3,800 signatures and 4,200 verifications a second and core (SEALING.md). Calls release the GIL.
"""

import contextlib
import ctypes
import ctypes.util
import functools
import weakref
from collections.abc import Callable
from typing import Any, Final

from crypto.errors import AlgorithmUnavailableError, KeyUnusableError, NotVerifiedError

DEFAULT_ID: Final = b"1234567812345678"
"""The identity that GM/T 0009-2012 prescribes where no other was agreed on."""

SIGNATURE_BYTES_MAX: Final = 72
"""SEQUENCE of two INTEGERs of at most 33 bytes."""
_ID_BYTES_MAX: Final = 8190  # ENTL counts bits in 16 bits, and libcrypto takes one byte less than fits
_OPENSSL_MAJOR_MIN: Final = 3
_PLAINTEXT_BYTES_MAX: Final = 1 << 16

_POINTER: Final = ctypes.c_void_p
_SIZE: Final = ctypes.c_size_t
_BYTES: Final = ctypes.c_char_p
_INT: Final = ctypes.c_int
_LONG: Final = ctypes.c_long

_SIGNATURES: Final[dict[str, tuple[Any, tuple[Any, ...]]]] = {
    "OPENSSL_version_major": (ctypes.c_uint, ()),
    "ERR_clear_error": (None, ()),
    "CRYPTO_free": (None, (_POINTER, _BYTES, _INT)),
    "d2i_PUBKEY": (_POINTER, (_POINTER, ctypes.POINTER(_POINTER), _LONG)),
    "d2i_AutoPrivateKey": (_POINTER, (_POINTER, ctypes.POINTER(_POINTER), _LONG)),
    "i2d_PUBKEY": (_INT, (_POINTER, ctypes.POINTER(_POINTER))),
    "EVP_PKEY2PKCS8": (_POINTER, (_POINTER,)),
    "i2d_PKCS8_PRIV_KEY_INFO": (_INT, (_POINTER, ctypes.POINTER(_POINTER))),
    "PKCS8_PRIV_KEY_INFO_free": (None, (_POINTER,)),
    "EVP_PKEY_free": (None, (_POINTER,)),
    "EVP_PKEY_is_a": (_INT, (_POINTER, _BYTES)),
    "EVP_PKEY_CTX_new": (_POINTER, (_POINTER, _POINTER)),
    "EVP_PKEY_CTX_new_from_name": (_POINTER, (_POINTER, _BYTES, _BYTES)),
    "EVP_PKEY_CTX_free": (None, (_POINTER,)),
    "EVP_PKEY_CTX_set1_id": (_INT, (_POINTER, _BYTES, _INT)),
    "EVP_PKEY_keygen_init": (_INT, (_POINTER,)),
    "EVP_PKEY_generate": (_INT, (_POINTER, ctypes.POINTER(_POINTER))),
    "EVP_PKEY_public_check": (_INT, (_POINTER,)),
    "EVP_PKEY_encrypt_init": (_INT, (_POINTER,)),
    "EVP_PKEY_encrypt": (_INT, (_POINTER, _BYTES, ctypes.POINTER(_SIZE), _BYTES, _SIZE)),
    "EVP_PKEY_decrypt_init": (_INT, (_POINTER,)),
    "EVP_PKEY_decrypt": (_INT, (_POINTER, _BYTES, ctypes.POINTER(_SIZE), _BYTES, _SIZE)),
    "EVP_MD_CTX_new": (_POINTER, ()),
    "EVP_MD_CTX_free": (None, (_POINTER,)),
    "EVP_MD_CTX_set_pkey_ctx": (None, (_POINTER, _POINTER)),
    "EVP_sm3": (_POINTER, ()),
    "EVP_DigestSignInit": (_INT, (_POINTER, _POINTER, _POINTER, _POINTER, _POINTER)),
    "EVP_DigestSign": (_INT, (_POINTER, _BYTES, ctypes.POINTER(_SIZE), _BYTES, _SIZE)),
    "EVP_DigestVerifyInit": (_INT, (_POINTER, _POINTER, _POINTER, _POINTER, _POINTER)),
    "EVP_DigestVerify": (_INT, (_POINTER, _BYTES, _SIZE, _BYTES, _SIZE)),
}


def unavailable() -> str | None:
    """Say why SM2 cannot be computed on this machine; ``None`` when it can."""
    found = _loaded()
    return found if isinstance(found, str) else None


class PublicKey:
    """An SM2 public key, from a SubjectPublicKeyInfo in DER."""

    def __init__(self, spki: bytes) -> None:
        """Raises ``KeyUnusableError`` and ``AlgorithmUnavailableError``."""
        lib = _lib()
        self._handle: Final = _decoded(lib, lib.d2i_PUBKEY, spki)
        self._free: Final = weakref.finalize(self, lib.EVP_PKEY_free, self._handle)
        _must_be_sm2(lib, self._handle)
        self.spki: Final = spki

    def verify(self, signature: bytes, message: bytes, *, identity: bytes = DEFAULT_ID) -> bytes:
        """Return ``message`` if ``signature`` is over it; raises ``NotVerifiedError`` otherwise."""
        lib = _lib()
        with _Digest(lib, self._handle, identity) as digest:
            begun = lib.EVP_DigestVerifyInit(digest, None, lib.EVP_sm3(), None, self._handle) == 1
            good = begun and lib.EVP_DigestVerify(digest, signature, len(signature), message, len(message)) == 1
        lib.ERR_clear_error()
        if not good:
            raise NotVerifiedError("the SM2 signature does not fit the message and the key")
        return message

    def encrypt(self, plaintext: bytes) -> bytes:
        """Encrypt (GB/T 32918.4); return ``SM2Cipher`` in DER (GM/T 0009-2012, 7.2)."""
        if not 0 < len(plaintext) <= _PLAINTEXT_BYTES_MAX:
            raise KeyUnusableError(f"SM2 encrypts 1 to {_PLAINTEXT_BYTES_MAX} bytes")
        lib = _lib()
        encrypted = _transformed(lib, self._handle, lib.EVP_PKEY_encrypt_init, lib.EVP_PKEY_encrypt, plaintext)
        if encrypted is None:
            raise KeyUnusableError("the SM2 key cannot encrypt")
        return encrypted


class PrivateKey:
    """An SM2 private key, from PKCS#8 or SEC 1 in DER, not encrypted."""

    def __init__(self, der: bytes) -> None:
        """Raises ``KeyUnusableError`` and ``AlgorithmUnavailableError``."""
        lib = _lib()
        self._handle: Final = _decoded(lib, lib.d2i_AutoPrivateKey, der)
        self._free: Final = weakref.finalize(self, lib.EVP_PKEY_free, self._handle)
        _must_be_sm2(lib, self._handle)

    @classmethod
    def generate(cls) -> "PrivateKey":
        """Make a key with libcrypto's generator; raises ``AlgorithmUnavailableError``."""
        lib = _lib()
        handle = _POINTER()
        context = lib.EVP_PKEY_CTX_new_from_name(None, b"SM2", None)
        try:
            made = lib.EVP_PKEY_keygen_init(context) == 1 and lib.EVP_PKEY_generate(context, ctypes.byref(handle)) == 1
        finally:
            lib.EVP_PKEY_CTX_free(context)
        if not made:
            raise AlgorithmUnavailableError("libcrypto could not make an SM2 key")
        try:
            return cls(_pkcs8(lib, handle.value))
        finally:
            lib.EVP_PKEY_free(handle)

    def public_key(self) -> PublicKey:
        lib = _lib()
        return PublicKey(_encoded(lib, lib.i2d_PUBKEY, self._handle))

    def pkcs8(self) -> bytes:
        """The key as PKCS#8 in DER, not encrypted: for who encrypts it next."""
        return _pkcs8(_lib(), self._handle)

    def sign(self, message: bytes, *, identity: bytes = DEFAULT_ID) -> bytes:
        """Sign; each call gives another signature."""
        lib = _lib()
        length = _SIZE(SIGNATURE_BYTES_MAX)
        buffer = ctypes.create_string_buffer(SIGNATURE_BYTES_MAX)
        with _Digest(lib, self._handle, identity) as digest:
            begun = lib.EVP_DigestSignInit(digest, None, lib.EVP_sm3(), None, self._handle) == 1
            good = begun and lib.EVP_DigestSign(digest, buffer, ctypes.byref(length), message, len(message)) == 1
        lib.ERR_clear_error()
        if not good:
            raise KeyUnusableError("the SM2 key cannot sign")
        return buffer.raw[: length.value]

    def decrypt(self, ciphertext: bytes) -> bytes:
        """Decrypt what :meth:`PublicKey.encrypt` made; raises ``NotVerifiedError`` if anything was changed."""
        lib = _lib()
        plaintext = _transformed(lib, self._handle, lib.EVP_PKEY_decrypt_init, lib.EVP_PKEY_decrypt, ciphertext)
        if plaintext is None:
            raise NotVerifiedError("the SM2 ciphertext is not for this key, or was changed")
        return plaintext


class _Digest:
    """An ``EVP_MD_CTX`` whose key context carries the signer's identity."""

    def __init__(self, lib: Any, key: int, identity: bytes) -> None:
        if not 0 < len(identity) <= _ID_BYTES_MAX:
            raise KeyUnusableError(f"an SM2 identity has 1 to {_ID_BYTES_MAX} bytes")
        self._lib, self._key, self._identity = lib, key, identity

    def __enter__(self) -> int:
        lib = self._lib
        with contextlib.ExitStack() as stack:  # what is made before something fails is freed
            context = lib.EVP_PKEY_CTX_new(self._key, None)
            stack.callback(lib.EVP_PKEY_CTX_free, context)
            digest = lib.EVP_MD_CTX_new()
            stack.callback(lib.EVP_MD_CTX_free, digest)  # first: it points to the other
            if not digest or not context:
                raise MemoryError
            if lib.EVP_PKEY_CTX_set1_id(context, self._identity, len(self._identity)) != 1:
                lib.ERR_clear_error()
                raise KeyUnusableError("libcrypto does not take the SM2 identity")
            lib.EVP_MD_CTX_set_pkey_ctx(digest, context)
            self._made = stack.pop_all()
        return int(digest)

    def __exit__(self, *_: object) -> None:
        self._made.close()


@functools.cache
def _loaded() -> "ctypes.CDLL | str":
    name = ctypes.util.find_library("crypto")
    if name is None:
        return "there is no libcrypto on this system (Debian: libssl3)"
    try:
        lib = ctypes.CDLL(name)
        for function, (result, arguments) in _SIGNATURES.items():
            entry = getattr(lib, function)
            entry.restype, entry.argtypes = result, arguments
    except (OSError, AttributeError) as error:
        return f"{name} cannot be used for SM2, OpenSSL {_OPENSSL_MAJOR_MIN}.0 or later is needed: {error}"
    if lib.OPENSSL_version_major() < _OPENSSL_MAJOR_MIN:
        return f"{name} is older than OpenSSL {_OPENSSL_MAJOR_MIN}.0"
    context = lib.EVP_PKEY_CTX_new_from_name(None, b"SM2", None)
    lib.ERR_clear_error()
    if not context:
        return f"{name} was built without SM2"
    lib.EVP_PKEY_CTX_free(context)
    return lib


def _lib() -> Any:
    found = _loaded()
    if isinstance(found, str):
        raise AlgorithmUnavailableError(f"SM2 is not available: {found}")
    return found


def _decoded(lib: Any, decode: Callable[..., int | None], der: bytes) -> int:
    buffer = ctypes.create_string_buffer(der, len(der))
    begin = ctypes.addressof(buffer)
    position = _POINTER(begin)
    handle = decode(None, ctypes.byref(position), len(der))
    lib.ERR_clear_error()
    if not handle:
        raise KeyUnusableError("not a key that libcrypto can read")
    if position.value != begin + len(der):
        lib.EVP_PKEY_free(handle)
        raise KeyUnusableError("bytes follow the key")
    return handle


def _must_be_sm2(lib: Any, handle: int) -> None:
    if lib.EVP_PKEY_is_a(handle, b"SM2") != 1:
        raise KeyUnusableError("the key is not an SM2 key")
    context = lib.EVP_PKEY_CTX_new(handle, None)
    good = lib.EVP_PKEY_public_check(context) == 1
    lib.EVP_PKEY_CTX_free(context)
    lib.ERR_clear_error()
    if not good:
        raise KeyUnusableError("the point of the SM2 key is not on the curve")


def _encoded(lib: Any, encode: Callable[..., int], handle: int) -> bytes:
    out = _POINTER()
    length = encode(handle, ctypes.byref(out))
    if length <= 0 or out.value is None:
        lib.ERR_clear_error()
        raise KeyUnusableError("libcrypto cannot encode the key")
    try:
        return ctypes.string_at(out.value, length)
    finally:
        lib.CRYPTO_free(out, b"", 0)


def _pkcs8(lib: Any, handle: int | None) -> bytes:
    info = lib.EVP_PKEY2PKCS8(handle)
    if not info:
        lib.ERR_clear_error()
        raise KeyUnusableError("libcrypto cannot encode the key")
    try:
        return _encoded(lib, lib.i2d_PKCS8_PRIV_KEY_INFO, info)
    finally:
        lib.PKCS8_PRIV_KEY_INFO_free(info)


def _transformed(
    lib: Any, handle: int, begin: Callable[..., int], transform: Callable[..., int], data: bytes
) -> bytes | None:
    context = lib.EVP_PKEY_CTX_new(handle, None)
    try:
        length = _SIZE(0)
        if begin(context) != 1 or transform(context, None, ctypes.byref(length), data, len(data)) != 1:
            return None
        buffer = ctypes.create_string_buffer(max(1, length.value))
        if transform(context, buffer, ctypes.byref(length), data, len(data)) != 1:
            return None
        return buffer.raw[: length.value]
    finally:
        lib.EVP_PKEY_CTX_free(context)
        lib.ERR_clear_error()

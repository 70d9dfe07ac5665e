"""What SM2 does when libcrypto does not do its part: it says so, and frees what it has made."""

import ctypes
import ctypes.util
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import pytest

from crypto import sm2
from crypto.errors import AlgorithmUnavailableError, CryptoError, KeyUnusableError, NotVerifiedError

pytestmark = pytest.mark.skipif(sm2.unavailable() is not None, reason=str(sm2.unavailable()))

MADE: Final = {
    "EVP_MD_CTX_new": "digest",
    "EVP_PKEY_CTX_new": "context",
    "EVP_PKEY_CTX_new_from_name": "context",
    "EVP_PKEY2PKCS8": "info",
    "d2i_PUBKEY": "key",
    "d2i_AutoPrivateKey": "key",
}
FREED: Final = {
    "EVP_MD_CTX_free": "digest",
    "EVP_PKEY_CTX_free": "context",
    "PKCS8_PRIV_KEY_INFO_free": "info",
    "EVP_PKEY_free": "key",
}


class Libcrypto:
    """The real library, which fails at one function with ``result`` and counts what it made and has not freed."""

    def __init__(self, library: Any, failing: str = "", result: int | None = 0) -> None:
        self._library, self._failing, self._result = library, failing, result
        self.owed: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        function = getattr(self._library, name)

        def call(*arguments: Any) -> Any:
            if name == self._failing:
                return self._result
            answer = function(*arguments)
            if name in MADE and answer:
                self.owed[MADE[name]] += 1
            if name in FREED and arguments[0]:
                self.owed[FREED[name]] -= 1
            return answer

        return call


class Keys:
    """A pair of keys, and a way to let libcrypto fail at what they do."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.patch: Final = patch
        self.real: Final = sm2._lib()
        self.private: Final = sm2.PrivateKey.generate()
        self.public: Final = self.private.public_key()
        self.signature: Final = self.private.sign(b"offer")
        self.sealed: Final = self.public.encrypt(b"secret")

    def failing(self, function: str, result: int | None = 0) -> Libcrypto:
        library = Libcrypto(self.real, function, result)
        self.patch.setattr(sm2, "_loaded", lambda: library)
        return library


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> Keys:
    return Keys(monkeypatch)


USES: Final[dict[str, Callable[[Keys], object]]] = {
    "sign": lambda keys: keys.private.sign(b"offer"),
    "verify": lambda keys: keys.public.verify(keys.signature, b"offer"),
    "encrypt": lambda keys: keys.public.encrypt(b"secret"),
    "decrypt": lambda keys: keys.private.decrypt(keys.sealed),
    "generate": lambda _: sm2.PrivateKey.generate().sign(b"offer"),
    "pkcs8": lambda keys: keys.private.pkcs8(),
    "public_key": lambda keys: keys.private.public_key(),
}


@pytest.mark.parametrize("use", USES)
def test_nothing_is_owed_when_all_goes_well(keys: Keys, use: str) -> None:
    library = keys.failing("")
    USES[use](keys)

    assert +library.owed == Counter()


@pytest.mark.parametrize(
    ("use", "function", "result", "error"),
    [
        ("sign", "EVP_PKEY_CTX_set1_id", 0, KeyUnusableError),
        ("verify", "EVP_PKEY_CTX_set1_id", 0, KeyUnusableError),
        ("sign", "EVP_MD_CTX_new", None, MemoryError),
        ("sign", "EVP_PKEY_CTX_new", None, MemoryError),
        ("sign", "EVP_DigestSignInit", 0, KeyUnusableError),
        ("sign", "EVP_DigestSign", 0, KeyUnusableError),
        ("verify", "EVP_DigestVerifyInit", 0, NotVerifiedError),
        ("verify", "EVP_DigestVerify", -1, NotVerifiedError),
        ("encrypt", "EVP_PKEY_encrypt_init", 0, KeyUnusableError),
        ("encrypt", "EVP_PKEY_encrypt", 0, KeyUnusableError),
        ("decrypt", "EVP_PKEY_decrypt_init", -2, NotVerifiedError),
        ("decrypt", "EVP_PKEY_decrypt", 0, NotVerifiedError),
        ("generate", "EVP_PKEY_keygen_init", 0, AlgorithmUnavailableError),
        ("generate", "EVP_PKEY_generate", 0, AlgorithmUnavailableError),
        ("generate", "EVP_PKEY2PKCS8", None, KeyUnusableError),
        ("pkcs8", "EVP_PKEY2PKCS8", None, KeyUnusableError),
        ("pkcs8", "i2d_PKCS8_PRIV_KEY_INFO", -1, KeyUnusableError),
        ("public_key", "i2d_PUBKEY", 0, KeyUnusableError),
        ("public_key", "d2i_PUBKEY", None, KeyUnusableError),
        ("public_key", "EVP_PKEY_is_a", 0, KeyUnusableError),
        ("public_key", "EVP_PKEY_public_check", 0, KeyUnusableError),
    ],
)
def test_what_libcrypto_does_not_do_is_an_error_and_nothing_is_left_behind(
    keys: Keys, use: str, function: str, result: int | None, error: type[Exception]
) -> None:
    library = keys.failing(function, result)
    with pytest.raises(error):
        USES[use](keys)

    assert +library.owed == Counter()
    keys.failing("")
    USES[use](keys)  # no error of libcrypto's is left to be found by the next call


def test_an_identity_has_a_length(keys: Keys) -> None:
    for identity in (b"", b"x" * 8191):
        with pytest.raises(KeyUnusableError, match="identity"):
            keys.private.sign(b"offer", identity=identity)
    longest = b"x" * 8190
    signature = keys.private.sign(b"offer", identity=longest)

    assert keys.public.verify(signature, b"offer", identity=longest) == b"offer"


def test_a_key_is_read_to_its_last_byte(keys: Keys) -> None:
    with pytest.raises(KeyUnusableError, match="bytes follow"):
        sm2.PublicKey(keys.public.spki + b"\x00")
    with pytest.raises(KeyUnusableError, match="can read"):
        sm2.PublicKey(keys.public.spki[:-1])
    with pytest.raises(KeyUnusableError, match="can read"):
        sm2.PublicKey(b"")
    assert sm2.PrivateKey(keys.private.pkcs8()).public_key().spki == keys.public.spki


@pytest.mark.parametrize("at", [0, 10, -1])
def test_a_changed_ciphertext_opens_to_nothing(keys: Keys, at: int) -> None:
    changed = bytearray(keys.sealed)
    changed[at] ^= 1
    with pytest.raises(NotVerifiedError):
        keys.private.decrypt(bytes(changed))
    assert keys.private.decrypt(keys.sealed) == b"secret"


def found_out() -> "ctypes.CDLL | str":
    """Look for libcrypto anew: what was found at first is remembered."""
    return sm2._loaded.__wrapped__()


def test_it_says_why_there_is_no_sm2(monkeypatch: pytest.MonkeyPatch) -> None:
    real = sm2._lib()
    monkeypatch.setattr(ctypes.util, "find_library", lambda _: None)
    assert found_out() == "there is no libcrypto on this system (Debian: libssl3)"

    monkeypatch.setattr(ctypes.util, "find_library", lambda _: "/nonexistent/libcrypto.so.3")
    assert "/nonexistent/libcrypto.so.3 cannot be used for SM2" in str(found_out())

    monkeypatch.setattr(ctypes.util, "find_library", lambda _: "libc.so.6")  # it has none of the functions
    assert "OpenSSL 3.0 or later is needed" in str(found_out())

    for failing, result, said in (
        ("OPENSSL_version_major", 1, "libcrypto is older than OpenSSL 3.0"),
        ("EVP_PKEY_CTX_new_from_name", None, "libcrypto was built without SM2"),
    ):
        library = Libcrypto(real, failing, result)
        with monkeypatch.context() as patch:
            patch.setattr(ctypes.util, "find_library", lambda _: "libcrypto")
            patch.setattr(ctypes, "CDLL", lambda _, library=library: library)
            assert found_out() == said
    assert sm2.unavailable() is None


def test_without_sm2_every_use_says_why(keys: Keys) -> None:
    keys.patch.setattr(sm2, "_loaded", lambda: "libcrypto was built without SM2")
    for use in USES.values():
        with pytest.raises(CryptoError, match="SM2 is not available: libcrypto was built without SM2"):
            use(keys)

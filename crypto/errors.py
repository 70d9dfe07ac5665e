"""What goes wrong with cryptography: raised, never returned (STYLE, principle 10)."""


class CryptoError(Exception):
    """Whatever this package refuses; the message names no key, no secret and no plaintext."""


class AlgorithmUnknownError(CryptoError):
    """The registry has no such algorithm, or has it for another purpose."""


class AlgorithmUnavailableError(CryptoError):
    """The algorithm is registered, but this machine cannot compute it; the message says why."""


class AlgorithmDeniedError(CryptoError):
    """The algorithm was no longer accepted at the moment in question."""


class KeyUnusableError(CryptoError):
    """A key cannot be read, is of another kind, or is too short or too long."""


class NotVerifiedError(CryptoError):
    """A signature, an authentication code or a sealed text is not what it claims to be."""

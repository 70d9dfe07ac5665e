"""A passkey in software: what a browser and its authenticator answer (W3C WebAuthn Level 3), and every way to lie."""

import hashlib
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


def encoded(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Authenticator:
    """One key at one site; ``lies`` of a call replace what it would say truly."""

    def __init__(self, origin: str = "http://localhost", rp_id: str = "localhost", number: int = 1) -> None:
        self.origin, self.rp_id = origin, rp_id
        self.key = generate_private_key(SECP256R1())
        self.credential_id = number.to_bytes(16, "big")
        self.count = 0

    def make(self, options: dict[str, Any], **lies: Any) -> dict[str, Any]:
        """Answer ``navigator.credentials.create``."""
        numbers = self.key.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        attested = bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id + cbor2.dumps(cose)
        data = self._data(lies, ATTESTED) + attested
        attestation = {"fmt": "none", "attStmt": {}, "authData": data}
        response = {"attestationObject": encoded(cbor2.dumps(attestation))}
        return self._credential(response | {"clientDataJSON": encoded(self._client(options, "webauthn.create", lies))})

    def show(self, options: dict[str, Any], **lies: Any) -> dict[str, Any]:
        """Answer ``navigator.credentials.get``."""
        self.count = lies.get("count", self.count + 1)
        data, client = self._data(lies, 0), self._client(options, "webauthn.get", lies)
        signature = lies.get("signer", self.key).sign(data + hashlib.sha256(client).digest(), ECDSA(SHA256()))
        response = {"authenticatorData": encoded(data), "signature": encoded(signature)}
        return self._credential(response | {"clientDataJSON": encoded(client)})

    def _data(self, lies: dict[str, Any], flags: int) -> bytes:
        seen = lies.get("seen", PRESENT | VERIFIED)
        rp_id = hashlib.sha256(lies.get("rp_id", self.rp_id).encode()).digest()
        return bytes(rp_id) + bytes((flags | seen,)) + int(self.count).to_bytes(4, "big")

    def _client(self, options: dict[str, Any], kind: str, lies: dict[str, Any]) -> bytes:
        said = {
            "type": lies.get("type", kind),
            "challenge": lies.get("challenge", options["challenge"]),
            "origin": lies.get("origin", self.origin),
        }
        return json.dumps(said).encode()

    def _credential(self, response: dict[str, Any]) -> dict[str, Any]:
        name = encoded(self.credential_id)
        return {"id": name, "rawId": name, "type": "public-key", "response": response, "clientExtensionResults": {}}

"""Is a time stamp true? Checked as RFC 3161 section 2.2 and RFC 5816 ask, field by field."""

from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from crypto.timestamps import oids
from crypto.timestamps.request import Imprint, StampRequest
from crypto.timestamps.token import BadToken, Signer, Stamp, Token, read_token
from crypto.timestamps.trust import StampTrust

_RSA_HASHES: Final[dict[str, hashes.HashAlgorithm]] = {
    oids.RSA_SHA256: hashes.SHA256(),
    oids.RSA_SHA384: hashes.SHA384(),
    oids.RSA_SHA512: hashes.SHA512(),
}
_ECDSA_HASHES: Final[dict[str, hashes.HashAlgorithm]] = {
    oids.ECDSA_SHA256: hashes.SHA256(),
    oids.ECDSA_SHA384: hashes.SHA384(),
    oids.ECDSA_SHA512: hashes.SHA512(),
}


def verify_stamp(
    token: bytes, imprint: Imprint, trust: StampTrust, *, nonce: int | None = None, policy: str | None = None
) -> Stamp:
    """
    Verify that a trusted authority stamped ``imprint``, and return what it stated: first of all the time.

    With ``nonce`` the token must be the answer to the request that had it; without, the nonce is not looked at, as
    when a kept token is checked later. The same with ``policy``.

    Raises:
        BadToken: it is malformed, of something else, altered, or of somebody not trusted at the stamped time.

    Cost: one signature and some 60 µs (``bench/micro/stamps.py``).
    """
    read = read_token(token)
    _check_claims(read.stamp, imprint, nonce, policy)
    _check_origin(read, trust)
    return read.stamp


def _check_claims(stamp: Stamp, imprint: Imprint, nonce: int | None, policy: str | None) -> None:
    if stamp.imprint != imprint:
        raise BadToken("the token is of something else: another imprint")
    if nonce is not None and stamp.nonce != nonce:
        raise BadToken("the token answers another request: another nonce")
    if policy is not None and stamp.policy != policy:
        raise BadToken(f"the token was made under the policy {stamp.policy}")


def _check_origin(token: Token, trust: StampTrust) -> None:
    signer, stamp = token.signer, token.stamp
    certificate = _signer_certificate(token, trust)
    found = trust.read(certificate)
    if (signer.issuer, signer.serial) != (found.issuer, found.serial):
        raise BadToken("the signature and its signed attributes name two certificates")
    _check_signature(token, found.public_key)
    if found.unfit is not None:
        raise BadToken(found.unfit)
    if stamp.authority is not None and stamp.authority != found.subject:
        raise BadToken("the authority names itself otherwise than its certificate does")
    trust.check(certificate, [other for other in token.certificates if other != certificate], stamp.at)


def verify_answer(token: bytes, request: StampRequest, trust: StampTrust) -> Stamp:
    """
    Verify a token as the answer to ``request``: imprint, nonce and policy.

    Raises:
        BadToken: as :func:`verify_stamp`.
    """
    return verify_stamp(token, request.imprint, trust, nonce=request.nonce, policy=request.policy)


def _signer_certificate(token: Token, trust: StampTrust) -> bytes:
    """Find the certificate whose hash is among the signed attributes (RFC 5816)."""
    signer = token.signer
    for certificate in (*token.certificates, *trust.known_der):
        if signer.certificate_hash.digest(certificate) == signer.certificate_digest:
            return certificate
    raise BadToken("the signer's certificate is neither in the token nor known")


def _check_signature(token: Token, key: object) -> None:
    signer = token.signer
    if signer.digest.digest(token.content) != signer.message_digest:
        raise BadToken("the content was altered: its digest is another")
    try:
        _verify(key, signer)
    except InvalidSignature as error:
        raise BadToken("the signature does not match") from error


def _verify(key: object, signer: Signer) -> None:
    match key:
        case rsa.RSAPublicKey():
            plain = signer.algorithm == oids.RSA  # then the digest algorithm says the hash (RFC 3370 section 3.2)
            algorithm = signer.digest.algorithm if plain else _RSA_HASHES.get(signer.algorithm)
            if algorithm is not None:
                key.verify(signer.signature, signer.attributes, padding.PKCS1v15(), algorithm)
                return
        case ec.EllipticCurvePublicKey():
            algorithm = _ECDSA_HASHES.get(signer.algorithm)
            if algorithm is not None:
                key.verify(signer.signature, signer.attributes, ec.ECDSA(algorithm))
                return
        case _:
            pass
    raise BadToken(f"the signature algorithm {signer.algorithm} is not one of the authority's key")

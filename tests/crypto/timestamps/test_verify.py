"""A token says when, if everything in it holds; each thing that does not is found."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from crypto import der
from crypto.timestamps.authority import Authority, PrivateKey, UnfitKeyError
from crypto.timestamps.request import Failure, ImprintHash, StampRefused, StampRequest, imprint_of
from crypto.timestamps.response import granted, refused, token_of
from crypto.timestamps.token import BadToken, Stamp, read_token
from crypto.timestamps.trust import StampTrust
from crypto.timestamps.verify import _check_signature, verify_answer, verify_stamp
from tests.builders.stamps import (
    NOON,
    POLICY,
    TIME_STAMPING,
    YEAR,
    AnIssuer,
    AStampingHouse,
    a_key,
    a_usage,
    an_rsa_key,
)

HOUSE: Final = AStampingHouse()
REQUEST: Final = StampRequest(imprint_of(b"contract"), nonce=2**63 + 1)
SECOND: Final = timedelta(seconds=1)


def a_token(house: AStampingHouse = HOUSE, request: StampRequest = REQUEST, **changes: Any) -> bytes:
    return house.authority.token(request, **({"serial": 77, "at": NOON} | changes))


def stamped_by(certificate: x509.Certificate, key: PrivateKey, *chain: x509.Certificate) -> bytes:
    authority = Authority(key, certificate, chain, policy=POLICY, accuracy=SECOND)
    return authority.token(REQUEST, serial=1, at=NOON)


def reason(token: bytes, trust: StampTrust = HOUSE.trust, **changes: Any) -> str:
    arguments: dict[str, Any] = {"imprint": REQUEST.imprint} | changes
    with pytest.raises(BadToken) as bad:
        verify_stamp(token, trust=trust, **arguments)
    return str(bad.value)


def test_a_stamp_says_when() -> None:
    stamp = verify_answer(a_token(at=NOON.replace(microsecond=123_456)), REQUEST, HOUSE.trust)

    assert stamp == Stamp(
        imprint=REQUEST.imprint,
        at=NOON.replace(microsecond=123_000),
        accuracy=timedelta(seconds=1, milliseconds=2, microseconds=3),
        serial=77,
        policy=POLICY,
        nonce=REQUEST.nonce,
        authority=HOUSE.certificate.subject.public_bytes(),
    )


@pytest.mark.parametrize("hash_", ImprintHash)
@pytest.mark.parametrize(
    "key", [a_key(), ec.generate_private_key(ec.SECP384R1()), an_rsa_key()], ids=["p256", "p384", "rsa"]
)
def test_every_hash_is_stamped_with_every_key(hash_: ImprintHash, key: PrivateKey) -> None:
    house = AStampingHouse(key)
    request = StampRequest(imprint_of(b"contract", hash_))
    assert verify_answer(a_token(house, request), request, house.trust).at == NOON


def test_a_token_without_certificates_is_checked_with_one_that_is_known() -> None:
    request = StampRequest(REQUEST.imprint, certificates=False)
    token = a_token(request=request)
    trust = StampTrust([HOUSE.root.certificate], [HOUSE.certificate])

    assert verify_answer(token, request, trust).serial == 77
    assert "neither in the token nor known" in reason(token)


def test_of_another_thing_it_says_nothing() -> None:
    assert "another imprint" in reason(a_token(), imprint=imprint_of(b"contract!"))


def test_an_imprint_of_another_hash_is_another_imprint() -> None:
    sm3 = StampRequest(imprint_of(b"contract", ImprintHash.SM3))
    assert "another imprint" in reason(a_token(request=sm3), imprint=imprint_of(b"contract"))


def test_the_answer_to_another_request_is_none() -> None:
    assert "another nonce" in reason(a_token(), nonce=1)
    assert "another nonce" in reason(a_token(request=StampRequest(REQUEST.imprint)), nonce=1)


def test_another_policy_is_refused_when_one_was_asked_for() -> None:
    assert POLICY in reason(a_token(), policy="1.2.3")


def flips(token: bytes) -> Iterator[bytes]:
    for place in range(len(token)):
        yield token[:place] + bytes((token[place] ^ 1,)) + token[place + 1 :]


def test_no_byte_can_be_altered_unnoticed() -> None:
    """But for those that nothing rests on: the hint which digests follow."""
    token = a_token()
    good = verify_stamp(token, REQUEST.imprint, HOUSE.trust)
    noticed, same = 0, 0
    for altered in flips(token):
        try:
            found = verify_stamp(altered, REQUEST.imprint, HOUSE.trust)
        except BadToken:
            noticed += 1
        else:
            assert found == good
            same += 1
    assert noticed + same == len(token)
    assert same <= len(der.sequence(der.oid(ImprintHash.SHA256.dotted)))


@pytest.mark.parametrize("part", [slice(0, -1), slice(1, None), slice(0, 0)])
def test_a_token_that_is_cut_off_is_refused(part: slice) -> None:
    assert "not a time stamp token" in reason(a_token()[part])


def test_something_after_a_token_is_refused() -> None:
    assert "left over" in reason(a_token() + b"\x00")


def test_a_signature_of_another_key_does_not_match() -> None:
    """The other key's token, with this house's certificate put in the place of its own."""
    other = AStampingHouse()
    other.authority._certificates = HOUSE.authority._certificates  # type: ignore[misc]
    assert "neither in the token nor known" in reason(a_token(other))

    other.authority._signing = HOUSE.authority._signing  # type: ignore[misc]
    assert "name two certificates" in reason(a_token(other))

    other.authority._identifier = HOUSE.authority._identifier  # type: ignore[misc]
    assert "signature does not match" in reason(a_token(other))


def test_an_authority_that_names_itself_as_another_is_refused() -> None:
    house, key = AStampingHouse(), a_key()
    strange = Authority(key, house.root.stamping(key, common="别的时间戳"), policy=POLICY, accuracy=SECOND)
    house.authority._name = strange._name  # type: ignore[misc]

    assert "names itself otherwise" in reason(a_token(house), house.trust)


@pytest.mark.parametrize("keys", [(an_rsa_key, a_key), (a_key, an_rsa_key)], ids=["rsa", "ec"])
def test_an_algorithm_of_another_kind_of_key_is_refused(keys: tuple[Any, Any]) -> None:
    house, other = AStampingHouse(keys[0]()), AStampingHouse(keys[1]())
    method = replace(house.authority._method, algorithm=other.authority._method.algorithm)
    house.authority._method = method  # type: ignore[misc]

    assert "is not one of the authority's key" in reason(a_token(house), house.trust)


def test_a_key_of_a_kind_that_stamps_nothing_verifies_nothing() -> None:
    token = read_token(a_token())
    with pytest.raises(BadToken, match="is not one of the authority's key"):
        _check_signature(token, ed25519.Ed25519PrivateKey.generate().public_key())
    _check_signature(token, HOUSE.certificate.public_key())


def test_an_authority_below_nobody_trusted_is_refused() -> None:
    assert "no trusted root" in reason(a_token(AStampingHouse()))


def test_an_intermediate_is_found_in_the_token_or_among_the_known() -> None:
    root = AnIssuer()
    middle = AnIssuer("中级", root)
    key = a_key()
    certificate = middle.stamping(key)
    with_chain = stamped_by(certificate, key, middle.certificate)
    without = stamped_by(certificate, key)
    trust = StampTrust([root.certificate])
    knowing = StampTrust([root.certificate], [middle.certificate])

    assert verify_stamp(with_chain, REQUEST.imprint, trust).at == NOON
    assert verify_stamp(without, REQUEST.imprint, knowing).at == NOON
    assert "no trusted root" in reason(without, trust)


def test_an_authority_itself_may_be_what_is_trusted() -> None:
    assert verify_stamp(a_token(), REQUEST.imprint, StampTrust([HOUSE.certificate])).at == NOON


def test_who_may_not_issue_is_no_link() -> None:
    root, key = AnIssuer(), a_key()
    supplier = AnIssuer("供应商", root)
    supplier.certificate = root.issue(
        supplier.key, supplier.name, (x509.BasicConstraints(ca=False, path_length=None), True)
    )
    token = stamped_by(supplier.stamping(key), key, supplier.certificate)

    assert "no trusted root" in reason(token, StampTrust([root.certificate]))


@pytest.mark.parametrize(("path_length", "good"), [(0, False), (1, True)])
def test_a_chain_may_be_as_long_as_its_root_says(path_length: int, good: bool) -> None:  # noqa: FBT001
    root = AnIssuer(path_length=path_length)
    middle = AnIssuer("中级", root)
    key = a_key()
    token = stamped_by(middle.stamping(key), key, middle.certificate)
    trust = StampTrust([root.certificate])

    if good:
        assert verify_stamp(token, REQUEST.imprint, trust).at == NOON
    else:
        assert "no trusted root" in reason(token, trust)


@pytest.mark.parametrize(
    ("at", "good"),
    [
        (NOON - timedelta(days=1), True),
        (NOON - timedelta(days=1) - SECOND, False),
        (NOON + YEAR, True),
        (NOON + YEAR + SECOND, False),
    ],
)
def test_the_certificate_must_have_been_valid_at_the_stamped_time(at: Any, good: bool) -> None:  # noqa: FBT001
    token = a_token(at=at)
    if good:
        assert verify_stamp(token, REQUEST.imprint, HOUSE.trust).at == at
    else:
        assert "not valid at the stamped time" in reason(token)


@pytest.mark.parametrize(
    ("revoked_at", "why", "good"),
    [
        (NOON, x509.ReasonFlags.superseded, False),
        (NOON + SECOND, x509.ReasonFlags.superseded, True),
        (NOON + SECOND, x509.ReasonFlags.cessation_of_operation, True),
        (NOON + SECOND, x509.ReasonFlags.key_compromise, False),
        (NOON + SECOND, None, False),
    ],
)
def test_a_revoked_authority_is_believed_for_the_past_only_if_its_key_was_safe(
    revoked_at: Any,
    why: x509.ReasonFlags | None,
    good: bool,  # noqa: FBT001
) -> None:
    revocations = HOUSE.root.revocations((HOUSE.certificate, revoked_at, why))
    trust = StampTrust([HOUSE.root.certificate], revocations=[revocations])
    if good:
        assert verify_stamp(a_token(), REQUEST.imprint, trust).at == NOON
    else:
        assert "revoked" in reason(a_token(), trust)


def test_a_revocation_list_of_somebody_else_with_the_same_name_counts_for_nothing() -> None:
    revocations = AnIssuer().revocations((HOUSE.certificate, NOON, x509.ReasonFlags.key_compromise))
    trust = StampTrust([HOUSE.root.certificate], revocations=[revocations])
    assert verify_stamp(a_token(), REQUEST.imprint, trust).at == NOON


UNFIT: Final[dict[str, tuple[tuple[Any, bool], ...]]] = {
    "no extended key usage": ((a_usage(digital_signature=True), True),),
    "not critical": ((TIME_STAMPING, False),),
    "is another": ((x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), True),),
    "time stamps alone": (
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.CODE_SIGNING]), True),
    ),
    "signatures alone": ((TIME_STAMPING, True), (a_usage(digital_signature=True, key_encipherment=True), True)),
    "key usage has others": ((TIME_STAMPING, True), (a_usage(crl_sign=True), True)),
}


@pytest.mark.parametrize("words", UNFIT)
def test_a_certificate_for_anything_else_does_not_stamp(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    root, key = AnIssuer(), a_key()
    certificate = root.stamping(key, *UNFIT[words])
    with pytest.raises(UnfitKeyError, match=words):
        stamped_by(certificate, key)

    monkeypatch.setattr("crypto.timestamps.authority.check_purpose", lambda _: None)  # an authority that does not care
    assert words in reason(stamped_by(certificate, key), StampTrust([root.certificate]))


def test_a_certificate_without_key_usage_may_stamp() -> None:
    root, key = AnIssuer(), a_key()
    token = stamped_by(root.stamping(key, (TIME_STAMPING, True)), key)
    assert verify_stamp(token, REQUEST.imprint, StampTrust([root.certificate])).at == NOON


def test_an_authority_takes_no_certificate_of_another_key() -> None:
    with pytest.raises(UnfitKeyError, match="another key's"):
        stamped_by(HOUSE.certificate, a_key())


def test_an_authority_takes_no_weak_key() -> None:
    weak = rsa.generate_private_key(65537, 1024)  # noqa: S505 - what is refused
    with pytest.raises(UnfitKeyError, match="2048"):
        stamped_by(HOUSE.root.stamping(weak), weak)
    odd = ec.generate_private_key(ec.SECP256K1())
    with pytest.raises(UnfitKeyError, match="secp256k1"):
        stamped_by(HOUSE.root.stamping(odd), odd)


def test_an_authority_stamps_under_its_own_policy_only() -> None:
    HOUSE.authority.check(StampRequest(REQUEST.imprint, policy=POLICY))
    with pytest.raises(StampRefused) as no:
        HOUSE.authority.check(StampRequest(REQUEST.imprint, policy="1.2.3"))
    assert no.value.failure is Failure.UNACCEPTED_POLICY


def test_a_response_carries_the_token() -> None:
    token = a_token()
    assert token_of(granted(token)) == token


@pytest.mark.parametrize("failure", Failure)
def test_a_refusal_says_why(failure: Failure) -> None:
    with pytest.raises(StampRefused, match="时钟不准") as no:
        token_of(refused(StampRefused(failure, "时钟不准")))
    assert no.value.failure is failure


@pytest.mark.parametrize("data", [b"", b"<html>", granted(b""), granted(a_token()) + b"\x00"])
def test_what_is_no_response_is_refused(data: bytes) -> None:
    with pytest.raises(BadToken):
        token_of(data)

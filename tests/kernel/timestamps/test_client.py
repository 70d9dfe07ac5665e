"""A client asks authorities in order, and uses no answer that does not verify."""

from datetime import timedelta

import httpx2
import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from crypto.timestamps.request import ImprintHash, imprint_of, read_request
from crypto.timestamps.response import RESPONSE_BYTES_MAX, granted
from crypto.timestamps.verify import verify_stamp
from kernel.clock import ManualClock
from kernel.problems import Unavailable
from kernel.settings import Settings, SettingsError
from kernel.timestamps.client import OFF_MAX, REPLY, StampClient, client_of, read_trust
from tests.builders.stamps import NOON, AStampingHouse
from tests.kernel.timestamps.conftest import URL, MakeClient

IMPRINT = imprint_of(b"contract", ImprintHash.SM3)


def answering(house: AStampingHouse, answer: object, clock: ManualClock) -> StampClient:
    """A client whose authority gives ``answer``: a response, or a function of the request."""

    def handle(request: httpx2.Request) -> httpx2.Response:
        return answer(request) if callable(answer) else answer  # type: ignore[return-value]

    http = httpx2.AsyncClient(transport=httpx2.MockTransport(handle))
    return StampClient([URL], house.trust, http, clock, timeout_s=2.0)


async def test_a_stamp_is_verified_before_it_is_given(make_client: MakeClient, house: AStampingHouse) -> None:
    stamped = await make_client().stamp(IMPRINT)
    assert (stamped.url, stamped.stamp.at) == (URL, NOON)
    assert verify_stamp(stamped.token, IMPRINT, house.trust) == stamped.stamp


async def test_the_next_is_asked_when_one_cannot_be_reached(make_client: MakeClient) -> None:
    assert (await make_client("http://127.0.0.1:9/", URL).stamp(IMPRINT)).url == URL


async def test_without_any_that_answers_there_is_no_stamp(make_client: MakeClient) -> None:
    with pytest.raises(Unavailable):
        await make_client("http://127.0.0.1:9/").stamp(IMPRINT)


async def test_an_authority_that_is_not_trusted_is_not_used(make_client: MakeClient) -> None:
    with pytest.raises(Unavailable):
        await make_client(trust=AStampingHouse()).stamp(IMPRINT)


@pytest.mark.parametrize("off", [OFF_MAX, OFF_MAX + timedelta(milliseconds=1)])
@pytest.mark.parametrize("sign", [1, -1])
async def test_a_time_far_from_our_own_is_not_used(house: AStampingHouse, off: timedelta, sign: int) -> None:
    def stamp(request: httpx2.Request) -> httpx2.Response:
        token = house.authority.token(read_request(request.content), serial=1, at=NOON)
        return httpx2.Response(200, content=granted(token), headers={"Content-Type": REPLY})

    client = answering(house, stamp, ManualClock(NOON + sign * off))
    if off == OFF_MAX:
        assert (await client.stamp(IMPRINT)).stamp.at == NOON
    else:
        with pytest.raises(Unavailable):
            await client.stamp(IMPRINT)


async def test_an_answer_to_another_request_is_not_used(house: AStampingHouse, clock: ManualClock) -> None:
    kept: list[bytes] = []

    def replay(request: httpx2.Request) -> httpx2.Response:
        kept.append(granted(house.authority.token(read_request(request.content), serial=1, at=NOON)))
        return httpx2.Response(200, content=kept[0], headers={"Content-Type": REPLY})

    client = answering(house, replay, clock)
    await client.stamp(IMPRINT)
    with pytest.raises(Unavailable):
        await client.stamp(IMPRINT)


@pytest.mark.parametrize(
    "answer",
    [
        httpx2.Response(500),
        httpx2.Response(302, headers={"Location": "http://elsewhere.test/"}),
        httpx2.Response(200, content=b"<html>", headers={"Content-Type": "text/html"}),
        httpx2.Response(200, content=b"nonsense", headers={"Content-Type": REPLY}),
        httpx2.Response(200, content=bytes(RESPONSE_BYTES_MAX + 1), headers={"Content-Type": REPLY}),
    ],
    ids=["500", "redirect", "html", "nonsense", "endless"],
)
async def test_any_other_answer_is_not_used(house: AStampingHouse, clock: ManualClock, answer: httpx2.Response) -> None:
    with pytest.raises(Unavailable):
        await answering(house, answer, clock).stamp(IMPRINT)


async def test_the_settings_describe_a_client(tmp_path: object, house: AStampingHouse, clock: ManualClock) -> None:
    trust = tmp_path / "trust.pem"  # type: ignore[operator]
    assert client_of(Settings(), clock) is None
    with pytest.raises(SettingsError, match="trust"):
        client_of(Settings(tsa_url=(URL,), tsa_trust=trust), clock)
    trust.write_bytes(b"nothing")
    with pytest.raises(SettingsError):
        read_trust(trust)
    trust.write_bytes(house.root.certificate.public_bytes(Encoding.PEM))
    client = client_of(Settings(tsa_url=(URL,), tsa_trust=trust), clock)
    assert client is not None
    assert client.urls == (URL,)
    await client.close()

"""The authority over HTTP: every token has a line, no number comes twice, a wrong clock stamps nothing."""

import asyncio
import json
from datetime import timedelta

import httpx2
import pytest

from crypto.timestamps.request import (
    REQUEST_BYTES_MAX,
    Failure,
    ImprintHash,
    StampRefused,
    StampRequest,
    imprint_of,
)
from crypto.timestamps.response import token_of
from crypto.timestamps.token import read_token
from crypto.timestamps.verify import verify_answer
from kernel.clock import ManualClock
from kernel.timestamps import app as authority_app
from kernel.timestamps.client import QUERY, REPLY
from kernel.timestamps.register import Register, RegisterError, check_register
from kernel.timestamps.rightness import (
    OFF_MAX,
    SILENCE_MAX_S,
    STEP_MAX,
    Reading,
    Reference,
    Rightness,
    other_authority,
)
from tests.builders.stamps import NOON, AStampingHouse
from tests.kernel.timestamps.conftest import URL

REQUEST = StampRequest(imprint_of(b"contract"), nonce=7)
MILLISECOND = timedelta(milliseconds=1)


async def asked(http: httpx2.AsyncClient, request: StampRequest = REQUEST) -> bytes:
    answer = await http.post(URL, content=request.encode(), headers={"Content-Type": QUERY})
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, REPLY)
    return token_of(answer.content)


async def refusal(http: httpx2.AsyncClient, request: StampRequest = REQUEST) -> StampRefused:
    with pytest.raises(StampRefused) as refused:
        await asked(http, request)
    return refused.value


@pytest.mark.parametrize("hash_", ImprintHash)
async def test_it_stamps_over_http(http: httpx2.AsyncClient, house: AStampingHouse, hash_: ImprintHash) -> None:
    request = StampRequest(imprint_of(b"contract", hash_), nonce=1)
    stamp = verify_answer(await asked(http, request), request, house.trust)
    assert stamp.at == NOON


async def test_every_token_has_a_line_that_follows_the_one_before(http: httpx2.AsyncClient, register: Register) -> None:
    tokens = await asyncio.gather(*(asked(http) for _ in range(40)))
    lines = list(check_register(register.path))
    serials = [read_token(token).stamp.serial for token in tokens]

    assert len(set(serials)) == len(lines) == register.issued == 40
    assert {f"{serial:x}" for serial in serials} == {line.serial for line in lines}
    assert [line.n for line in lines] == list(range(1, 41))
    assert {line.imprint for line in lines} == {REQUEST.imprint.digest.hex()}


@pytest.mark.parametrize("altered", [0, 20, 39])
async def test_an_altered_line_is_found(http: httpx2.AsyncClient, register: Register, altered: int) -> None:
    await asyncio.gather(*(asked(http) for _ in range(40)))
    lines = register.path.read_bytes().splitlines(keepends=True)
    for tampered in (
        [*lines[:altered], lines[altered].replace(b'"n":', b'"n": '), *lines[altered + 1 :], lines[0]],
        [*lines[:altered], *lines[altered + 1 :], lines[0]],
        [*lines[: altered + 1], lines[altered], *lines[altered + 1 :]],
        [*lines[:altered], b"{}\n", *lines[altered + 1 :]],
    ):
        register.path.write_bytes(b"".join(tampered))
        with pytest.raises(RegisterError):
            list(check_register(register.path))


def again(register: Register, rightness: Rightness) -> Register:
    register.close()
    return Register(register.path, register.authority, rightness.now)


async def test_numbers_go_on_after_a_new_start(
    http: httpx2.AsyncClient, register: Register, rightness: Rightness
) -> None:
    for _ in range(3):
        await asked(http)
    next_register = again(register, rightness)
    next_register.open()
    working = asyncio.create_task(next_register.work())
    serial = read_token(await next_register.issue(REQUEST)).stamp.serial
    working.cancel()
    next_register.close()

    assert serial >> 64 == 4
    assert [line.n for line in check_register(register.path)] == [1, 2, 3, 4]


@pytest.mark.parametrize("torn", [b"{", b'{"n":4,"serial"'])
async def test_a_line_that_was_not_finished_is_cut_off(
    http: httpx2.AsyncClient, register: Register, rightness: Rightness, torn: bytes
) -> None:
    for _ in range(3):
        await asked(http)
    whole = register.path.read_bytes()
    register.path.write_bytes(whole + torn)
    next_register = again(register, rightness)
    next_register.open()

    assert (next_register.issued, register.path.read_bytes()) == (3, whole)
    next_register.close()


async def test_a_last_line_that_is_none_is_not_built_upon(
    http: httpx2.AsyncClient, register: Register, rightness: Rightness
) -> None:
    await asked(http)
    with register.path.open("ab") as file:
        file.write(b"something else\n")
    with pytest.raises(RegisterError, match="cannot be read"):
        again(register, rightness).open()


async def test_two_processes_cannot_hold_one_register(register: Register, rightness: Rightness) -> None:
    with pytest.raises(RegisterError, match="Another process"):
        Register(register.path, register.authority, rightness.now).open()


async def test_a_register_that_cannot_be_written_stamps_nothing_more(
    http: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fdatasync", full)
        assert "No space left" in str(await refusal(http))
    refused = await refusal(http)
    assert (refused.failure, "restarted" in str(refused)) == (Failure.SYSTEM_FAILURE, True)


async def test_the_chain_and_the_state_can_be_asked_for(http: httpx2.AsyncClient, clock: ManualClock) -> None:
    await asked(http)
    assert (await http.get(f"{URL}certificates.pem")).content.startswith(b"-----BEGIN CERTIFICATE-----")
    assert (await http.get(f"{URL}healthz")).json() == {"status": "stamping", "reason": None, "issued": 1}
    clock._now += timedelta(hours=1)
    sick = await http.get(f"{URL}healthz")
    assert (sick.status_code, sick.json()["status"]) == (503, "refusing")


@pytest.mark.parametrize(
    ("kind", "size", "status"),
    [("application/json", 10, 415), (QUERY, REQUEST_BYTES_MAX + 1, 413), (QUERY, REQUEST_BYTES_MAX, 200)],
)
async def test_what_is_no_request_is_turned_away(http: httpx2.AsyncClient, kind: str, size: int, status: int) -> None:
    answer = await http.post(URL, content=bytes(size), headers={"Content-Type": kind})
    assert answer.status_code == status
    if status == 200:
        with pytest.raises(StampRefused, match="not a time stamp request"):
            token_of(answer.content)


async def test_an_address_may_ask_so_often_and_no_more(
    http: httpx2.AsyncClient, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authority_app, "REQUESTS_MAX", 3)
    for _ in range(3):
        await asked(http)
    answer = await http.post(URL, content=REQUEST.encode(), headers={"Content-Type": QUERY})
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "10")
    clock.advance(timedelta(seconds=10))
    await asked(http)


async def test_another_policy_spends_no_number(http: httpx2.AsyncClient, register: Register) -> None:
    refused = await refusal(http, StampRequest(REQUEST.imprint, policy="1.2.3"))
    assert (refused.failure, register.issued) == (Failure.UNACCEPTED_POLICY, 0)


# --- the clock -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("set_by", "good"),
    [
        (timedelta(0), True),
        (STEP_MAX, True),
        (STEP_MAX + MILLISECOND, False),
        (-STEP_MAX, True),
        (-STEP_MAX - MILLISECOND, False),
    ],
)
async def test_a_clock_that_was_set_while_we_ran_stamps_nothing(
    http: httpx2.AsyncClient,
    clock: ManualClock,
    set_by: timedelta,
    good: bool,  # noqa: FBT001
) -> None:
    clock.advance(timedelta(hours=5))
    clock._now += set_by
    if good:
        await asked(http)
    else:
        refused = await refusal(http)
        assert (refused.failure, "was set by" in str(refused)) == (Failure.TIME_NOT_AVAILABLE, True)


@pytest.mark.parametrize(("back", "good"), [(timedelta(0), True), (MILLISECOND, False)])
async def test_a_clock_that_was_set_back_while_we_were_down_stamps_nothing(
    http: httpx2.AsyncClient,
    register: Register,
    clock: ManualClock,
    back: timedelta,
    good: bool,  # noqa: FBT001
) -> None:
    clock.advance(timedelta(hours=1))
    await asked(http)
    clock._now -= back
    rightness = Rightness(clock)  # as after a new start
    if good:
        assert rightness.now(register.newest_at) == register.newest_at
    else:
        with pytest.raises(StampRefused, match="behind the newest token"):
            rightness.now(register.newest_at)


def says(offset: timedelta, uncertain: timedelta = timedelta(0)) -> Reference:
    async def answer() -> Reading:
        return Reading(offset, uncertain)

    return answer


async def silent() -> Reading:
    raise httpx2.ConnectError("nobody there")


NONE = timedelta(0)


@pytest.mark.parametrize(
    ("references", "good"),
    [
        ([says(NONE)], True),
        ([says(OFF_MAX)], True),
        ([says(OFF_MAX + MILLISECOND)], False),
        ([says(-OFF_MAX - MILLISECOND)], False),
        ([says(OFF_MAX + MILLISECOND, MILLISECOND)], True),
        ([says(NONE), silent], True),
        ([silent], False),
        ([says(NONE), says(timedelta(hours=1)), says(NONE)], True),
        ([says(timedelta(hours=1)), says(timedelta(hours=1)), says(NONE)], False),
    ],
)
async def test_the_clock_agrees_with_the_middle_of_its_references(
    clock: ManualClock,
    references: list[Reference],
    good: bool,  # noqa: FBT001
) -> None:
    rightness = Rightness(clock, references)
    with pytest.raises(StampRefused, match="no reference"):
        rightness.now(None)
    await rightness.look()
    if good:
        assert rightness.now(None) == NOON
    else:
        with pytest.raises(StampRefused, match="reference"):
            rightness.now(None)


async def test_references_may_be_silent_for_so_long(clock: ManualClock) -> None:
    rightness = Rightness(clock, [says(NONE)])
    await rightness.look()
    clock.advance(timedelta(seconds=SILENCE_MAX_S))
    rightness.now(None)
    clock.advance(MILLISECOND)
    with pytest.raises(StampRefused, match="no reference"):
        rightness.now(None)


async def test_a_clock_that_was_set_right_stamps_again_when_a_reference_says_so(clock: ManualClock) -> None:
    rightness = Rightness(clock, [says(NONE)])
    await rightness.look()
    clock._now += timedelta(seconds=3)
    with pytest.raises(StampRefused, match="was set"):
        rightness.now(None)
    await rightness.look()
    assert rightness.now(None) == clock.now()


async def test_another_authority_is_a_reference(http: httpx2.AsyncClient, clock: ManualClock) -> None:
    late = ManualClock(NOON - timedelta(seconds=5))
    assert await other_authority(URL, http, clock)() == Reading(NONE, NONE)
    assert (await other_authority(URL, http, late)()).offset == timedelta(seconds=5)


async def test_a_register_is_json_lines(http: httpx2.AsyncClient, register: Register) -> None:
    await asked(http)
    (line,) = (json.loads(line) for line in register.path.read_text().splitlines())
    assert line["at"] == "2026-11-23T04:00:00Z"
    assert (line["hash"], line["before"]) == ("sha-256", "0" * 64)

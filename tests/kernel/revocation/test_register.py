"""Lists and answers are asked for, verified, kept and renewed; whatever does not count shuts the certificate out."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY

from crypto.certificates.authority import Reason, Revocation
from crypto.certificates.revocation import RevocationList
from crypto.certificates.validation import CertificateRefusedError, Fault, Use, Validated, path_of
from kernel.clock import ManualClock
from kernel.problems import Unavailable
from kernel.revocation import queries, register
from kernel.revocation.register import RENEWED_AFTER, RETRY_S
from kernel.runtime import Kernel
from portal.worker import working
from tests.builders.certificates import DAY, NEEDS_SM2, Pki, a_pki
from tests.builders.outside import HOST, Outside, an_outside
from tests.builders.revocation import a_responder, an_answer
from tests.conftest import NOON, KernelMaker

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
async def outside() -> AsyncIterator[Outside]:
    async with an_outside() as found:
        yield found


@pytest.fixture
async def site(make_kernel: KernelMaker) -> Kernel:
    return await make_kernel(revocation_hosts=(HOST,))


def _advance(kernel: Kernel, by: timedelta) -> None:
    assert isinstance(kernel.clock, ManualClock)
    kernel.clock.advance(by)


def _pki(outside: Outside, kind: str = "ecdsa-p256-sha256", *, crl: bool = True, ocsp: bool = False) -> Pki:
    """An authority whose certificates name the server; the list of the root is at hand."""
    urls = {"crl_url": outside.url("/a.crl")} if crl else {}
    urls |= {"ocsp_url": outside.url("/ocsp")} if ocsp else {}
    return a_pki(kind, at=NOON, **urls)


def _list(pki: Pki, at: datetime = NOON, *, revoked: bool = False, **changes: Any) -> bytes:
    lines = [Revocation(pki.certificate.serial, at, Reason.KEY_COMPROMISE)] if revoked else []
    return pki.issuing.revocation_list(lines, number=int(at.timestamp()), at=at, **changes)


def _changed(list_: bytes) -> bytes:
    return list_[:-1] + bytes([list_[-1] ^ 1])


async def _judge(kernel: Kernel, pki: Pki) -> None:
    at = kernel.clock.now()
    path = path_of(pki.certificate, [], pki.trust, at=at, use=Use.LOGIN)
    local = [RevocationList(pki.root.revocation_list([], number=1, at=NOON, validity=300 * DAY))]
    await kernel.revocations.judge(path, local)


async def _refused(kernel: Kernel, pki: Pki) -> Fault:
    with pytest.raises(CertificateRefusedError) as caught:
        await _judge(kernel, pki)
    return caught.value.fault


async def _away(kernel: Kernel, pki: Pki) -> str:
    """Expect a refusal for want of an answer; give what was noted."""
    with pytest.raises(Unavailable) as caught:
        await _judge(kernel, pki)
    assert caught.value.members["reason"] == "revocation-unreachable"
    (state,) = await queries.states(kernel.db.pool, kernel.clock.now())
    return state.failure


@pytest.mark.parametrize("kind", ["ecdsa-p256-sha256", pytest.param("sm2-sm3", marks=NEEDS_SM2)])
@pytest.mark.parametrize("asked", ["GET /a.crl", "POST /ocsp"], ids=["list", "answer"])
async def test_a_list_or_answer_is_asked_for_once_and_counts(
    kind: str,
    asked: str,
    site: Kernel,
    outside: Outside,
) -> None:
    pki = _pki(outside, kind, ocsp=asked == "POST /ocsp")
    outside.files = {"/a.crl": _list(pki), "/ocsp": an_answer(pki, at=NOON, responder=a_responder(pki.issuing, kind))}

    for _ in range(3):
        await _judge(site, pki)

    assert outside.asked == [asked]


@pytest.mark.parametrize("asked", ["GET /a.crl", "POST /ocsp"], ids=["list", "answer"])
async def test_a_revoked_certificate_is_refused_by_every_process(
    asked: str,
    site: Kernel,
    outside: Outside,
    make_kernel: KernelMaker,
) -> None:
    pki = _pki(outside, ocsp=asked == "POST /ocsp")
    outside.files = {"/a.crl": _list(pki, revoked=True), "/ocsp": an_answer(pki, at=NOON, status="revoked")}
    other = await make_kernel(revocation_hosts=(HOST,))

    assert await _refused(site, pki) is Fault.REVOKED
    assert await _refused(other, pki) is Fault.REVOKED
    assert outside.asked == [asked]


async def test_many_at_once_ask_once(site: Kernel, outside: Outside) -> None:
    pki = _pki(outside)
    outside.files = {"/a.crl": _list(pki)}

    await asyncio.gather(*(_judge(site, pki) for _ in range(10)))

    assert outside.asked == ["GET /a.crl"]


async def test_where_no_answer_comes_the_list_is_asked_for(site: Kernel, outside: Outside) -> None:
    pki = _pki(outside, ocsp=True)
    outside.files = {"/a.crl": _list(pki)}

    await _judge(site, pki)

    assert outside.asked == ["POST /ocsp", "GET /a.crl"]


async def test_a_certificate_that_names_nobody_or_a_stranger_s_host_is_refused(
    make_kernel: KernelMaker, site: Kernel, outside: Outside
) -> None:
    assert await _refused(site, a_pki(at=NOON)) is Fault.REVOCATION_UNKNOWN
    pki = _pki(outside)
    outside.files = {"/a.crl": _list(pki)}
    closed = await make_kernel()

    assert await _refused(closed, pki) is Fault.REVOCATION_UNKNOWN
    assert outside.asked == []


WRONG = {
    "garbage": (lambda _: b"garbage", "not a revocation list"),
    "out-of-date": (lambda pki: _list(pki, NOON - 8 * DAY), "not now"),
    "of-tomorrow": (lambda pki: _list(pki, NOON + MINUTE + SECOND), "not now"),
    "of-another-key": (lambda pki: _list(Pki(pki.root, pki.root, pki.key, pki.certificate)), "says nothing"),
    "changed": (lambda pki: _changed(_list(pki)), ""),
}


@pytest.mark.parametrize("what", WRONG)
async def test_a_list_that_does_not_count_is_not_kept(what: str, site: Kernel, outside: Outside) -> None:
    make, failure = WRONG[what]
    pki = _pki(outside)
    outside.files = {"/a.crl": make(pki)}

    assert failure in await _away(site, pki)
    (state,) = await queries.states(site.db.pool, site.clock.now())
    assert (state.fetched_at, state.failures) == (None, 1)


@pytest.mark.parametrize("what", ["unknown", "out-of-date", "stranger", "garbage"])
async def test_an_answer_that_does_not_count_is_not_kept(what: str, site: Kernel, outside: Outside) -> None:
    pki = _pki(outside, crl=False, ocsp=True)
    outside.files["/ocsp"] = {
        "unknown": lambda: an_answer(pki, at=NOON, status="unknown"),
        "out-of-date": lambda: an_answer(pki, at=NOON - 3 * DAY),
        "stranger": lambda: an_answer(pki, at=NOON, responder=a_responder(pki.root)),
        "garbage": lambda: b"garbage",
    }[what]()

    assert await _away(site, pki)
    (state,) = await queries.states(site.db.pool, site.clock.now())
    assert state.fetched_at is None


async def test_who_was_asked_in_vain_is_left_alone_a_moment(site: Kernel, outside: Outside) -> None:
    pki = _pki(outside)
    await _away(site, pki)
    _advance(site, timedelta(seconds=RETRY_S) - timedelta(microseconds=1))
    await _away(site, pki)
    assert outside.asked == ["GET /a.crl"]
    outside.files = {"/a.crl": _list(pki)}
    _advance(site, timedelta(microseconds=1))

    await _judge(site, pki)

    assert outside.asked == ["GET /a.crl"] * 2


async def test_what_has_run_out_does_not_count_when_nothing_new_comes(site: Kernel, outside: Outside) -> None:
    pki = _pki(outside)
    outside.files = {"/a.crl": _list(pki)}
    await _judge(site, pki)
    outside.files = {}
    _advance(site, 7 * DAY)
    await _judge(site, pki)
    _advance(site, SECOND)

    await _away(site, pki)


async def test_an_older_list_replaces_no_newer_one(site: Kernel, outside: Outside) -> None:
    """Somebody on the way replays the list of the day before the revocation."""
    pki = _pki(outside)
    outside.files = {"/a.crl": _list(pki, NOON, revoked=True)}
    assert await _refused(site, pki) is Fault.REVOKED
    outside.files = {"/a.crl": _list(pki, NOON - DAY)}
    _advance(site, 2 * HOUR)

    assert await site.revocations.renew() == 1

    assert await _refused(site, pki) is Fault.REVOKED
    (state,) = await queries.states(site.db.pool, site.clock.now())
    assert (state.this_update, state.failures) == (NOON, 1)
    assert "older than what came before" in state.failure


async def test_what_is_in_use_is_renewed_within_the_hour_and_counts_everywhere(
    site: Kernel, outside: Outside, make_kernel: KernelMaker
) -> None:
    assert isinstance(site.clock, ManualClock)
    worker = await make_kernel(site.clock, revocation_hosts=(HOST,))
    pki = _pki(outside)
    outside.files = {"/a.crl": _list(pki)}
    await _judge(site, pki)
    outside.files = {"/a.crl": _list(pki, NOON + MINUTE, revoked=True)}
    _advance(site, RENEWED_AFTER - SECOND)
    assert await worker.revocations.renew() == 0
    _advance(site, SECOND)

    assert await worker.revocations.renew() == 1

    assert await _refused(site, pki) is Fault.REVOKED
    assert await worker.revocations.renew() == 0
    assert outside.asked == ["GET /a.crl"] * 2


async def test_two_workers_do_not_fetch_the_same(site: Kernel, outside: Outside, make_kernel: KernelMaker) -> None:
    pki = _pki(outside)
    outside.files = {"/a.crl": _list(pki)}
    await _judge(site, pki)
    _advance(site, RENEWED_AFTER)
    assert isinstance(site.clock, ManualClock)
    worker = await make_kernel(site.clock, revocation_hosts=(HOST,))

    found = await asyncio.gather(site.revocations.renew(), worker.revocations.renew())

    assert sorted(found) == [0, 1]
    assert outside.asked == ["GET /a.crl"] * 2


async def test_what_nobody_uses_is_renewed_no_more_and_forgotten(site: Kernel, outside: Outside) -> None:
    pki = _pki(outside)
    outside.files = {"/a.crl": _list(pki, validity=100 * DAY)}
    await _judge(site, pki)
    _advance(site, queries.USED + SECOND)

    assert await site.revocations.renew() == 0
    await _judge(site, pki)  # it still counts, and is in use again
    assert await site.revocations.renew() == 1
    _advance(site, queries.KEPT + SECOND)
    await site.revocations.measure()
    assert await site.db.pool.fetchval("select count(*) from revocation_answers") == 0


async def test_failures_are_tried_again_after_longer_and_longer(site: Kernel, outside: Outside) -> None:
    pki = _pki(outside)
    await _away(site, pki)
    for minutes in (1, 2, 4, 8, 16, 32, 60, 60):
        _advance(site, timedelta(minutes=minutes) - SECOND)
        assert await site.revocations.renew() == 0
        _advance(site, SECOND)
        assert await site.revocations.renew() == 1


async def test_what_was_changed_in_the_table_does_not_count(
    site: Kernel, outside: Outside, make_kernel: KernelMaker
) -> None:
    pki = _pki(outside)
    outside.files = {"/a.crl": _list(pki)}
    await _judge(site, pki)
    outside.files = {}
    (body,) = await site.db.pool.fetchrow("select body from revocation_answers")
    await site.db.pool.execute("update revocation_answers set body = $1", _changed(body))
    other = await make_kernel(revocation_hosts=(HOST,))

    await _away(other, pki)


async def test_a_worker_renews_and_measures_what_is_in_use(
    site: Kernel, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(register, "LOOK_S", 0.01)
    pki = _pki(outside)
    outside.files = {"/a.crl": _list(pki, validity=2 * DAY)}
    await _judge(site, pki)
    outside.files = {}
    _advance(site, 2 * DAY)
    async with working(site, ()):
        async with asyncio.timeout(20):
            while REGISTRY.get_sample_value("zhecai_revocation_age_seconds") != 2 * DAY.total_seconds():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            assert REGISTRY.get_sample_value("zhecai_revocation_out_of_date") == 0
            _advance(site, MINUTE)
            while REGISTRY.get_sample_value("zhecai_revocation_out_of_date") != 1:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    (state,) = await queries.states(site.db.pool, site.clock.now())

    assert len(outside.asked) == 1 + state.failures > 1
    assert "status 404" in state.failure


async def test_an_authority_that_is_revoked_above_takes_its_certificates_along(site: Kernel) -> None:
    pki = a_pki(at=NOON)
    found: Validated = path_of(pki.certificate, [], pki.trust, at=NOON, use=Use.LOGIN)
    line = Revocation(pki.issuing.certificate.serial, NOON)
    local = [pki.root.revocation_list([line], number=1, at=NOON), pki.lists[1]]

    with pytest.raises(CertificateRefusedError) as caught:
        await site.revocations.judge(found, [RevocationList(one) for one in local])
    assert caught.value.fault is Fault.REVOKED

"""People of both parties sign one record one after another over HTTP; each edge of that, and what others see of it."""

import asyncio
import base64
import hashlib
import io
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Final

import httpx2
import pytest
from asn1crypto import cms, crl, x509
from pyhanko.pdf_utils.reader import PdfFileReader

from crypto.documents.checking import Found, check
from crypto.errors import NotVerifiedError
from kernel.access.actors import Role
from kernel.clock import ManualClock
from kernel.journal.verify import Difference, verify_kind
from market.auctions import service as auctions
from market.signings.service import SIGNING
from market.signings.worker import run_due
from registries.organisations.rules import Kind
from tests.builders.enrolled import Person
from tests.builders.market_signings import ROLES, Table, believed
from tests.builders.registries import a_user, register
from tests.conformance.test_documents import judged_by_roots, pdfsig

ELSEWHERE: Final = "330800"


async def checked(table: Table, pdf: bytes) -> tuple[Found, ...]:
    return await asyncio.to_thread(check, pdf, believed(table.kernel), at=table.kernel.clock.now())


def reason(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json().get("reason", "")


async def differences(table: Table) -> list[Difference]:
    async with table.kernel.db.pool.acquire() as connection:
        return [found async for found in verify_kind(connection, SIGNING) if isinstance(found, Difference)]


def advance(table: Table, by: timedelta) -> None:
    assert isinstance(table.kernel.clock, ManualClock)
    table.kernel.clock.advance(by)


async def test_three_people_sign_one_after_another_and_the_platform_seals(table: Table, tmp_path: Path) -> None:
    signing = await table.asked()
    assert (await table.read(signing))["stage"] == "prepared"
    for name in ROLES:
        assert await table.shown(name, "?box=asked") == [signing]
        others = [other for other in ROLES if other != name]
        assert [await table.shown(other, "?box=asked") for other in others] == [[], []]
        advance(table, timedelta(minutes=1))
        answer = await table.sign(name, signing)
        assert answer.status_code == 200, answer.text
    out = await table.read(signing, "signatory")
    pdf = await table.file(signing, "signatory")
    found = await checked(table, pdf)

    assert (out["stage"], out["sealed"], out["stamped"], out["document"]) == (
        "completed",
        True,
        True,
        hashlib.sha256(pdf).hexdigest(),
    )
    assert [one.field for one in found[:4]] == ["signer-1", "signer-2", "signer-3", "seal"]
    shown = [one["signature"] for one in out["signers"]]
    assert [one.signer.fingerprint.hex() for one in found[:3] if one.signer] == [one["fingerprint"] for one in shown]
    assert [one.stamped_at for one in found[:3] if one.stamped_at] == sorted(one.stamped_at for one in found[:3])  # type: ignore[type-var]
    assert await differences(table) == []
    for place in (pdf.index(b"stream") + 20, pdf.rindex(b"/ByteRange") + 12):
        altered = pdf[:place] + bytes((pdf[place] ^ 1,)) + pdf[place + 1 :]
        with pytest.raises(NotVerifiedError):
            await checked(table, altered)
    if shutil.which("pdfsig"):
        assert pdfsig(tmp_path, pdf).count("Signature is Valid.") == 4


async def test_what_is_signed_is_the_digest_of_the_file_that_was_shown(table: Table) -> None:
    """So a browser can check that it signs what its user has read."""
    signing = await table.asked()
    pdf = await table.file(signing)
    prepared = (await table.prepare("handler", signing)).json()
    whole = pdf + base64.b64decode(prepared["tail"])
    covered = whole[: prepared["hole_start"]] + whole[prepared["hole_end"] :]
    attributes = cms.CMSAttributes.load(base64.b64decode(prepared["to_sign"]))
    (digest,) = [one["values"][0].native for one in attributes if one["type"].native == "message_digest"]

    assert prepared["before"] == hashlib.sha256(pdf).hexdigest()
    assert digest == hashlib.sha256(covered).digest()


async def test_each_signature_is_checked_with_the_file_and_the_roots_alone(table: Table) -> None:
    """A reader whom the site no longer answers: what was revoked, and when, stands in the file."""
    signing, at = await table.asked(), table.kernel.clock.now()
    believed_ = believed(table.kernel)
    assert believed_.time
    roots = [one.parsed for one in believed_.people.roots]
    roots += [x509.Certificate.load(der) for der in believed_.time.known_der]
    expected = {}
    for number, name in enumerate(ROLES, 1):
        assert (await table.sign(name, signing)).status_code == 200
        expected[f"signer-{number}"] = True
        found = await asyncio.to_thread(judged_by_roots, await table.file(signing), roots, at=at)
        assert {one: found[one] for one in expected} == expected


async def test_a_certificate_that_was_revoked_earlier_is_on_the_list_in_the_file(table: Table) -> None:
    approver = table.person("approver")
    old = approver.certificate
    assert (
        await approver.post(f"/api/certificates/{approver.id}/revocation", {"reason": "电脑丢失"})
    ).status_code == 200
    signing = await table.asked("handler")
    assert (await table.sign("handler", signing)).status_code == 200
    reader = PdfFileReader(io.BytesIO(await table.file(signing)))
    lists = [crl.CertificateList.load(one.get_object().data) for one in reader.root["/DSS"]["/CRLs"]]
    gone = [line["user_certificate"].native for one in lists for line in one["tbs_cert_list"]["revoked_certificates"]]

    assert gone == [x509.Certificate.load(old).serial_number]


async def test_who_is_not_asked_yet_is_told_so(table: Table) -> None:
    signing = await table.asked()
    assert reason(await table.prepare("approver", signing)) == (409, "not-your-turn")
    assert (await table.read(signing, "approver"))["may_sign"] is False


async def test_of_two_who_sign_at_once_one_is_told_and_goes_on(table: Table) -> None:
    signing = await table.asked("handler", "signatory", turns="any-order")
    prepared = [(await table.prepare(name, signing)).json() for name in ("handler", "signatory")]
    bodies = [table.signature(name, one) for name, one in zip(("handler", "signatory"), prepared, strict=True)]
    answers = await asyncio.gather(
        table.send("handler", signing, bodies[0]), table.send("signatory", signing, bodies[1])
    )
    (late,) = [name for name, one in zip(("handler", "signatory"), answers, strict=True) if one.status_code == 409]

    assert sorted(map(reason, answers)) == [(200, ""), (409, "document-moved-on")]
    assert (await table.sign(late, signing)).json()["stage"] == "completed"
    assert len((await checked(table, await table.file(signing)))[:-1]) == 3


async def test_a_reply_that_was_lost_and_a_repeat_sign_once(table: Table) -> None:
    signing = await table.asked()
    body = table.signature("handler", (await table.prepare("handler", signing)).json())
    first = [await table.send("handler", signing, body, "k1") for _ in range(2)]
    assert (await table.sign("approver", signing)).status_code == 200
    advance(table, timedelta(minutes=10))
    late = await table.send("handler", signing, body, "k1")
    other_key = await table.send("handler", signing, body, "k2")
    misused = await table.send("approver", signing, body, "k3")

    assert [one.status_code for one in (*first, late)] == [200] * 3
    assert reason(other_key) == (409, "signed-already")
    assert {one.text for one in (*first, late)} == {first[0].text}
    assert reason(misused) == (409, "signed-already")
    assert [bool(one["signature"]) for one in (await table.read(signing))["signers"]] == [True, True, False]


async def test_repeats_that_overtake_each_other_sign_once(table: Table) -> None:
    signing = await table.asked()
    body = table.signature("handler", (await table.prepare("handler", signing)).json())
    answers = await asyncio.gather(*(table.send("handler", signing, body, "k") for _ in range(6)))

    assert {one.status_code for one in answers} == {200}
    assert len({one.text for one in answers}) == 1
    assert len(await checked(table, await table.file(signing))) == 1


async def test_what_was_prepared_expires_and_is_replaced(table: Table) -> None:
    signing = await table.asked()
    first = table.signature("handler", (await table.prepare("handler", signing)).json())
    second = table.signature("handler", (await table.prepare("handler", signing)).json())
    assert reason(await table.send("handler", signing, first)) == (409, "preparation-expired")
    advance(table, timedelta(minutes=5))
    assert reason(await table.send("handler", signing, second)) == (409, "preparation-expired")
    assert (await table.sign("handler", signing)).status_code == 200


async def test_a_signature_with_another_key_is_refused(table: Table) -> None:
    signing = await table.asked()
    prepared = (await table.prepare("handler", signing)).json()
    wrong = table.signature("approver", prepared)
    assert reason(await table.send("handler", signing, wrong)) == (409, "signature-wrong")
    assert (await table.read(signing))["stage"] == "prepared"


async def test_the_certificate_is_the_accounts_own_and_good_when_it_signs(table: Table) -> None:
    signing, handler = await table.asked(), table.person("handler")
    theirs = table.person("approver").certificate
    assert reason(await table.prepare("handler", signing, certificate=theirs)) == (409, "certificate-of-another")
    body = table.signature("handler", (await table.prepare("handler", signing)).json())
    revoked = await handler.post(f"/api/certificates/{handler.id}/revocation", {"reason": "电脑丢失"})
    assert revoked.status_code == 200
    assert reason(await table.send("handler", signing, body)) == (409, "certificate-ended")
    assert reason(await table.prepare("handler", signing)) == (409, "certificate-ended")

    await handler.enrol()
    advance(table, timedelta(days=400))
    await handler.log_in()
    assert reason(await table.prepare("handler", signing)) == (409, "certificate-ended")


async def test_who_declines_says_why_and_it_may_be_asked_for_anew(table: Table) -> None:
    signing = await table.asked()
    assert (await table.sign("handler", signing)).status_code == 200
    again = await table.ask("handler")
    declined = await table.person("approver").post(f"/api/signings/{signing}/refusal", {"reason": "金额有误"})
    out = await table.read(signing, "signatory")

    assert reason(again) == (409, "signing-open")
    assert declined.json()["stage"] == "declined"
    assert (out["reason"], out["stage"], out["may_sign"]) == ("金额有误", "declined", False)
    assert reason(await table.prepare("signatory", signing)) == (409, "signing-ended")
    assert await table.asked() != signing
    assert await differences(table) == []


async def test_the_purchaser_withdraws_and_nobody_else(table: Table) -> None:
    signing = await table.asked()
    body = {"reason": "签署人有误"}
    by_supplier = await table.person("signatory").post(f"/api/signings/{signing}/withdrawal", body)
    withdrawn = await table.person("handler").post(f"/api/signings/{signing}/withdrawal", body)

    assert by_supplier.status_code == 403
    assert withdrawn.json()["stage"] == "withdrawn"
    assert reason(await table.person("handler").post(f"/api/signings/{signing}/withdrawal", body)) == (
        409,
        "signing-ended",
    )


async def test_two_who_ask_at_once_ask_once(table: Table) -> None:
    answers = await asyncio.gather(*(table.ask("handler", key=f"k{n}") for n in range(3)))
    assert sorted(map(reason, answers)) == [(201, ""), (409, "signing-open"), (409, "signing-open")]


async def test_only_people_of_the_parties_are_asked(table: Table) -> None:
    loser = table.world.suppliers[0].organisation_id
    assert loser
    table.people["loser"] = Person(
        table.person("handler").client, await a_user(table.kernel, "loser", loser, Role.SIGNATORY), ""
    )
    offered = (await table.person("handler").client.get(f"/api/auctions/{table.auction_id}/signatories")).json()[
        "items"
    ]

    assert {one["user_id"] for one in offered} == {str(table.person(name).actor.user_id) for name in ROLES}
    assert reason(await table.ask("handler", "loser")) == (409, "signers-wrong")
    assert reason(await table.ask("handler", "handler")) == (409, "signers-wrong")


async def test_a_record_is_not_signed_before_the_award(table: Table) -> None:
    closed = await table.world.closed()
    table.auction_id = closed
    await table.person("handler").log_in()
    assert reason(await table.ask("handler")) == (409, "auction-not-ended")
    await auctions.fail(table.kernel, table.world.by(), closed, "重新组织")
    assert reason(await table.ask("handler", "signatory")) == (409, "signers-wrong")
    assert (await table.ask("handler")).status_code == 201


async def test_an_outsider_sees_nothing_and_an_overseer_of_the_region_everything(table: Table) -> None:
    signing = await table.asked()
    for number, (kind, role, region, status) in enumerate(
        (
            (Kind.SUPPLIER, Role.SIGNATORY, ELSEWHERE, 404),
            (Kind.PURCHASER, Role.PURCHASER, ELSEWHERE, 404),
            (Kind.SUPERVISOR, Role.SUPERVISOR, ELSEWHERE, 404),
            (Kind.SUPERVISOR, Role.SUPERVISOR, "330100", 200),
        ),
        70,
    ):
        somebody = await a_user(table.kernel, f"u{number}", await register(table.kernel, number, kind, region), role)
        assert somebody.user_id
        token, _ = await table.kernel.sessions.open(somebody.user_id, origin="test", user_agent="test")
        client, headers = table.person("handler").client, {"Authorization": f"Bearer {token}"}
        for path in (f"/api/signings/{signing}", f"/api/signings/{signing}/document.pdf"):
            assert (await client.get(path, headers=headers)).status_code == status, (role, region)
        listed = (await client.get("/api/signings", headers=headers)).json()["items"]
        assert [row["signing_id"] for row in listed] == ([signing] if status == 200 else [])


async def test_without_a_time_stamp_nothing_is_signed_and_the_same_signature_goes_through_later(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    signing = await table.asked("handler")
    body = table.signature("handler", (await table.prepare("handler", signing)).json())
    with monkeypatch.context() as away:
        away.setattr(table.kernel.stamps, "urls", ("http://127.0.0.1:9/",))
        refused = await table.send("handler", signing, body, "k")
    assert refused.status_code == 503
    assert (await table.read(signing))["stage"] == "prepared"
    advance(table, timedelta(seconds=90))
    assert (await table.send("handler", signing, body, "k")).status_code == 200


async def test_a_worker_seals_what_the_last_signers_process_could_not(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was killed after the signature was durable, say."""
    signing = await table.asked("handler")
    with monkeypatch.context() as killed:
        killed.setattr("market.signings.service.complete", _nothing)
        assert (await table.sign("handler", signing)).json()["stage"] == "signing"
    out = await table.read(signing)
    assert (out["sealing"], out["may_withdraw"]) == (True, False)
    assert await run_due(table.kernel) == 0, "the process is left some time"
    advance(table, timedelta(seconds=10))
    assert await run_due(table.kernel) == 1
    assert await run_due(table.kernel) == 0
    assert (await table.read(signing))["stage"] == "completed"
    assert await differences(table) == []


async def _nothing(*_: object) -> bool:
    return False


async def test_a_file_that_was_damaged_on_the_disk_is_not_given_out(table: Table) -> None:
    signing = await table.asked("handler")
    place = table.kernel.blobs.place_of((await table.read(signing))["document"])
    place.chmod(0o644)
    place.write_bytes(place.read_bytes()[:-1] + b"\x00")
    answer = await table.person("handler").client.get(f"/api/signings/{signing}/document.pdf")
    assert reason(answer) == (503, "document-damaged")
    assert reason(await table.prepare("handler", signing)) == (503, "document-damaged")

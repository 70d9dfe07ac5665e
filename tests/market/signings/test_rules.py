"""Whose turn it is, which signature counts, and what a signing remembers."""

from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from kernel.access.actors import Actor, Role
from kernel.documents.document import Document, Table
from market.auctions.lifecycle import Auction, AuctionStage
from market.signings.lifecycle import (
    FINAL,
    NEXT,
    Completed,
    Declined,
    Event,
    IllegalStepError,
    Signed,
    Signing,
    Stage,
    Step,
    Turns,
    Withdrawn,
    after,
    evolve,
    left_of,
    picture,
    waiting_of,
)
from market.signings.rules import (
    PREPARED_FOR,
    REASON_LENGTH_MAX,
    ROUNDS_MAX,
    SIGNERS_MAX,
    TEXTS,
    Parties,
    Preparation,
    Refusal,
    certificate_fault,
    decide_ask,
    decide_complete,
    decide_decline,
    decide_sign,
    decide_withdraw,
    is_due,
    mark_of,
    parties_of,
    preparation_fault,
    signers_of,
    turn_fault,
    with_signers,
)
from registries.certificates.rules import Source, UserCertificate
from registries.certificates.rules import Status as CertificateStatus
from registries.users.rules import Status, User
from tests.builders.market_auctions import a_draft, an_auction
from tests.builders.market_signings import PURCHASER, WINNER, a_signer, an_asked

AT = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)
PARTIES = Parties(PURCHASER, "采购中心", WINNER, "成交公司")


def a_signing(*signed: int, **changes: Any) -> Signing:
    """Three people, asked one after another; those of ``signed`` have."""
    signing = evolve(None, an_asked(), AT)
    signing = msgspec.structs.replace(signing, **changes)
    for number in signed:
        signing = evolve(signing, a_signature(number, before=signing.document), AT)
    return signing


def a_signature(number: int, **changes: Any) -> Signed:
    fields = {
        "user_id": a_signer(number).user_id,
        "preparation_id": UUID(int=500 + number),
        "certificate_id": UUID(int=600 + number),
        "certificate_name": a_signer(number).name,
        "issuer": "测试机构",
        "serial": "1f",
        "fingerprint": "ab" * 32,
        "before": "00" * 32,
        "document": f"{number:02d}" * 32,
        "size": 2000,
        "stamped": True,
    }
    return Signed(**{**fields, **changes})


def an_actor(number: int, **changes: Any) -> Actor:
    signer = a_signer(number)
    actor = Actor(
        signer.user_id, f"u{number}", signer.name, signer.organisation_id, "测试单位", "330102", (signer.role,)
    )
    return msgspec.structs.replace(actor, **changes)


def a_user(number: int, **changes: Any) -> User:
    signer = a_signer(number)
    user = User(signer.user_id, f"u{number}", signer.name, signer.organisation_id, (signer.role,), Status.ACTIVE, AT)
    return msgspec.structs.replace(user, **changes)


def a_certificate(number: int = 1, **changes: Any) -> UserCertificate:
    certificate = UserCertificate(
        id=UUID(int=600 + number),
        user_id=a_signer(number).user_id,
        organisation_id=PURCHASER,
        source=Source.PLATFORM,
        fingerprint="ab" * 32,
        serial="1f",
        issuer="测试机构",
        name=a_signer(number).name,
        key_algorithm="ecdsa-p256-sha256",
        not_before=AT,
        not_after=AT + timedelta(days=1),
        der="",
        status=CertificateStatus.ACTIVE,
        enrolled_at=AT,
        replaces=None,
        revoked_at=None,
        reason="",
    )
    return msgspec.structs.replace(certificate, **changes)


def an_ended(stage: AuctionStage = AuctionStage.FAILED) -> Auction:
    return msgspec.structs.replace(an_auction(), stage=stage)


def test_final_stages_have_no_way_out_and_every_stage_is_reached() -> None:
    assert {Stage.COMPLETED, Stage.DECLINED, Stage.WITHDRAWN} == FINAL
    assert {Stage.PREPARED, *NEXT.values()} == set(Stage)


@pytest.mark.parametrize(("stage", "step"), [pair for pair in product(Stage, Step) if pair not in NEXT])
def test_a_step_that_is_not_named_is_refused(stage: Stage, step: Step) -> None:
    with pytest.raises(IllegalStepError):
        after(stage, step)


def test_the_picture_in_the_documentation_is_drawn_from_the_table() -> None:
    assert (Path(__file__).parents[3] / "docs/lifecycles/signing.md").read_text("utf-8") == picture()


def test_an_event_survives_the_journal() -> None:
    said = (Completed("00" * 32, 1, sealed=True, stamped=False), Declined(UUID(int=1), "名", "因"))
    for event in (an_asked(), a_signature(1), *said, Withdrawn(UUID(int=1), "名", "因")):
        assert msgspec.json.decode(msgspec.json.encode(event), type=Event) == event


def test_every_refusal_has_a_text_in_both_languages() -> None:
    assert set(TEXTS) == set(Refusal)
    assert all(zh and en for zh, en in TEXTS.values())


def test_in_order_the_next_one_is_asked_when_the_one_before_has_signed() -> None:
    ids = [a_signer(number).user_id for number in (1, 2, 3)]

    assert [waiting_of(a_signing(*signed)) for signed in ((), (1,), (1, 2), (1, 2, 3))] == [
        (ids[0],),
        (ids[1],),
        (ids[2],),
        (),
    ]


def test_in_any_order_everybody_who_has_not_signed_is_asked() -> None:
    signing = a_signing(2, turns=Turns.ANY_ORDER)

    assert waiting_of(signing) == (a_signer(1).user_id, a_signer(3).user_id)
    assert [one.name for one in left_of(signing)] == ["签署人1", "签署人3"]


def test_nobody_is_asked_once_it_has_ended() -> None:
    ended = evolve(a_signing(1), Declined(a_signer(2).user_id, "签署人2", "金额有误"), AT)

    assert waiting_of(ended) == ()
    assert (ended.stage, ended.reason, ended.ended_by) == (Stage.DECLINED, "金额有误", "签署人2")


def test_a_signing_remembers_each_file_and_its_first() -> None:
    signing = a_signing(1, 2)

    assert (signing.original, signing.document) == ("00" * 32, "02" * 32)
    assert [mark.document for mark in signing.marks] == ["01" * 32, "02" * 32]
    assert signing.stage is Stage.SIGNING


@pytest.mark.parametrize(
    ("signing", "actor", "fault"),
    [
        (a_signing(), an_actor(1), None),
        (a_signing(), an_actor(2), Refusal.NOT_YOUR_TURN),
        (a_signing(turns=Turns.ANY_ORDER), an_actor(2), None),
        (a_signing(1), an_actor(1), Refusal.SIGNED_ALREADY),
        (a_signing(), an_actor(4), Refusal.NOT_NAMED),
        (a_signing(), an_actor(1, organisation_id=WINNER), Refusal.NOT_NAMED),
        (a_signing(), an_actor(1, roles=(Role.SUPPLIER,)), Refusal.NOT_NAMED),
        (a_signing(stage=Stage.WITHDRAWN), an_actor(1), Refusal.ENDED),
    ],
)
def test_whose_turn_it_is(signing: Signing, actor: Actor, fault: Refusal | None) -> None:
    assert turn_fault(signing, actor) is fault


@pytest.mark.parametrize(
    ("certificate", "at", "fault"),
    [
        (a_certificate(), AT, None),
        (a_certificate(), AT + timedelta(days=1), None),
        (a_certificate(), AT + timedelta(days=1) + MOMENT, Refusal.CERTIFICATE_ENDED),
        (a_certificate(), AT - MOMENT, Refusal.CERTIFICATE_ENDED),
        (a_certificate(status=CertificateStatus.REVOKED), AT, Refusal.CERTIFICATE_ENDED),
        (a_certificate(2), AT, Refusal.CERTIFICATE_WRONG),
        (None, AT, Refusal.CERTIFICATE_WRONG),
    ],
)
def test_which_certificate_signs(certificate: UserCertificate | None, at: datetime, fault: Refusal | None) -> None:
    assert certificate_fault(certificate, a_signer(1).user_id, at) is fault
    decision = decide_sign(a_signing(), a_signature(1), actor=an_actor(1), certificate=certificate, at=at)
    assert decision == (fault or a_signature(1))


def test_of_two_signatures_over_one_file_the_second_is_refused() -> None:
    signing = a_signing(1, turns=Turns.ANY_ORDER)
    late = decide_sign(signing, a_signature(2), actor=an_actor(2), certificate=a_certificate(2), at=AT)
    again = a_signature(2, before=signing.document)

    assert late is Refusal.MOVED_ON
    assert decide_sign(signing, again, actor=an_actor(2), certificate=a_certificate(2), at=AT) == again


def test_what_was_prepared_is_good_until_it_expires_or_somebody_else_signs() -> None:
    signing = a_signing()
    one = Preparation(UUID(int=9), signing.id, a_signer(1).user_id, signing.document, b"", 1, 2, b"", b"", "", (), AT)

    assert preparation_fault(signing, one, AT + PREPARED_FOR - MOMENT) is None
    assert preparation_fault(signing, one, AT + PREPARED_FOR) is Refusal.EXPIRED
    assert preparation_fault(signing, None, AT) is Refusal.EXPIRED
    assert preparation_fault(a_signing(1), one, AT) is Refusal.MOVED_ON


def test_a_signature_is_known_again_by_what_was_prepared() -> None:
    signing = a_signing(1)

    assert mark_of(signing, a_signer(1).user_id, UUID(int=501)) == signing.marks[0]
    assert mark_of(signing, a_signer(2).user_id, UUID(int=501)) is None
    assert mark_of(signing, a_signer(1).user_id, UUID(int=502)) is None


def test_the_seal_comes_when_all_have_signed_and_once() -> None:
    completed = Completed("99" * 32, 3000, sealed=True, stamped=True)
    signed = a_signing(1, 2, 3)
    done = evolve(signed, completed, AT)

    assert (is_due(a_signing(1, 2)), is_due(signed), is_due(done)) == (False, True, False)
    assert decide_complete(signed, completed, before=signed.document) == completed
    assert decide_complete(signed, completed, before="00" * 32) is None
    assert decide_complete(done, completed, before=done.document) is None
    assert (done.stage, done.document, done.sealed, done.stamped) == (Stage.COMPLETED, "99" * 32, True, True)


@pytest.mark.parametrize("text", ["金额", " 金额 ", "x" * REASON_LENGTH_MAX])
def test_who_ends_it_says_why(text: str) -> None:
    signer = a_signer(1)

    assert decide_decline(a_signing(), text, actor=an_actor(1)) == Declined(signer.user_id, signer.name, text.strip())
    assert decide_withdraw(a_signing(), text, actor=an_actor(1)) == Withdrawn(signer.user_id, signer.name, text.strip())


@pytest.mark.parametrize("text", ["", " 好 ", "x" * (REASON_LENGTH_MAX + 1)])
def test_a_reason_that_is_none_ends_nothing(text: str) -> None:
    assert decide_decline(a_signing(), text, actor=an_actor(1)) is Refusal.REASON_WRONG
    assert decide_withdraw(a_signing(), text, actor=an_actor(1)) is Refusal.REASON_WRONG


def test_who_may_end_it_and_when() -> None:
    assert decide_decline(a_signing(), "金额有误", actor=an_actor(2)) is Refusal.NOT_YOUR_TURN
    assert decide_withdraw(a_signing(1, 2, 3), "金额有误", actor=an_actor(1)) is Refusal.ALL_SIGNED
    assert decide_withdraw(a_signing(stage=Stage.COMPLETED), "有误", actor=an_actor(1)) is Refusal.ENDED


def test_people_of_both_parties_may_be_asked_in_the_order_given() -> None:
    found = signers_of(PARTIES, [a_user(3), a_user(1), a_user(2, roles=(Role.APPROVER,))])

    assert not isinstance(found, Refusal)
    assert [(one.user_id, one.role) for one in found] == [
        (a_signer(3).user_id, Role.SIGNATORY),
        (a_signer(1).user_id, Role.PURCHASER),
        (a_signer(2).user_id, Role.APPROVER),
    ]


@pytest.mark.parametrize(
    "people",
    [
        [],
        [None],
        [a_user(1), a_user(1)],
        [a_user(1, status=Status.DISABLED)],
        [a_user(1, roles=(Role.ADMINISTRATOR,))],
        [a_user(1, organisation_id=UUID(int=66))],
        [a_user(3, roles=(Role.SUPPLIER,))],
        [a_user(1, id=UUID(int=1000 + n)) for n in range(SIGNERS_MAX + 1)],
    ],
)
def test_nobody_else_is_asked(people: list[User | None]) -> None:
    assert signers_of(PARTIES, people) is Refusal.SIGNERS_WRONG


def test_as_many_as_the_limit_are_asked() -> None:
    people = [a_user(1, id=UUID(int=1000 + n)) for n in range(SIGNERS_MAX)]
    assert len(signers_of(PARTIES, people)) == SIGNERS_MAX


def test_the_parties_are_known_when_the_auction_has_ended() -> None:
    assert parties_of(a_draft()) is Refusal.NOT_ENDED
    assert parties_of(an_ended(AuctionStage.CLOSED)) is Refusal.NOT_ENDED
    failed = parties_of(an_ended())
    assert not isinstance(failed, Refusal)
    assert (failed.supplier_id, failed.supplier_name) == (None, "")


def decided(**changes: Any) -> Any:
    auction = an_ended()
    asked = an_asked(
        purchaser_id=auction.purchaser_id,
        supplier_id=None,
        signers=(a_signer(1, organisation_id=auction.purchaser_id, organisation_name=auction.purchaser_name),),
    )
    given: dict[str, Any] = {
        "auction": auction,
        "people": [a_user(1, organisation_id=auction.purchaser_id)],
        "earlier": None,
        "number": 1,
        "before": None,
    }
    given |= changes
    decision = decide_ask(given.pop("before"), asked, **given)
    return "asked" if decision == asked else decision


def test_signatures_are_asked_for_once_at_a_time() -> None:
    assert decided() == "asked"
    assert decided(before=a_signing()) is Refusal.ASKED_ALREADY
    assert decided(earlier=a_signing()) is Refusal.ASKED_ALREADY
    assert decided(earlier=a_signing(stage=Stage.COMPLETED)) is Refusal.ASKED_ALREADY
    assert decided(earlier=a_signing(stage=Stage.DECLINED)) == "asked"
    assert decided(earlier=a_signing(stage=Stage.WITHDRAWN), number=ROUNDS_MAX) == "asked"
    assert decided(number=ROUNDS_MAX + 1) is Refusal.TOO_OFTEN
    assert decided(people=[a_user(1, name="改名")]) is Refusal.SIGNERS_WRONG
    assert decided(auction=a_draft()) is Refusal.NOT_ENDED


@pytest.mark.parametrize(("turns", "words"), [(Turns.IN_ORDER, "依次签署"), (Turns.ANY_ORDER, "不分先后")])
def test_the_file_itself_names_who_is_to_sign(turns: Turns, words: str) -> None:
    made = with_signers(Document("竞价记录", "1", "浙采", "", ()), [a_signer(1), a_signer(3)], turns)
    table = made.blocks[-1]

    assert isinstance(table, Table)
    assert [row[1] for row in table.rows] == ["签署人1", "签署人3"]
    assert words in str(made.blocks[1])

"""
Organisations: their codes and numbers, what they must say of themselves, who decides what about them.

Source: GB 32100-2015 法人和其他组织统一社会信用代码编码规则; GB 11714-1997 全国组织机构代码编制规则; GB 11643-1999
公民身份号码; 政府采购法 第十三条 (the finance department supervises), 第二十二条;
财库〔2018〕2号 第七条, 第十条, 第十一条.
"""

import re
from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Final, assert_never

import msgspec
from stdnum.cn import uscc

from kernel.clock import BEIJING
from registries.organisations.lifecycle import (
    APPLICANTS,
    BY,
    IN_REVIEW,
    NEXT,
    REGISTERED,
    REVIEWED_DETAILS,
    Applied,
    Approved,
    ChangeApproved,
    ChangeAsked,
    Changed,
    ChangeDropped,
    ChangeReturned,
    Declared,
    Deregistered,
    Event,
    Kind,
    LeaveAsked,
    Organisation,
    Profile,
    Refused,
    Registered,
    Reinstated,
    Renamed,
    Resubmitted,
    Returned,
    Side,
    Status,
    Stayed,
    Step,
    Suspended,
    Withdrawn,
    evolve,
    review_region,
)
from registries.regions.rules import REGIONS, covers, successor_of

__all__ = ["Event", "Kind", "Organisation", "Registered", "Reinstated", "Renamed", "Status", "Suspended", "evolve"]

NAME_LENGTH_MAX: Final = 100
TEXT_LENGTH_MAX: Final = 200
REASON_LENGTH_MIN: Final = 2
REASON_LENGTH_MAX: Final = 500
SUSPENSION_YEARS_MAX: Final = 3
"""政府采购法 第七十七条: one to three years; what lasts longer has no end until it is lifted."""
AGENCY_STAFF_MIN: Final = 5
"""财库〔2018〕2号 第十一条 (三)."""

_ALPHABET: Final = "0-9A-HJ-NPQRTUW-Y"
_FORM: Final = re.compile(f"[{_ALPHABET}]{{2}}[0-9]{{6}}[{_ALPHABET}]{{10}}")
_ORGANISATION_WEIGHTS: Final = (3, 7, 9, 10, 5, 8, 4, 2)
_MOBILE: Final = re.compile(r"1[3-9][0-9]{9}")
_LANDLINE: Final = re.compile(r"0[1-9][0-9]{1,2}-?[1-9][0-9]{6,7}(-[0-9]{1,6})?|[48]00-?[0-9]{3}-?[0-9]{4}")
_EMAIL: Final = re.compile(r"[^@\s]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_BANK_ACCOUNT: Final = re.compile(r"[0-9]{8,30}")
_IDENTITY: Final = re.compile(r"[1-9][0-9]{16}[0-9X]")

DECLARED_BY: Final[dict[Kind, frozenset[Declared]]] = {
    Kind.PURCHASER: frozenset(),
    Kind.SUPPLIER: frozenset(
        {Declared.LIABILITY, Declared.REPUTE, Declared.MEANS, Declared.TAXES, Declared.RECORD, Declared.OTHERS}
    ),
    Kind.AGENCY: frozenset({Declared.LIABILITY, Declared.CONTROL, Declared.PREMISES}),
}
"""What an applicant of each kind must declare, all of it."""


class Refusal(StrEnum):
    """Why a step is refused, in order of precedence."""

    EXISTS = "organisation-exists"
    UNKNOWN = "organisation-unknown"
    NAME_WRONG = "name-wrong"
    CREDIT_CODE_WRONG = "credit-code-wrong"
    REGION_UNKNOWN = "region-unknown"
    REGION_ABOLISHED = "region-abolished"
    NOT_AT_THIS_STAGE = "not-at-this-stage"
    NOT_YOUR_STEP = "not-your-step"
    CHANGED_SINCE = "changed-since"
    NOTHING_WAITS = "nothing-waits"
    NOT_OF_A_CHANGE = "not-of-a-change"
    UNTIL_WRONG = "until-wrong"
    STILL_OPEN = "still-open"
    NOTHING_CHANGES = "nothing-changes"


TEXTS: Final[dict[Refusal, tuple[str, str]]] = {
    Refusal.EXISTS: ("单位已登记", "The organisation is registered already"),
    Refusal.UNKNOWN: ("单位不存在", "There is no such organisation"),
    Refusal.NAME_WRONG: (f"名称须为1至{NAME_LENGTH_MAX}字", f"A name has 1 to {NAME_LENGTH_MAX} characters"),
    Refusal.CREDIT_CODE_WRONG: (
        "统一社会信用代码不正确，请核对18位代码及校验位",
        "The unified social credit code is wrong; check its 18 characters",
    ),
    Refusal.REGION_UNKNOWN: ("区划代码不存在", "There is no such region"),
    Refusal.REGION_ABOLISHED: ("区划已撤销，请使用新的代码", "The region was abolished; use the code of its successor"),
    Refusal.NOT_AT_THIS_STAGE: (
        "单位当前状态不能进行此操作，请刷新后查看。",
        "This cannot be done at the organisation's present stage; reload to see it.",
    ),
    Refusal.NOT_YOUR_STEP: ("此操作须由另一方进行。", "This step is the other side's to take."),
    Refusal.CHANGED_SINCE: (
        "您查看之后内容已有变化，请刷新后重新审核。",
        "It has changed since you looked; reload and review again.",
    ),
    Refusal.NOTHING_WAITS: ("没有待审核的内容。", "Nothing waits for a review."),
    Refusal.NOT_OF_A_CHANGE: (
        "变更只能通过或退回，不能不予登记。",
        "A change is approved or returned; it cannot be refused for good.",
    ),
    Refusal.UNTIL_WRONG: (
        f"暂停截止日须在今天或之后，且不超过{SUSPENSION_YEARS_MAX}年；不定期的请留空。",
        f"The last day must be today or later and within {SUSPENSION_YEARS_MAX} years; leave it empty for no end.",
    ),
    Refusal.STILL_OPEN: (
        "尚有未完成的订单或竞价，办结后才能注销。",
        "Orders or auctions are still open; deregister once they are done.",
    ),
    Refusal.NOTHING_CHANGES: ("没有变化", "Nothing would change"),
}


class Fault(StrEnum):
    """What is wrong with one field of a form."""

    REQUIRED = "required"
    TOO_LONG = "too-long"
    KIND = "kind-wrong"
    CREDIT_CODE = "credit-code-wrong"
    REGION_UNKNOWN = "region-unknown"
    REGION_ABOLISHED = "region-abolished"
    PHONE = "phone-wrong"
    EMAIL = "email-wrong"
    BANK_ACCOUNT = "bank-account-wrong"
    IDENTITY = "identity-wrong"
    DECLARATION = "declaration-missing"
    STAFF = "staff-too-few"


FAULT_TEXTS: Final[dict[Fault, tuple[str, str]]] = {
    Fault.REQUIRED: ("请填写", "Fill this in"),
    Fault.TOO_LONG: ("内容过长", "Too long"),
    Fault.KIND: ("只有采购人、供应商和代理机构可以申请登记", "Purchasers, suppliers and agencies apply; nobody else"),
    Fault.CREDIT_CODE: TEXTS[Refusal.CREDIT_CODE_WRONG],
    Fault.REGION_UNKNOWN: TEXTS[Refusal.REGION_UNKNOWN],
    Fault.REGION_ABOLISHED: TEXTS[Refusal.REGION_ABOLISHED],
    Fault.PHONE: (
        "请填写11位手机号，或带区号的座机号，如 0571-87654321",
        "Give a mobile number of 11 digits, or a landline with its area code such as 0571-87654321",
    ),
    Fault.EMAIL: ("电子邮箱格式不正确", "This is not an e-mail address"),
    Fault.BANK_ACCOUNT: ("银行账号须为8至30位数字", "A bank account has 8 to 30 digits"),
    Fault.IDENTITY: (
        "身份证号码不正确，请核对18位号码及校验位",
        "The identity card number is wrong; check its 18 characters",
    ),
    Fault.DECLARATION: ("须逐项作出承诺", "Each of the statements must be declared"),
    Fault.STAFF: (
        f"代理机构的专职从业人员不少于{AGENCY_STAFF_MIN}名",
        f"An agency has at least {AGENCY_STAFF_MIN} full-time staff",
    ),
}


class Verdict(StrEnum):
    """What a review comes to."""

    APPROVE = "approve"
    RETURN = "return"
    REFUSE = "refuse"


def is_credit_code(text: str) -> bool:
    """
    Check a unified social credit code (统一社会信用代码): form and both check characters.

    Only the very 18 characters count: no spaces, no small letters. The first two characters may be letters
    (``N2`` for rural collectives), which a check for digits only would turn away.

    Source: GB 32100-2015 (last character), GB 11714-1997 (the seventeenth).
    """
    if not _FORM.fullmatch(text):
        return False
    return text[16] == _organisation_check(text[8:16]) and text[17] == uscc.calc_check_digit(text[:17])


def _organisation_check(body: str) -> str:
    total = sum(int(one, 36) * weight for one, weight in zip(body, _ORGANISATION_WEIGHTS, strict=True))
    return "0123456789X0"[11 - total % 11]


def is_identity_number(text: str, *, today: date) -> bool:
    """
    Check the number of an identity card (公民身份号码): form, a birthday in the past, the check character.

    Source: GB 11643-1999 (ISO 7064, MOD 11-2); residence permits of 港澳台居民 and permanent ones have the same form.
    """
    if not _IDENTITY.fullmatch(text):
        return False
    try:
        born = date(int(text[6:10]), int(text[10:12]), int(text[12:14]))
    except ValueError:
        return False
    total = sum(int(one) * 2 ** (17 - place) for place, one in enumerate(text[:17]))
    return date(1900, 1, 1) <= born <= today and "10X98765432"[total % 11] == text[17]


def is_phone(text: str) -> bool:
    """Check a telephone number of the mainland: a mobile, a landline with its area code, or 400 and 800 numbers."""
    return bool(_MOBILE.fullmatch(text) or _LANDLINE.fullmatch(text))


def may_trade(organisation: Organisation | None) -> bool:
    """Tell whether the organisation is registered and neither suspended nor leaving (ADR-0053)."""
    return organisation is not None and organisation.status is Status.ACTIVE


def may_supervise(region: str, organisation: Organisation) -> bool:
    """
    Tell whether the finance department of ``region`` decides about an organisation: its own region or one within.

    Supervisors and the operator are nobody's to review here.
    """
    return organisation.kind in APPLICANTS and covers(region, review_region(organisation))


def faults_of(kind: Kind, credit_code: str, profile: Profile) -> dict[str, Fault]:
    """Find what is wrong with an application, by the name of the field; empty for a good one."""
    found = faults_of_profile(kind, profile)
    if kind not in APPLICANTS:
        found["kind"] = Fault.KIND
    if not is_credit_code(credit_code):
        found["credit_code"] = Fault.CREDIT_CODE
    return found


def faults_of_profile(kind: Kind, profile: Profile) -> dict[str, Fault]:
    """Find what is wrong with what an organisation says of itself."""
    details = profile.details
    texts = {"name": profile.name} | {
        name: getattr(details, name)
        for name in ("legal_representative", "address", "contact", "phone", "email", "bank_name", "venue")
    }
    required = {"name", "legal_representative", "address", "contact", "phone"}
    if kind is Kind.SUPPLIER:
        required |= {"bank_name", "bank_account", "size"}
        texts |= {"bank_account": details.bank_account, "size": details.size or ""}
    if kind is Kind.AGENCY:
        required |= {"identity"}
        texts |= {"identity": details.identity_tail}
    found = _wrong_forms(profile)
    for name, text in texts.items():
        if name in required and not text.strip():
            found[name] = Fault.REQUIRED
        elif len(text) > (NAME_LENGTH_MAX if name == "name" else TEXT_LENGTH_MAX):
            found[name] = Fault.TOO_LONG
    if not DECLARED_BY.get(kind, frozenset()) <= set(details.declared):
        found["declared"] = Fault.DECLARATION
    if kind is Kind.AGENCY and details.staff < AGENCY_STAFF_MIN:
        found["staff"] = Fault.STAFF
    return found


def _wrong_forms(profile: Profile) -> dict[str, Fault]:
    details, found = profile.details, dict[str, Fault]()
    if profile.region not in REGIONS:
        found["region"] = Fault.REGION_UNKNOWN
    elif successor_of(profile.region) != profile.region:
        found["region"] = Fault.REGION_ABOLISHED
    if details.phone and not is_phone(details.phone):
        found["phone"] = Fault.PHONE
    if details.email and not _EMAIL.fullmatch(details.email):
        found["email"] = Fault.EMAIL
    if details.bank_account and not _BANK_ACCOUNT.fullmatch(details.bank_account):
        found["bank_account"] = Fault.BANK_ACCOUNT
    return found


def needs_review(before: Profile, after: Profile) -> bool:
    """
    Tell whether the finance department reviews a change: of who the organisation is, not of where to reach it.

    Source: 财库〔2018〕2号 第七条 lets agencies update what was registered by themselves; which of it is looked at
    again is ours to say: ADR-0052.
    """
    if (before.name, before.region) != (after.name, after.region):
        return True
    return any(getattr(before.details, name) != getattr(after.details, name) for name in REVIEWED_DETAILS)


def decide_register(organisation: Organisation | None, registered: Registered) -> Registered | Refusal:
    """Decide an entry by the operator."""
    if organisation is not None:
        return Refusal.EXISTS
    if not 0 < len(registered.name.strip()) <= NAME_LENGTH_MAX:
        return Refusal.NAME_WRONG
    if not is_credit_code(registered.credit_code):
        return Refusal.CREDIT_CODE_WRONG
    if registered.region not in REGIONS:
        return Refusal.REGION_UNKNOWN
    if successor_of(registered.region) != registered.region:
        return Refusal.REGION_ABOLISHED
    return registered


def decide_apply(organisation: Organisation | None, applied: Applied) -> Applied | Refusal:
    """Decide an application for registration; :func:`faults_of` found nothing wrong with its form."""
    assert not faults_of(applied.category, applied.credit_code, applied.profile)
    return applied if organisation is None else Refusal.EXISTS


def decide_resubmit(organisation: Organisation, profile: Profile) -> Resubmitted | Refusal | dict[str, Fault]:
    """Decide a corrected application."""
    refusal = refusal_of(organisation, Step.RESUBMIT, Side.ORGANISATION)
    return refusal or faults_of_profile(organisation.kind, profile) or Resubmitted(profile)


def decide_withdraw(organisation: Organisation) -> Withdrawn | Refusal:
    """Decide that an application is taken back."""
    return refusal_of(organisation, Step.WITHDRAW, Side.ORGANISATION) or Withdrawn()


def decide_review(
    organisation: Organisation, verdict: Verdict, *, faults: Mapping[str, str], note: str, revision: int
) -> Event | Refusal:
    """
    Decide a review: of the application, or of the change that waits.

    ``revision`` is what the reviewer has looked at: nobody approves what he has not seen. Who returns says why, in
    ``faults`` by field or in ``note``: the edge has seen to it.
    """
    assert verdict is Verdict.APPROVE or faults or note
    refusal = _not_to_review(organisation, verdict, revision)
    if refusal:
        return refusal
    applying = organisation.status in IN_REVIEW
    match verdict:
        case Verdict.APPROVE:
            event: Event = Approved(note) if applying else ChangeApproved(note)
        case Verdict.RETURN:
            event = Returned(dict(faults), note) if applying else ChangeReturned(dict(faults), note)
        case Verdict.REFUSE:
            event = Refused(note)
        case _:
            assert_never(verdict)
    return event


def _not_to_review(organisation: Organisation, verdict: Verdict, revision: int) -> Refusal | None:
    if organisation.status in IN_REVIEW:
        refusal = refusal_of(organisation, Step(verdict.value), Side.FINANCE)
    elif organisation.status not in REGISTERED or not (organisation.pending and organisation.pending.waits):
        refusal = Refusal.NOTHING_WAITS
    else:
        refusal = Refusal.NOT_OF_A_CHANGE if verdict is Verdict.REFUSE else None
    return refusal or (None if revision == organisation.revision else Refusal.CHANGED_SINCE)


def decide_change(organisation: Organisation, profile: Profile) -> tuple[Event, ...] | Refusal | dict[str, Fault]:
    """
    Decide a change that the organisation makes: what needs no review holds at once, the rest is asked for.

    A change that is asked for replaces the one asked for before; saying what stands already drops it.
    """
    if organisation.status not in REGISTERED:
        return Refusal.NOT_AT_THIS_STAGE
    before, pending, events = organisation.profile, organisation.pending, list[Event]()
    kept = {name: getattr(before.details, name) for name in REVIEWED_DETAILS}
    own = msgspec.structs.replace(before, details=msgspec.structs.replace(profile.details, **kept))
    if own != before:
        events.append(Changed(own))
    if needs_review(before, profile):
        if pending is None or not pending.waits or needs_review(pending.profile, profile):
            events.append(ChangeAsked(profile))
    elif pending is not None:
        events.append(ChangeDropped())
    if not events:
        return Refusal.NOTHING_CHANGES
    return faults_of_profile(organisation.kind, profile) or tuple(events)


def decide_drop_change(organisation: Organisation) -> ChangeDropped | Refusal:
    """Decide that a change which was asked for is given up."""
    return ChangeDropped() if organisation.pending else Refusal.NOTHING_WAITS


def decide_rename(organisation: Organisation | None, *, name: str) -> Renamed | Refusal:
    """Decide a new name that the operator enters."""
    if organisation is None:
        return Refusal.UNKNOWN
    if not 0 < len(name.strip()) <= NAME_LENGTH_MAX:
        return Refusal.NAME_WRONG
    if name == organisation.name:
        return Refusal.NOTHING_CHANGES
    return Renamed(name)


def decide_suspend(
    organisation: Organisation | None, *, reason: str, at: datetime, until: date | None = None
) -> Suspended | Refusal:
    """
    Decide a suspension, from now on until the end of a day in Beijing or until it is lifted.

    Source: 政府采购法 第七十七条, 第七十八条 (禁止参加政府采购活动, 禁止代理政府采购业务).
    """
    assert reason
    if organisation is None:
        return Refusal.UNKNOWN
    if organisation.status is Status.SUSPENDED:
        return Refusal.NOTHING_CHANGES
    refusal = refusal_of(organisation, Step.SUSPEND, Side.FINANCE)
    if refusal:
        return refusal
    if until is not None and not today(at) <= until <= years_later(today(at), SUSPENSION_YEARS_MAX):
        return Refusal.UNTIL_WRONG
    return Suspended(reason, until)


def decide_reinstate(organisation: Organisation | None, *, reason: str) -> Reinstated | Refusal:
    """Decide that a suspension is lifted."""
    assert reason
    if organisation is None:
        return Refusal.UNKNOWN
    if organisation.status is Status.ACTIVE:
        return Refusal.NOTHING_CHANGES
    return refusal_of(organisation, Step.REINSTATE, Side.FINANCE) or Reinstated(reason)


def decide_leave(organisation: Organisation, *, reason: str) -> LeaveAsked | Refusal:
    """Decide that an organisation asks to be struck off; from now on it enters into nothing new."""
    return refusal_of(organisation, Step.LEAVE, Side.ORGANISATION) or LeaveAsked(reason)


def decide_stay(organisation: Organisation) -> Stayed | Refusal:
    """Decide that an organisation which asked to be struck off stays."""
    return refusal_of(organisation, Step.STAY, Side.ORGANISATION) or Stayed()


def decide_deregister(organisation: Organisation, *, reason: str, still_open: int) -> Deregistered | Refusal:
    """
    Decide that an organisation is struck off, once nothing that it takes part in is open.

    Only who enters into nothing new any more is struck off, so what was counted as open does not grow.

    Source: 财库〔2018〕2号 第十条.
    """
    refusal = refusal_of(organisation, Step.DEREGISTER, Side.FINANCE)
    if refusal:
        return refusal
    return Refusal.STILL_OPEN if still_open else Deregistered(reason)


def refusal_of(organisation: Organisation, step: Step, side: Side) -> Refusal | None:
    """Say why a side may not take a step now; ``None`` where it may."""
    if (organisation.status, step) not in NEXT:
        return Refusal.NOT_AT_THIS_STAGE
    return None if side in BY[organisation.status, step] else Refusal.NOT_YOUR_STEP


def steps_of(organisation: Organisation, side: Side) -> tuple[Step, ...]:
    """List the steps that a side may take now, in the order of the table."""
    return tuple(step for (status, step), sides in BY.items() if status is organisation.status and side in sides)


def today(at: datetime) -> date:
    """Tell the day in Beijing."""
    return at.astimezone(BEIJING).date()


def years_later(day: date, years: int) -> date:
    return day.replace(year=day.year + years, day=28 if (day.month, day.day) == (2, 29) else day.day)

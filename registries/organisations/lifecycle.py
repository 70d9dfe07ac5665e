"""
The life of an organisation (单位): what it says of itself, its stages, what happens to it, and the state that follows.

What is allowed is in ``rules.py``; here is what is. The table ``NEXT`` is the whole truth about stages and ``BY``
about who takes which step; their picture in ``docs/lifecycles/organisation.md`` is drawn from them.
"""

from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

import msgspec

from kernel.lifecycles import drawn
from registries.suspensions.rules import (
    PlannedSuspension,
    Reinstated,
    Suspended,
    Suspension,
    SuspensionCancelled,
    SuspensionPlanned,
    begins_at,
    ends_at,
)

__all__ = ["Reinstated", "Suspended", "Suspension", "SuspensionCancelled", "SuspensionPlanned"]


class Kind(StrEnum):
    """What an organisation takes part as."""

    PURCHASER = "purchaser"  # 采购人
    SUPPLIER = "supplier"  # 供应商
    AGENCY = "agency"  # 采购代理机构
    EXPERTS = "experts"  # 评审专家库: to which experts' accounts belong
    SUPERVISOR = "supervisor"  # 监督管理部门
    AUDITOR = "auditor"  # 审计机关
    OPERATOR = "operator"  # 平台运营机构


class Status(StrEnum):
    """Where an organisation stands."""

    APPLIED = "applied"  # 待审核
    RETURNED = "returned"  # 已退回补正
    REFUSED = "refused"  # 不予登记
    WITHDRAWN = "withdrawn"  # 已撤回
    ACTIVE = "active"  # 正常
    SUSPENDED = "suspended"  # 已暂停
    LEAVING = "leaving"  # 注销中
    DEREGISTERED = "deregistered"  # 已注销


class Step(StrEnum):
    """What moves an organisation from one stage to the next."""

    RETURN = "return"
    RESUBMIT = "resubmit"
    APPROVE = "approve"
    REFUSE = "refuse"
    WITHDRAW = "withdraw"
    SUSPEND = "suspend"
    REINSTATE = "reinstate"
    LEAVE = "leave"
    STAY = "stay"
    DEREGISTER = "deregister"


class Side(StrEnum):
    """Who takes a step."""

    ORGANISATION = "organisation"  # the organisation itself
    FINANCE = "finance"  # 财政部门: of its region, or of one above
    CLOCK = "clock"  # what falls due


class IllegalStepError(Exception):
    """A step that the table does not name for the stage: whoever asked had to check first."""


NEXT: Final[dict[tuple[Status, Step], Status]] = {
    (Status.APPLIED, Step.RETURN): Status.RETURNED,
    (Status.APPLIED, Step.APPROVE): Status.ACTIVE,
    (Status.APPLIED, Step.REFUSE): Status.REFUSED,
    (Status.APPLIED, Step.WITHDRAW): Status.WITHDRAWN,
    (Status.RETURNED, Step.RESUBMIT): Status.APPLIED,
    (Status.RETURNED, Step.REFUSE): Status.REFUSED,
    (Status.RETURNED, Step.WITHDRAW): Status.WITHDRAWN,
    (Status.ACTIVE, Step.SUSPEND): Status.SUSPENDED,
    (Status.ACTIVE, Step.LEAVE): Status.LEAVING,
    (Status.SUSPENDED, Step.REINSTATE): Status.ACTIVE,
    (Status.SUSPENDED, Step.DEREGISTER): Status.DEREGISTERED,
    (Status.LEAVING, Step.STAY): Status.ACTIVE,
    (Status.LEAVING, Step.SUSPEND): Status.SUSPENDED,
    (Status.LEAVING, Step.DEREGISTER): Status.DEREGISTERED,
}

_FINANCE: Final = frozenset({Side.FINANCE})
_ITSELF: Final = frozenset({Side.ORGANISATION})

BY: Final[dict[tuple[Status, Step], frozenset[Side]]] = {
    (Status.APPLIED, Step.RETURN): _FINANCE,
    (Status.APPLIED, Step.APPROVE): _FINANCE,
    (Status.APPLIED, Step.REFUSE): _FINANCE,
    (Status.APPLIED, Step.WITHDRAW): _ITSELF,
    (Status.RETURNED, Step.RESUBMIT): _ITSELF,
    (Status.RETURNED, Step.REFUSE): _FINANCE,
    (Status.RETURNED, Step.WITHDRAW): _ITSELF,
    (Status.ACTIVE, Step.SUSPEND): _FINANCE | {Side.CLOCK},
    (Status.ACTIVE, Step.LEAVE): _ITSELF,
    (Status.SUSPENDED, Step.REINSTATE): _FINANCE | {Side.CLOCK},
    (Status.SUSPENDED, Step.DEREGISTER): _FINANCE,
    (Status.LEAVING, Step.STAY): _ITSELF,
    (Status.LEAVING, Step.SUSPEND): _FINANCE | {Side.CLOCK},
    (Status.LEAVING, Step.DEREGISTER): _FINANCE,
}

FINAL: Final = frozenset(Status) - {status for status, _ in NEXT}
"""Stages without a way out: the credit code is free again."""
IN_REVIEW: Final = frozenset({Status.APPLIED, Status.RETURNED})
"""Not yet in the register."""
REGISTERED: Final = frozenset({Status.ACTIVE, Status.SUSPENDED, Status.LEAVING})
"""In the public register."""
APPLICANTS: Final = frozenset({Kind.PURCHASER, Kind.SUPPLIER, Kind.AGENCY})
"""Who registers itself and is reviewed; supervisors and the operator are entered by ``zhecai admin``."""


def after(status: Status, step: Step) -> Status:
    """
    Tell the stage that a step leads to.

    Raises:
        IllegalStepError: the table does not name the step for this stage.
    """
    try:
        return NEXT[status, step]
    except KeyError:
        raise IllegalStepError(f"{step} at {status}") from None


class Size(StrEnum):
    """How large an enterprise says it is (中小企业划型), in its declaration for 财库〔2020〕46号 第十一条."""

    LARGE = "large"
    MEDIUM = "medium"
    SMALL = "small"
    MICRO = "micro"


class Declared(StrEnum):
    """What an applicant declares: of suppliers 政府采购法 第二十二条, of agencies 财库〔2018〕2号 第十一条."""

    LIABILITY = "liability"  # 独立承担民事责任
    REPUTE = "repute"  # 商业信誉和财务会计制度
    MEANS = "means"  # 设备和专业技术能力
    TAXES = "taxes"  # 依法缴纳税收和社会保障资金
    RECORD = "record"  # 前三年内没有重大违法记录
    OTHERS = "others"  # 法律、行政法规规定的其他条件
    CONTROL = "control"  # 内部监督管理制度
    PREMISES = "premises"  # 独立办公场所和办公条件


class Details(msgspec.Struct, frozen=True):
    """
    What an organisation says of itself beside name, credit code and region; empty is not said.

    Of the number of an agency's legal representative's identity card (身份证) only the last four characters are
    kept: the number is checked when it is given and goes nowhere (ADR-0052).
    """

    legal_representative: str = ""  # 法定代表人（负责人）
    identity_tail: str = ""
    address: str = ""
    contact: str = ""
    phone: str = ""
    email: str = ""
    bank_name: str = ""
    bank_account: str = ""
    size: Size | None = None
    declared: tuple[Declared, ...] = ()
    staff: int = 0  # 专职从业人员
    venue: str = ""  # 自有评审场所地址


class Profile(msgspec.Struct, frozen=True):
    """All that an organisation may apply with or have changed; the credit code stays for ever."""

    name: str
    region: str
    details: Details


class Proposal(msgspec.Struct, frozen=True):
    """A change that waits for the finance department, or came back from it with ``faults``."""

    profile: Profile
    asked_at: datetime
    faults: dict[str, str] = {}
    note: str = ""

    @property
    def waits(self) -> bool:
        """Tell whether it is the finance department's turn."""
        return not self.faults and not self.note


class Organisation(msgspec.Struct, frozen=True):
    """
    An organisation as it stands; ``region`` is a current GB/T 2260 code, ``revision`` counts its events.

    ``faults`` (a reason for each field) and ``note`` are what the last review said. ``number`` is what an applicant
    asks with; those entered by the operator have none.
    """

    id: UUID
    kind: Kind
    name: str
    credit_code: str
    region: str
    status: Status
    registered_at: datetime | None
    revision: int = 1
    number: str = ""
    applied_at: datetime | None = None
    details: Details = Details()
    faults: dict[str, str] = {}
    note: str = ""
    pending: Proposal | None = None
    suspension: Suspension | None = None
    planned: PlannedSuspension | None = None

    @property
    def profile(self) -> Profile:
        """What can be changed."""
        return Profile(self.name, self.region, self.details)


class Registered(msgspec.Struct, frozen=True, tag_field="kind", tag="organisation.registered"):
    """The organisation was entered in the register (登记) by the operator."""

    id: UUID
    category: Kind
    name: str
    credit_code: str
    region: str


class Renamed(msgspec.Struct, frozen=True, tag_field="kind", tag="organisation.renamed"):
    """The organisation has another name; the credit code stays."""

    name: str


class Applied(msgspec.Struct, frozen=True, tag_field="kind", tag="organisation.applied"):
    """The organisation asked to be registered (申请登记)."""

    id: UUID
    category: Kind
    credit_code: str
    number: str
    profile: Profile


class Returned(msgspec.Struct, frozen=True, tag_field="kind", tag="organisation.returned"):
    """The finance department asked for corrections (退回补正), field by field."""

    faults: dict[str, str]
    note: str


class Resubmitted(msgspec.Struct, frozen=True, tag_field="kind", tag="organisation.resubmitted"):
    """The organisation corrected its application (重新提交)."""

    profile: Profile


class Approved(msgspec.Struct, frozen=True, tag_field="kind", tag="organisation.approved"):
    """The organisation is in the register, for the whole province (一地注册、全省通用)."""

    note: str = ""


class Refused(msgspec.Struct, frozen=True, tag_field="kind", tag="organisation.refused"):
    """The organisation is not registered (不予登记)."""

    note: str


class Withdrawn(msgspec.Struct, frozen=True, tag_field="kind", tag="organisation.withdrawn"):
    """The organisation took its application back (撤回)."""


class Changed(msgspec.Struct, frozen=True, tag_field="kind", tag="organisation.changed"):
    """The organisation changed what nobody has to review (自行变更)."""

    profile: Profile


class ChangeAsked(msgspec.Struct, frozen=True, tag_field="kind", tag="organisation.change_asked"):
    """The organisation asked for a change that is reviewed (申请变更); until then the old stands."""

    profile: Profile


class ChangeReturned(msgspec.Struct, frozen=True, tag_field="kind", tag="organisation.change_returned"):
    """The finance department returned a change (退回变更)."""

    faults: dict[str, str]
    note: str


class ChangeDropped(msgspec.Struct, frozen=True, tag_field="kind", tag="organisation.change_dropped"):
    """The organisation gave its change up (撤回变更)."""


class ChangeApproved(msgspec.Struct, frozen=True, tag_field="kind", tag="organisation.change_approved"):
    """The change holds (变更生效)."""

    note: str = ""


class LeaveAsked(msgspec.Struct, frozen=True, tag_field="kind", tag="organisation.leave_asked"):
    """The organisation wants to leave (申请注销): it enters into nothing new and finishes what is open."""

    reason: str


class Stayed(msgspec.Struct, frozen=True, tag_field="kind", tag="organisation.stayed"):
    """The organisation stays after all (撤回注销)."""


class Deregistered(msgspec.Struct, frozen=True, tag_field="kind", tag="organisation.deregistered"):
    """The organisation is out of the register (注销)."""

    reason: str


_Standing = Suspended | Reinstated | SuspensionPlanned | SuspensionCancelled | LeaveAsked | Stayed | Deregistered
_Reviewed = Applied | Returned | Resubmitted | Approved | Refused | Withdrawn
_Change = Changed | ChangeAsked | ChangeReturned | ChangeDropped | ChangeApproved
Event = Registered | Renamed | _Standing | _Reviewed | _Change


def due(organisation: Organisation) -> tuple[datetime, Step] | None:
    """Derive what falls due next, and when: the beginning of a suspension that is planned, or the end of one."""
    suspension, planned = organisation.suspension, organisation.planned
    if planned and (organisation.status, Step.SUSPEND) in NEXT:
        return begins_at(planned.start), Step.SUSPEND
    if organisation.status is Status.SUSPENDED and suspension and suspension.until:
        return ends_at(suspension.until), Step.REINSTATE
    return None


def due_at(organisation: Organisation) -> datetime | None:
    """Tell when something falls due next."""
    falls_due = due(organisation)
    return falls_due[0] if falls_due else None


def waiting_since(organisation: Organisation) -> datetime | None:
    """Tell since when the finance department is asked for something; ``None`` when it is not."""
    if organisation.status is Status.APPLIED:
        return organisation.applied_at
    pending = organisation.pending
    return pending.asked_at if pending and pending.waits and organisation.status in REGISTERED else None


def review_region(organisation: Organisation) -> str:
    """Tell whose finance department decides: of the region that the organisation is in, or wants to be in."""
    return organisation.pending.profile.region if organisation.pending else organisation.region


def evolve(organisation: Organisation | None, event: Event, at: datetime) -> Organisation:
    """Apply what was decided; refuses nothing."""
    match event:
        case Registered():
            return Organisation(
                event.id, event.category, event.name, event.credit_code, event.region, Status.ACTIVE, registered_at=at
            )
        case Applied():
            said = event.profile
            code, status = event.credit_code, Status.APPLIED
            found = Organisation(event.id, event.category, said.name, code, said.region, status, registered_at=None)
            return msgspec.structs.replace(found, number=event.number, applied_at=at, details=said.details)
        case _:
            assert organisation is not None
            changes = _changed(organisation, event, at)
            return msgspec.structs.replace(organisation, revision=organisation.revision + 1, **changes)


def _taken_on(profile: Profile) -> dict[str, object]:
    return {"name": profile.name, "region": profile.region, "details": profile.details}


def _changed(organisation: Organisation, event: Event, at: datetime) -> dict[str, object]:  # noqa: C901, PLR0911, PLR0912 - one case an event
    """Name the fields that an event changes."""
    status, pending = organisation.status, organisation.pending
    match event:
        case Renamed():
            return {"name": event.name}
        case Suspended():
            suspension = Suspension(event.reason, at, event.until)
            return {"status": after(status, Step.SUSPEND), "suspension": suspension, "planned": None}
        case SuspensionPlanned():
            return {"planned": PlannedSuspension(event.reason, event.start, event.until, at)}
        case SuspensionCancelled():
            return {"planned": None}
        case Reinstated():
            return {"status": after(status, Step.REINSTATE), "suspension": None}
        case Returned():
            return {"status": after(status, Step.RETURN), "faults": event.faults, "note": event.note}
        case Resubmitted():
            status = after(status, Step.RESUBMIT)
            return {"status": status, "applied_at": at, "faults": {}, "note": "", **_taken_on(event.profile)}
        case Approved():
            status = after(status, Step.APPROVE)
            return {"status": status, "registered_at": at, "faults": {}, "note": event.note}
        case Refused():
            return {"status": after(status, Step.REFUSE), "note": event.note}
        case Withdrawn():
            return {"status": after(status, Step.WITHDRAW)}
        case Changed():
            kept = _with_own_changes(pending, event.profile.details)
            return {"pending": kept, **_taken_on(event.profile)}
        case ChangeAsked():
            return {"pending": Proposal(event.profile, at)}
        case ChangeReturned():
            assert pending is not None
            return {"pending": msgspec.structs.replace(pending, faults=event.faults, note=event.note)}
        case ChangeDropped():
            return {"pending": None}
        case ChangeApproved():
            assert pending is not None
            return {"pending": None, "note": event.note, **_taken_on(pending.profile)}
        case LeaveAsked():
            return {"status": after(status, Step.LEAVE), "note": event.reason}
        case Stayed():
            return {"status": after(status, Step.STAY), "note": ""}
        case Deregistered():
            return {"status": after(status, Step.DEREGISTER), "note": event.reason, "suspension": None, "planned": None}
        case Registered() | Applied():  # pragma: no branch - the last of the union
            raise AssertionError(f"{event} does not come here")


REVIEWED_DETAILS: Final = ("legal_representative", "identity_tail", "bank_name", "bank_account", "declared", "staff")
"""Details whose change the finance department reviews; as are name and region."""


def _with_own_changes(pending: Proposal | None, details: Details) -> Proposal | None:
    """Let a change that waits not undo what the organisation has changed by itself in the meantime."""
    if pending is None:
        return None
    asked = {name: getattr(pending.profile.details, name) for name in REVIEWED_DETAILS}
    profile = msgspec.structs.replace(pending.profile, details=msgspec.structs.replace(details, **asked))
    return msgspec.structs.replace(pending, profile=profile)


def picture() -> str:
    """Draw the table as the page ``docs/lifecycles/organisation.md``."""
    ways = [
        f"{status} --> {to}: {step} ({' or '.join(side for side in Side if side in BY[status, step])})"
        for (status, step), to in NEXT.items()
    ]
    return drawn(
        "The life of an organisation",
        __name__,
        ways=["[*] --> applied: apply (organisation)", "[*] --> active: register (operator)", *ways],
        ends=[status for status in Status if status in FINAL],
        note="Only who is active may enter into anything new; what is open is fulfilled: ADR-0053.",
    )

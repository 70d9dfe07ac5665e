"""
The access table: role × action × scope, as data.

Every route names its action. The frame lets in the roles that :data:`TABLE` grants it to; how far a grant reaches
(:class:`Scope`, :class:`Condition`) is in the areas' ``WHERE`` and rules, at the places that :data:`CONDITIONS` names.
Somebody to whom an action is granted only because it is everybody's is served as the public, whoever it is.

An action that no role holds cannot be declared, and a role that is not named here may not do it.
``docs/access.md`` and the page ``/admin/access`` show this table.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final, NamedTuple

from kernel.access.actors import OVERSEERS, PURCHASERS, SUPPLIERS, Role
from kernel.access.assurance import Assurance


class Action(StrEnum):
    """What can be done, as ``noun.verb``."""

    SYSTEM_READ = "system.read"
    ACCESS_READ = "access.read"
    SESSION_OPEN = "session.open"
    SESSION_READ = "session.read"
    SESSION_CLOSE = "session.close"
    SESSION_STEP_UP = "session.step-up"
    SESSION_MANAGE = "session.manage"
    FACTOR_READ = "factor.read"
    FACTOR_CHANGE = "factor.change"
    CERTIFICATE_READ = "certificate.read"
    CERTIFICATE_CHANGE = "certificate.change"
    AUTHORITY_READ = "authority.read"
    REGION_READ = "region.read"
    ORGANISATION_READ = "organisation.read"
    ORGANISATION_APPLY = "organisation.apply"
    ORGANISATION_CHANGE = "organisation.change"
    ORGANISATION_REVIEW = "organisation.review"
    ORGANISATION_SUSPEND = "organisation.suspend"
    REGISTRATION_READ = "registration.read"
    LICENCE_FILE = "licence.file"
    LICENCE_READ = "licence.read"
    MEMBER_READ = "member.read"
    MEMBER_CHANGE = "member.change"
    MEMBER_RESET = "member.reset"
    CLASSIFICATION_READ = "classification.read"
    PRODUCT_READ = "product.read"
    PRODUCT_ILLUSTRATE = "product.illustrate"
    PRODUCT_MODERATE = "product.moderate"
    AGREEMENT_READ = "agreement.read"
    OFFER_READ = "offer.read"
    OFFER_CHANGE = "offer.change"
    BUDGET_READ = "budget.read"
    ORDER_PLACE = "order.place"
    ORDER_READ = "order.read"
    ORDER_FULFIL = "order.fulfil"
    ORDER_RECEIVE = "order.receive"
    ORDER_CANCEL = "order.cancel"
    APPROVAL_READ = "approval.read"
    APPROVAL_DECIDE = "approval.decide"
    APPROVAL_WITHDRAW = "approval.withdraw"
    CONTROL_READ = "control.read"
    CONTROL_CHANGE = "control.change"
    AUCTION_READ = "auction.read"
    AUCTION_HOST = "auction.host"
    AUCTION_AWARD = "auction.award"
    AUCTION_OFFER = "auction.offer"
    AUCTION_OVERSEE = "auction.oversee"
    OVERSIGHT_READ = "oversight.read"
    SIGNING_ASK = "signing.ask"
    SIGNING_READ = "signing.read"
    SIGNING_SIGN = "signing.sign"
    SIGNING_DECLINE = "signing.decline"
    LOG_READ = "log.read"
    LOG_RECEIPT = "log.receipt"
    LOG_SEARCH = "log.search"


class Nature(StrEnum):
    """What kind of thing an action is; the separation of duties speaks of these (:mod:`kernel.access.duties`)."""

    PUBLIC = "public"  # 公开信息
    ACCOUNT = "account"  # 本人账号
    ORGANISATION = "organisation"  # 本单位登记与账号
    BUSINESS_READ = "business-read"  # 查看业务数据
    BUSINESS_ACT = "business-act"  # 办理业务
    OVERSIGHT = "oversight"  # 监督
    OPERATION = "operation"  # 平台管理


class Scope(StrEnum):
    """How far a grant reaches."""

    PUBLIC = "public"  # what everybody may see
    OWN = "own"  # the account's own
    ORGANISATION = "organisation"  # what belongs to the actor's organisation
    REGION = "region"  # what belongs to the actor's region and those below it
    PLATFORM = "platform"  # everything


class Condition(StrEnum):
    """What an area asks beyond the scope: a stage, a part that the actor has, a conflict of interest."""

    PUBLISHED_OR_OWN = "published-or-own"
    OVERSEEN = "overseen"
    PARTY = "party"
    STEP_OF_SIDE = "step-of-side"
    BUDGET_HOLDER = "budget-holder"
    OFFERED = "offered"
    HOST = "host"
    ADMITTED = "admitted"
    DOCUMENT_PARTY = "document-party"
    NAMED_SIGNER = "named-signer"
    SECOND_HAND = "second-hand"
    COLLEAGUES_REQUEST = "colleagues-request"
    ASKED_FOR = "asked-for"


class Grant(NamedTuple):
    """One role's right to one action."""

    role: Role
    scope: Scope
    condition: Condition | None = None


class Rule(NamedTuple):
    """
    What the table says of one action; ``text`` names it in Chinese and in English.

    ``level`` is what the session must have shown (as far as the site's setting ``assurance`` goes), ``fresh`` that it
    must have been shown within ``step_up_s``: for acts that bind, or that change how the account is protected.
    """

    text: tuple[str, str]
    nature: Nature
    grants: tuple[Grant, ...]
    level: Assurance = Assurance.PASSWORD
    fresh: bool = False

    @property
    def roles(self) -> frozenset[Role]:
        """Every role to which the action is granted."""
        return frozenset(grant.role for grant in self.grants)


class Meaning(NamedTuple):
    """A condition in words, and the function that decides it."""

    zh: str
    en: str
    where: str


CONDITIONS: Final[dict[Condition, Meaning]] = {
    Condition.PUBLISHED_OR_OWN: Meaning(
        "已发布的竞价；本单位的竞价草稿",
        "auctions that were published, and drafts of the own organisation",
        "market.auctions.queries.visible_to",
    ),
    Condition.OVERSEEN: Meaning(
        "已发布的竞价；登记事由后可见本辖区竞价的全部报价，定标前不见供应商名称",
        "auctions that were published; in the own region, having said why, every price, without names before the award",
        "market.auctions.rules.oversees",
    ),
    Condition.PARTY: Meaning(
        "本单位是订单的采购方或供应方",
        "the own organisation is a party to the order",
        "market.orders.queries.visible_to",
    ),
    Condition.STEP_OF_SIDE: Meaning(
        "订单所处阶段允许本方办理该步骤",
        "the order's stage allows this step to the actor's side",
        "market.orders.lifecycle.decide_step",
    ),
    Condition.BUDGET_HOLDER: Meaning(
        "预算指标属于本单位", "the budget line belongs to the own organisation", "budget.lines.queries.visible_to"
    ),
    Condition.OFFERED: Meaning(
        "本单位供应该商品；只能移除本单位上传的图片",
        "the own organisation offers the product; of the pictures, only its own are removed",
        "catalog.products.rules.decide_illustrate",
    ),
    Condition.HOST: Meaning(
        "竞价由本单位发起", "the own organisation hosts the auction", "market.auctions.service.auction_of"
    ),
    Condition.ADMITTED: Meaning(
        "已获准参加该场竞价，且竞价正在进行",
        "admitted to the auction, and it is running",
        "market.auctions.rules.decide_offer",
    ),
    Condition.DOCUMENT_PARTY: Meaning(
        "本单位是文书的采购方或成交供应商",
        "the own organisation is the document's purchaser or awarded supplier",
        "market.signings.queries.visible_to",
    ),
    Condition.NAMED_SIGNER: Meaning(
        "被指定为签署人，且轮到本人签署",
        "named as a signer, and it is their turn",
        "market.signings.rules.turn_fault",
    ),
    Condition.SECOND_HAND: Meaning(
        "不是本人账号，且该账号的密码不是由其设置",
        "not the own account, nor one whose password they gave",
        "registries.users.rules.decide_reset",
    ),
    Condition.COLLEAGUES_REQUEST: Meaning(
        "本单位同事提请、尚未办结的审批；不能审批自己提请的",
        "asked for by a colleague and not decided yet; never the own request",
        "kernel.access.duties.decide_second_hand",
    ),
    Condition.ASKED_FOR: Meaning(
        "本人提请、尚未办结的审批",
        "asked for by the actor, and not decided yet",
        "market.approvals.rules.decide_withdraw",
    ),
}

_ROLES: Final = tuple(Role)
_KNOWN: Final = tuple(role for role in Role if role is not Role.PUBLIC)


def _to(roles: Iterable[Role], scope: Scope, when: Condition | None = None) -> tuple[Grant, ...]:
    return tuple(Grant(role, scope, when) for role in roles)


def _public(zh: str, en: str) -> Rule:
    return Rule((zh, en), Nature.PUBLIC, _to(_ROLES, Scope.PUBLIC))


_own, _parties, _region = Scope.ORGANISATION, (*PURCHASERS, *SUPPLIERS), Scope.REGION
_TWO: Final = Assurance.SECOND_FACTOR

TABLE: Final[dict[Action, Rule]] = {
    Action.SYSTEM_READ: _public("查看系统时间与版本", "Read the system's time and version"),
    Action.ACCESS_READ: Rule(
        ("查看权限表", "Read the access table"),
        Nature.OVERSIGHT,
        _to((*OVERSEERS, Role.OPERATOR), Scope.PLATFORM),
    ),
    Action.SESSION_OPEN: Rule(("登录", "Log in"), Nature.ACCOUNT, _to(_ROLES, Scope.OWN)),
    Action.SESSION_READ: Rule(("查看登录状态", "See who is logged in"), Nature.ACCOUNT, _to(_ROLES, Scope.OWN)),
    Action.SESSION_CLOSE: Rule(("退出登录", "Log out"), Nature.ACCOUNT, _to(_KNOWN, Scope.OWN)),
    Action.SESSION_STEP_UP: Rule(("补充身份验证", "Show a further proof"), Nature.ACCOUNT, _to(_KNOWN, Scope.OWN)),
    Action.SESSION_MANAGE: Rule(
        ("查看与注销本人的登录", "List and end the own sessions"), Nature.ACCOUNT, _to(_KNOWN, Scope.OWN)
    ),
    Action.FACTOR_READ: Rule(("查看本人的验证方式", "See the own factors"), Nature.ACCOUNT, _to(_KNOWN, Scope.OWN)),
    Action.FACTOR_CHANGE: Rule(
        ("更改本人的密码与验证方式", "Change the own password and factors"),
        Nature.ACCOUNT,
        _to(_KNOWN, Scope.OWN),
        fresh=True,
    ),
    Action.CERTIFICATE_READ: Rule(
        ("查看本人的数字证书", "Read the own certificates"), Nature.ACCOUNT, _to(_KNOWN, Scope.OWN)
    ),
    Action.CERTIFICATE_CHANGE: Rule(
        ("办理、登记与吊销本人的数字证书", "Get, register and revoke the own certificates"),
        Nature.ACCOUNT,
        _to(_KNOWN, Scope.OWN),
        fresh=True,
    ),
    Action.AUTHORITY_READ: _public("下载本站签发机构的证书与吊销列表", "Download this site's authorities and list"),
    Action.REGION_READ: _public("查看行政区划", "Read the regions"),
    Action.ORGANISATION_READ: _public("查看单位名册", "Read the register of organisations"),
    Action.ORGANISATION_APPLY: _public("申请登记，查询进度", "Apply for registration, ask how far it has come"),
    Action.ORGANISATION_CHANGE: Rule(
        ("变更本单位登记", "Change the own registration"), Nature.ORGANISATION, _to((Role.ADMINISTRATOR,), _own)
    ),
    Action.ORGANISATION_REVIEW: Rule(
        ("审核登记与变更", "Review registrations and changes"), Nature.OVERSIGHT, _to((Role.SUPERVISOR,), _region), _TWO
    ),
    Action.ORGANISATION_SUSPEND: Rule(
        ("暂停、恢复、注销单位", "Suspend, reinstate and strike off organisations"),
        Nature.OVERSIGHT,
        _to((Role.SUPERVISOR,), _region),
        _TWO,
    ),
    Action.REGISTRATION_READ: Rule(
        ("查看登记", "Read registrations"),
        Nature.ORGANISATION,
        (*_to((Role.ADMINISTRATOR,), _own), *_to(OVERSEERS, _region)),
    ),
    Action.LICENCE_FILE: Rule(
        ("上传本单位营业执照", "Hand the own business licence in"),
        Nature.ORGANISATION,
        _to((Role.ADMINISTRATOR,), _own),
    ),
    Action.LICENCE_READ: Rule(
        ("查看营业执照", "See business licences"),
        Nature.ORGANISATION,
        (*_to((Role.ADMINISTRATOR,), _own), *_to((Role.SUPERVISOR,), _region)),
    ),
    Action.MEMBER_READ: Rule(
        ("查看本单位账号", "Read the own organisation's accounts"),
        Nature.ORGANISATION,
        _to((Role.ADMINISTRATOR,), _own),
    ),
    Action.MEMBER_CHANGE: Rule(
        ("管理本单位账号", "Administer the own organisation's accounts"),
        Nature.ORGANISATION,
        _to((Role.ADMINISTRATOR,), _own),
        _TWO,
    ),
    Action.MEMBER_RESET: Rule(
        ("重置本单位账号的第二因素", "Reset the second factors of the own organisation's accounts"),
        Nature.ORGANISATION,
        _to((Role.ADMINISTRATOR,), _own, Condition.SECOND_HAND),
        _TWO,
        fresh=True,
    ),
    Action.CLASSIFICATION_READ: _public("查看品目分类", "Read the classification"),
    Action.PRODUCT_READ: _public("查看商品目录", "Read the catalogue"),
    Action.PRODUCT_ILLUSTRATE: Rule(
        ("上传与调整商品图片", "Send in and arrange pictures of products"),
        Nature.BUSINESS_ACT,
        _to((Role.SUPPLIER,), _own, Condition.OFFERED),
    ),
    Action.PRODUCT_MODERATE: Rule(
        ("下架不当的商品图片", "Take improper pictures of products down"),
        Nature.OPERATION,
        _to((Role.OPERATOR,), Scope.PLATFORM),
    ),
    Action.AGREEMENT_READ: _public("查看框架协议", "Read framework agreements"),
    Action.OFFER_READ: Rule(("查看本单位报价", "Read the own offers"), Nature.BUSINESS_READ, _to(SUPPLIERS, _own)),
    Action.OFFER_CHANGE: Rule(
        ("调整本单位报价", "Change the own offers"), Nature.BUSINESS_ACT, _to((Role.SUPPLIER,), _own), _TWO
    ),
    Action.BUDGET_READ: Rule(
        ("查看预算指标", "Read budget lines"),
        Nature.BUSINESS_READ,
        (*_to(PURCHASERS, _own, Condition.BUDGET_HOLDER), *_to(OVERSEERS, _region)),
    ),
    Action.ORDER_PLACE: Rule(
        ("直接订购", "Place orders"), Nature.BUSINESS_ACT, _to((Role.PURCHASER,), _own), _TWO, fresh=True
    ),
    Action.ORDER_READ: Rule(
        ("查看订单", "Read orders"),
        Nature.BUSINESS_READ,
        (*_to(_parties, _own, Condition.PARTY), *_to(OVERSEERS, _region)),
    ),
    Action.ORDER_FULFIL: Rule(
        ("接单、拒单、发货", "Accept, refuse and ship orders"),
        Nature.BUSINESS_ACT,
        _to((Role.SUPPLIER,), _own, Condition.STEP_OF_SIDE),
        _TWO,
    ),
    Action.ORDER_RECEIVE: Rule(
        ("验收、办结订单", "Receive and close orders"),
        Nature.BUSINESS_ACT,
        _to((Role.PURCHASER,), _own, Condition.STEP_OF_SIDE),
        _TWO,
        fresh=True,
    ),
    Action.ORDER_CANCEL: Rule(
        ("取消订单", "Cancel orders"),
        Nature.BUSINESS_ACT,
        _to((Role.PURCHASER, Role.SUPPLIER), _own, Condition.STEP_OF_SIDE),
        _TWO,
    ),
    Action.APPROVAL_READ: Rule(
        ("查看本单位的审批", "Read the own organisation's requests for approval"),
        Nature.BUSINESS_READ,
        _to(PURCHASERS, _own),
    ),
    Action.APPROVAL_DECIDE: Rule(
        ("审批订单：批准、退回", "Approve orders, or return them"),
        Nature.BUSINESS_ACT,
        _to((Role.APPROVER,), _own, Condition.COLLEAGUES_REQUEST),
        _TWO,
        fresh=True,
    ),
    Action.APPROVAL_WITHDRAW: Rule(
        ("撤回提请的审批", "Withdraw an own request for approval"),
        Nature.BUSINESS_ACT,
        _to((Role.PURCHASER,), _own, Condition.ASKED_FOR),
        _TWO,
    ),
    Action.CONTROL_READ: Rule(
        ("查看本单位的审批起点金额", "Read from which amount on the own orders need an approver"),
        Nature.ORGANISATION,
        _to((*PURCHASERS, Role.ADMINISTRATOR), _own),
    ),
    Action.CONTROL_CHANGE: Rule(
        ("设置本单位的审批起点金额", "Set from which amount on the own orders need an approver"),
        Nature.ORGANISATION,
        _to((Role.ADMINISTRATOR,), _own),
        _TWO,
    ),
    Action.AUCTION_READ: Rule(
        ("查看竞价与竞价大厅", "Read auctions and their halls"),
        Nature.PUBLIC,
        (
            *_to(_parties, _own, Condition.PUBLISHED_OR_OWN),
            *_to((Role.AGENCY, Role.EXPERT, Role.PUBLIC), Scope.PUBLIC, Condition.PUBLISHED_OR_OWN),
            *_to(OVERSEERS, Scope.PUBLIC, Condition.OVERSEEN),
        ),
    ),
    Action.AUCTION_HOST: Rule(
        ("发起与主持竞价", "Start and host auctions"),
        Nature.BUSINESS_ACT,
        _to((Role.PURCHASER,), _own, Condition.HOST),
        _TWO,
    ),
    Action.AUCTION_AWARD: Rule(
        ("竞价定标", "Award auctions"),
        Nature.BUSINESS_ACT,
        _to((Role.PURCHASER,), _own, Condition.HOST),
        Assurance.CERTIFICATE,
        fresh=True,
    ),
    Action.AUCTION_OFFER: Rule(
        ("竞价报价", "Offer in auctions"), Nature.BUSINESS_ACT, _to((Role.SUPPLIER,), _own, Condition.ADMITTED), _TWO
    ),
    Action.AUCTION_OVERSEE: Rule(
        ("监督查看竞价大厅", "Oversee running halls"), Nature.OVERSIGHT, _to(OVERSEERS, _region), _TWO
    ),
    Action.OVERSIGHT_READ: Rule(
        ("查看监督查看记录", "Read who has overseen halls"), Nature.OVERSIGHT, _to((Role.AUDITOR,), _region)
    ),
    Action.SIGNING_ASK: Rule(
        ("发起与撤回文件签署", "Ask for signatures, and withdraw that"),
        Nature.BUSINESS_ACT,
        _to((Role.PURCHASER,), _own, Condition.HOST),
        _TWO,
    ),
    Action.SIGNING_READ: Rule(
        ("查看文件签署", "Read signings and their documents"),
        Nature.BUSINESS_READ,
        (*_to(_parties, _own, Condition.DOCUMENT_PARTY), *_to(OVERSEERS, _region)),
    ),
    Action.SIGNING_SIGN: Rule(
        ("签署文件", "Sign documents"),
        Nature.BUSINESS_ACT,
        _to((*PURCHASERS, Role.SIGNATORY), _own, Condition.NAMED_SIGNER),
        Assurance.CERTIFICATE,
        fresh=True,
    ),
    Action.SIGNING_DECLINE: Rule(
        ("拒绝签署文件", "Decline to sign documents"),
        Nature.BUSINESS_ACT,
        _to((*PURCHASERS, Role.SIGNATORY), _own, Condition.NAMED_SIGNER),
        _TWO,
    ),
    Action.LOG_READ: _public("查看透明日志", "Read the transparency log"),
    Action.LOG_RECEIPT: Rule(
        ("领取日志回执", "Get receipts from the log"),
        Nature.ACCOUNT,
        _to(_KNOWN, Scope.OWN),
    ),
    Action.LOG_SEARCH: Rule(("检索日志", "Search the log"), Nature.OVERSIGHT, _to((Role.AUDITOR,), Scope.PLATFORM)),
}
"""Every action, who may do it, and how far."""

ACCESS: Final[dict[Action, frozenset[Role]]] = {action: rule.roles for action, rule in TABLE.items()}
"""The table without its scopes: what the frame asks at each request."""

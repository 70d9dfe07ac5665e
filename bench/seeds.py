"""What the server under test is filled with: through the product's own services, never past the journal."""

import asyncio
from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from budget.lines import service as budget
from budget.lines.rules import Appropriated, fiscal_year
from catalog.agreements import service as agreements
from catalog.agreements.rules import Package, Subject
from catalog.classification import service as classification
from catalog.offers import service as offers
from catalog.products import service as products
from catalog.products.rules import Details
from kernel.access.actors import Actor, Role, system_actor
from kernel.access.assurance import Assurance
from kernel.commit.by import By
from kernel.commit.command import Key
from kernel.ids import uuid7
from kernel.money import FEN_MAX
from kernel.runtime import Kernel
from market.auctions import service as auctions
from market.auctions.lifecycle import AuctionTerms, Item, MinimumStep, StepFrom
from registries.organisations import service as organisations
from registries.organisations.rules import Kind
from registries.users import service as users
from tests.builders.registries import a_credit_code

ACTOR: Final = system_actor("bench")
_REGION: Final = "330102"
PASSWORD: Final = "a password of the bench"  # noqa: S105
_CATEGORY: Final = "A02010108"
_PRICE_FEN: Final = 1_00
_AMPLE: Final = 100_000_000
_LIVE_IN: Final = timedelta(seconds=1.0)
_DURATION_S: Final = 6 * 3600


class Seeds:
    """Fills one kernel; organisations are numbered on from seed to seed."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel: Final = kernel
        self._number = 0

    async def party(self, kind: Kind) -> tuple[Actor, str]:
        """Register an organisation with one account, and open a session for it."""
        self._number += 1
        number = self._number
        organisation_id = await organisations.register_organisation(
            self._kernel,
            ACTOR,
            kind=kind,
            name=f"测试单位{number:05d}",
            credit_code=a_credit_code(number),
            region=_REGION,
        )
        user_id = await users.create_user(
            self._kernel,
            ACTOR,
            login=f"bench{number:05d}",
            name=f"经办人{number:05d}",
            password=PASSWORD,
            organisation_id=organisation_id,
            roles=(Role(kind.value),),
        )
        actor = await users.load_actor(self._kernel.db, user_id)
        assert actor is not None
        token, _ = await self._kernel.sessions.open(
            user_id, origin="127.0.0.1", user_agent="bench", level=Assurance.SECOND_FACTOR
        )
        return actor, token

    async def auctions(self, *, bidders: int, halls: list[list[int]]) -> dict[str, Any]:
        """
        Make live auctions; ``halls`` lists for each of them the numbers of its bidders.

        A step of one fen from the own last price and a ceiling of ten trillion: nobody runs out of room.
        """
        host, _ = await self.party(Kind.PURCHASER)
        parties = [await self.party(Kind.SUPPLIER) for _ in range(bidders)]
        found = [await self._auction(host, [parties[number][0] for number in numbers]) for numbers in halls]
        await asyncio.sleep(_LIVE_IN.total_seconds() + 0.5)
        return {"tokens": [token for _, token in parties], "auctions": [str(auction_id) for auction_id in found]}

    async def _auction(self, host: Actor, bidders: list[Actor]) -> UUID:
        now = self._kernel.clock.now()
        terms = AuctionTerms(
            title="测试竞价",
            items=(Item(quantity=1, name="台式计算机", unit="台"),),
            ceiling_fen=FEN_MAX,
            step=MinimumStep(amount_fen=1),
            step_from=StepFrom.OWN,
            starts_at=now + _LIVE_IN,
            duration_s=_DURATION_S,
            bidders_min=1,
            invited=tuple(bidder.organisation_id for bidder in bidders if bidder.organisation_id),
        )
        done = await auctions.create_draft(self._kernel, self._by(host), terms)
        await auctions.publish(self._kernel, self._by(host), done.auction_id)
        return done.auction_id

    def _by(self, actor: Actor) -> By:
        at = self._kernel.clock.now()
        return By(actor, "127.0.0.1", at, Key(actor.journal, str(uuid7(at)), b"bench"))

    async def shop(self, *, purchasers: int, offers_count: int) -> dict[str, Any]:
        """Make purchasers with ample budget lines, and as many ample offers, each of a supplier of its own."""
        kernel = self._kernel
        await classification.load_common_codes(kernel, ACTOR)
        suppliers = [(await self.party(Kind.SUPPLIER))[0] for _ in range(offers_count)]
        ids = tuple(supplier.organisation_id for supplier in suppliers if supplier.organisation_id)
        year = fiscal_year(kernel.clock.now())
        agreement_id = await agreements.conclude_agreement(
            kernel,
            ACTOR,
            number="BENCH-001",
            title="测试框架协议",
            organiser="测试",
            subject=Subject.GOODS,
            valid_from=date(year, 1, 1),
            valid_to=date(year, 12, 31),
            regions=("330000",),
            packages=(Package(1, "测试包", "2022", _CATEGORY, _PRICE_FEN, ids),),
        )
        shelf = [await self._offer(number, agreement_id, supplier_id) for number, supplier_id in enumerate(ids)]
        seats = []
        for number in range(purchasers):
            actor, token = await self.party(Kind.PURCHASER)
            body = {
                "budget_line_id": str(await self._line(actor, number, year)),
                "region": _REGION,
                "address": "测试路 1 号",
                "contact": "经办人",
                "phone": "0571-00000000",
                "lines": [{"offer_id": str(shelf[number % len(shelf)]), "quantity": 1, "price_fen": _PRICE_FEN}],
            }
            seats.append({"token": token, "body": msgspec.json.encode(body).decode()})
        return {"seats": seats}

    async def _offer(self, number: int, agreement_id: UUID, supplier_id: UUID) -> UUID:
        details = Details(
            edition="2022",
            category_code=_CATEGORY,
            category_name="",
            name=f"测试便携式计算机 {number}",
            unit="台",
            brand="测试",
            model=f"B-{number}",
            market_price_fen=_PRICE_FEN,
        )
        product_id = await products.create_product(self._kernel, ACTOR, details)
        return await offers.list_offer(
            self._kernel,
            ACTOR,
            product_id=product_id,
            supplier_id=supplier_id,
            agreement_id=agreement_id,
            package=1,
            agreement_price_fen=_PRICE_FEN,
            quota=_AMPLE,
            regions=("330000",),
        )

    async def _line(self, actor: Actor, number: int, year: int) -> UUID:
        assert actor.organisation_id is not None
        line = Appropriated(
            number=f"{_REGION}-{year}-{number:05d}",
            name="测试指标",
            year=year,
            organisation_id=actor.organisation_id,
            region=_REGION,
            amount_fen=_AMPLE * _PRICE_FEN,
            document="测试",
        )
        return await budget.appropriate(self._kernel, By(ACTOR, "local", self._kernel.clock.now()), line)

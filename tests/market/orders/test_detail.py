"""What an order shows beside its terms: pictures as they were, and which entry the reader has a receipt of."""

import pytest

from catalog.offers.service import OFFER
from catalog.pictures.service import store_picture
from catalog.products import service as products
from catalog.products.rules import Extent, FirstPicture
from kernel.commit.by import By
from kernel.problems import NotFound, Unavailable
from kernel.runtime import Kernel
from kernel.transparency.receipts import receipt_of
from market.orders import service
from market.orders.lifecycle import Step
from tests.builders.market_orders import Trade, a_trade, an_order_of, state_of, step
from tests.builders.pictures import a_picture
from tests.builders.registries import OPERATOR


@pytest.fixture
async def trade(kernel: Kernel) -> Trade:
    return await a_trade(kernel)


async def test_an_order_shows_the_picture_that_the_product_had_when_it_was_ordered(
    kernel: Kernel, trade: Trade
) -> None:
    by = By(trade.supplier, "test", kernel.clock.now())
    product_id = (await state_of(kernel, OFFER.ref(trade.offer_id))).product_id
    digests = [(await store_picture(kernel, by, a_picture(number=n))).digest for n in (1, 2)]

    async def illustrate(*shown: str) -> None:
        revision = (await products.get(kernel, product_id)).product.revision
        await products.illustrate(kernel, by, product_id, shown, revision=revision)

    bare = await an_order_of(kernel, trade)
    await illustrate(*digests)
    pictured = await an_order_of(kernel, trade)
    await illustrate(digests[1])

    for order_id, picture in ((bare, None), (pictured, FirstPicture(digests[0], taken_down=False))):
        found = await service.detail(kernel, trade.purchaser, order_id)
        assert found.pictures == (picture,)


@pytest.mark.parametrize("extent", list(Extent))
async def test_an_order_keeps_a_picture_that_does_not_show_the_product_and_says_that_an_unlawful_one_is_gone(
    kernel: Kernel, trade: Trade, extent: Extent
) -> None:
    by = By(trade.supplier, "test", kernel.clock.now())
    product_id = (await state_of(kernel, OFFER.ref(trade.offer_id))).product_id
    digest = (await store_picture(kernel, by, a_picture())).digest
    await products.illustrate(kernel, by, product_id, (digest,), revision=1)
    order_id = await an_order_of(kernel, trade)

    await products.take_down(kernel, By(OPERATOR, "test", kernel.clock.now()), product_id, digest, "不妥", extent)

    for actor in (trade.purchaser, trade.supplier):
        found = await service.detail(kernel, actor, order_id)
        assert found.pictures == (FirstPicture(digest, taken_down=extent is Extent.EVERYWHERE),)


async def test_an_order_names_the_last_entry_that_the_caller_made(kernel: Kernel, trade: Trade) -> None:
    order_id = await an_order_of(kernel, trade)
    await step(kernel, trade.supplier, order_id, Step.ACCEPT)

    found = [
        (await service.detail(kernel, actor, order_id)).receipt_version
        for actor in (trade.purchaser, trade.supplier, trade.supervisor)
    ]

    assert found == [1, 2, None]


@pytest.mark.parametrize(
    ("taken", "own"),
    [
        ((), None),
        ((Step.REFUSE,), 2),
        ((Step.CANCEL,), None),
        ((Step.ACCEPT, Step.CANCEL), 2),
        ((Step.ACCEPT, Step.SHIP), 3),
    ],
    ids=["placed", "refused", "cancelled", "cancelled-after-acceptance", "shipped"],
)
async def test_a_supplier_has_receipts_of_what_it_did_and_of_nothing_else(
    kernel: Kernel, trade: Trade, taken: tuple[Step, ...], own: int | None
) -> None:
    """An order that it has not answered, or that the purchaser took back, gives it none of the purchaser's."""
    order_id = await an_order_of(kernel, trade)
    for one in taken:
        await step(kernel, trade.purchaser if one is Step.CANCEL else trade.supplier, order_id, one)
    theirs = {number for number, one in enumerate(taken, 2) if one is not Step.CANCEL}

    assert (await service.detail(kernel, trade.supplier, order_id)).receipt_version == own
    for version in range(1, len(taken) + 2):
        with pytest.raises(Unavailable if version in theirs else NotFound):  # its own is only not in a checkpoint yet
            await receipt_of(kernel, trade.supplier.journal, f"order/{order_id}", version, at=kernel.clock.now())

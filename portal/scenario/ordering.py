"""A direct order (直接订购) from the shelf to the closed file, over HTTP."""

from typing import Any, Final
from uuid import UUID

from portal.demo.client import Client
from portal.scenario.steps import Steps, expect

_QUANTITY: Final = 2


async def order_once(steps: Steps, buyer: Client, seller: Client, budget_line_id: UUID) -> dict[str, Any]:
    """Find something, preview it, order it, send the same request again, and take the order to its end."""
    with steps.step("find", "查找商品 · find goods") as told:
        page = await buyer.get("/api/products", sort="price", limit=20)
        chosen = next(row for row in page["items"] if row["best_offer_id"])
        detail = await buyer.get(f"/api/products/{chosen['product_id']}")
        told(f"{chosen['name']}: {chosen['best_price_fen'] / 100:,.2f} 元, {len(detail['offers'])} offer(s)")
    lines = [{"offer_id": chosen["best_offer_id"], "quantity": _QUANTITY, "price_fen": chosen["best_price_fen"]}]
    where = {
        "budget_line_id": str(budget_line_id),
        "region": buyer.actor["region"],
        "address": "示例路 1 号收发室",
        "contact": buyer.actor["name"],
        "phone": "0571-00000000",
    }
    with steps.step("order", "下单，并以同一幂等键重发 · order, and send the same request again") as told:
        preview = await buyer.post("/api/orders/preview", {**where, "lines": lines})
        expect(preview["ok"], preview["problems"])
        key = buyer.new_key()
        placed = await buyer.post("/api/orders", {**where, "lines": lines}, key=key)
        again = await buyer.post("/api/orders", {**where, "lines": lines}, key=key)
        expect(placed == again, "a retry got another answer")
        order = placed["orders"][0]
        told(f"{order['number']}: {order['total_fen'] / 100:,.2f} 元")
    path = f"/api/orders/{order['order_id']}"
    with steps.step("fulfil", "接单、发货、验收、办结 · accept, ship, receive, close") as told:
        await seller.post(f"{path}/accept", {})
        await seller.post(f"{path}/ship", {"carrier": "示例物流", "tracking": "SF0000000001"})
        await buyer.post(f"{path}/receive", {"note": "数量相符，外观完好"})
        await buyer.post(f"{path}/close", {})
        done = await buyer.get(path)
        budget = (await buyer.get("/api/budget-lines"))["items"][0]
        expect(done["stage"] == "closed", done["stage"])
        expect(budget["consumed_fen"] == order["total_fen"], budget)
        expect(budget["reserved_fen"] == 0, budget)
        orders = (await buyer.get("/api/orders", side="purchaser"))["items"]
        expect(len(orders) == 1, "a retry made another order")
        told(" → ".join(moment["what"] for moment in done["timeline"]))
    return {
        "number": order["number"],
        "stage": done["stage"],
        "total_fen": order["total_fen"],
        "budget_consumed_fen": budget["consumed_fen"],
        "timeline": [moment["what"] for moment in done["timeline"]],
    }

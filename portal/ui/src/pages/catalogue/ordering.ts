// Putting an offer into the cart, and saying so.
import { ref } from "vue";
import { useI18n } from "vue-i18n";

import { answer, api } from "../../api/client.ts";
import type { OfferLine, ProductDetail } from "../../api/types.ts";
import { cart } from "../../state/cart.ts";
import { noteDone, noteProblem } from "../../state/notice.ts";
import { problemText } from "../../state/problem.ts";

export function useOrdering() {
  const { t } = useI18n();
  const adding = ref("");

  function addOffer(product: ProductDetail, offer: OfferLine, quantity: number): void {
    const { product_id, name, brand, model, category_code, unit } = product;
    const { offer_id, supplier_id, supplier_name, price_fen } = offer;
    const picture = product.pictures[0] ?? null;
    const goods = { product_id, name, brand, model, category_code, unit, picture };
    const line = { ...goods, offer_id, supplier_id, supplier_name, price_fen };
    if (cart.add({ ...line, quantity })) noteDone(t("catalogue.added", { name }));
    else noteProblem(t("catalogue.addFull"));
  }

  /** Adds one of the cheapest offer of today, which a list does not know fully. */
  async function addCheapest(productId: string): Promise<void> {
    adding.value = productId;
    try {
      const path = { product_id: productId };
      const product = await answer(api.GET("/api/products/{product_id}", { params: { path } }));
      const offer = product.offers.find((one) => one.available > 0);
      if (offer) addOffer(product, offer, 1);
      else noteProblem(t("catalogue.nothingToOrder"));
    } catch (thrown) {
      noteProblem(problemText(thrown));
    } finally {
      adding.value = "";
    }
  }

  return { adding, addOffer, addCheapest };
}

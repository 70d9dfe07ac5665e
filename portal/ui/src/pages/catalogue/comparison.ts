// Products side by side: one row per feature, and whether the products differ in it.
import { computed } from "vue";
import { useI18n } from "vue-i18n";

import type { Comparison, ProductDetail } from "../../api/types.ts";
import { formatFen } from "../../lib/money.ts";

export interface ComparedRow {
  key: string;
  name: string;
  values: string[];
  differs: boolean;
}

type Feature = [key: string, name: string, valueOf: (product: ProductDetail) => string];

export function useComparison(comparison: () => Comparison | undefined) {
  const { t } = useI18n();

  const rows = computed<ComparedRow[]>(() => {
    const found = comparison();
    if (!found) return [];
    const suppliers = (product: ProductDetail) => new Set(product.offers.map((offer) => offer.supplier_id)).size;
    const offersOf = (n: number) => t("catalogue.offersOf", { n }, n);
    const features: Feature[] = [
      ["brand", t("catalogue.brandName"), (product) => product.brand],
      ["model", t("catalogue.model"), (product) => product.model],
      ["category", t("catalogue.category"), (product) => product.category_name],
      ["unit", t("catalogue.unit"), (product) => product.unit],
      [
        "market",
        t("catalogue.marketPrice"),
        (product) => (product.market_price_fen === null ? "" : formatFen(product.market_price_fen)),
      ],
      ["offers", t("catalogue.offers"), (product) => offersOf(suppliers(product))],
      ...found.attributes.map<Feature>(({ attribute_id, name }) => [
        attribute_id,
        name,
        (product) => product.attributes.find((one) => one.attribute_id === attribute_id)?.text ?? "",
      ]),
    ];
    return features.map(([key, name, valueOf]) => {
      const values = found.items.map(valueOf);
      return { key, name, values, differs: new Set(values).size > 1 };
    });
  });

  const best = computed(() => {
    const prices = (comparison()?.items ?? []).flatMap((product) => product.offers.map((offer) => offer.price_fen));
    return prices.length > 0 ? Math.min(...prices) : null;
  });

  return { rows, best };
}

// The catalogue's filters as they stand in the address, and as the service takes them.
import { parseYuan } from "../../lib/money.ts";
import { useQueryFilters } from "../../state/query.ts";

export const SORTS = ["relevance", "price", "-price", "name", "newest"] as const;
export type Sort = (typeof SORTS)[number];

const DEFAULTS = {
  q: "",
  category: "",
  brand: "",
  supplier: "",
  region: "",
  min: "",
  max: "",
  sort: "relevance",
  view: "cards",
};
export type CatalogueFilters = typeof DEFAULTS;

/** What narrows the list down; the rest only arranges it. */
const NARROWING = ["q", "category", "brand", "supplier", "region", "min", "max"] as const;

export function useCatalogueFilters(): CatalogueFilters {
  return useQueryFilters({ ...DEFAULTS });
}

export function countOf(filters: CatalogueFilters): number {
  return NARROWING.filter((name) => name !== "q" && filters[name] !== "").length;
}

export function clearOf(filters: CatalogueFilters): void {
  for (const name of NARROWING) filters[name] = "";
}

/** The filters as query parameters; prices that cannot be read are left out. */
export function narrowingOf(filters: CatalogueFilters) {
  const given = (value: string) => value || undefined;
  return {
    q: given(filters.q),
    category: given(filters.category),
    brand: given(filters.brand),
    supplier: given(filters.supplier),
    region: given(filters.region),
    price_min_fen: parseYuan(filters.min) ?? undefined,
    price_max_fen: parseYuan(filters.max) ?? undefined,
  };
}

export function sortOf(filters: CatalogueFilters): Sort {
  return SORTS.find((sort) => sort === filters.sort) ?? "relevance";
}

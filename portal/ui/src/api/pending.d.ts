// Paths whose service is not written yet; each goes when `npm run client` brings the real one.
type Json<T> = { headers: { [name: string]: unknown }; content: { "application/json": T } };
type Parameters<Query, Path> = { query?: Query; header?: never; cookie?: never } & ([Path] extends [never]
  ? { path?: never }
  : { path: Path });
type Get<Out, Query = never, Path = never> = {
  parameters: Parameters<Query, Path>;
  requestBody?: never;
  responses: { 200: Json<Out> };
};
type Write<Out, In, Path = never> = {
  parameters: Parameters<never, Path>;
  requestBody: { content: { "application/json": In } };
  responses: { 200: Json<Out> };
};
type Id<Name extends string> = { [name in Name]: string };
type PageOf<T> = { items: T[]; next: string | null };
type Paged = { cursor?: string; limit?: number };

interface ProductRow {
  product_id: string;
  revision: number;
  name: string;
  brand: string;
  model: string;
  category_edition: string;
  category_code: string;
  category_name: string;
  picture: string | null;
  unit: string;
  market_price_fen: number | null;
  offers: number;
  suppliers: number;
  best_price_fen: number | null;
  best_offer_id: string | null;
  agreement_price_fen: number | null;
  available: number;
}
interface ProductOffer {
  offer_id: string;
  revision: number;
  product_id: string;
  supplier_id: string;
  supplier_name: string;
  agreement_id: string;
  agreement_number: string;
  agreement_title: string;
  package: number;
  price_fen: number;
  agreement_price_fen: number;
  available: number;
  regions: string[];
  on_shelf: boolean;
  valid_from: string;
  valid_to: string;
}
interface Attribute {
  id: string;
  name: string;
  value: string | number | boolean;
  unit: string;
}
interface ProductDetail extends ProductRow {
  description: string;
  attributes: Attribute[];
  sales: ProductOffer[];
}
interface Facet {
  key: string;
  name: string;
  count: number;
}
interface Filters extends Paged {
  q?: string;
  category?: string;
  brand?: string;
  supplier?: string;
  region?: string;
  price_min_fen?: number;
  price_max_fen?: number;
  sort?: string;
}
interface AuctionRow {
  auction_id: string;
  number: string;
  title: string;
  stage: string;
  starts_at: string | null;
  closes_at: string | null;
}

export interface PendingPaths {
  "/api/products": { get: Get<PageOf<ProductRow>, Filters> };
  "/api/products/facets": {
    get: Get<
      {
        total: number;
        more: boolean;
        categories: Facet[];
        brands: Facet[];
        suppliers: Facet[];
      },
      Filters
    >;
  };
  "/api/products/compare": { get: Get<{ items: ProductDetail[] }, { ids: string }> };
  "/api/products/{product_id}": { get: Get<ProductDetail, never, Id<"product_id">> };
  "/api/auctions": { get: Get<PageOf<AuctionRow>, Paged & { scope?: string; stage?: string; q?: string }> };
}

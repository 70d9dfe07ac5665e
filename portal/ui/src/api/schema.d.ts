// Stands in until `npm run client` writes this file from the service's OpenAPI document.
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

interface Actor {
  user_id: string | null;
  login: string;
  name: string;
  organisation_id: string | null;
  organisation_name: string;
  region: string;
  roles: string[];
}
interface ProductRow {
  product_id: string;
  name: string;
  brand: string;
  model: string;
  category_code: string;
  category_name: string;
  picture: string | null;
  unit: string;
  best_price_fen: number | null;
  best_offer_id: string | null;
  offers: number;
  agreement_price_fen: number | null;
  market_price_fen: number | null;
}
interface ProductOffer {
  offer_id: string;
  supplier_id: string;
  supplier_name: string;
  agreement_id: string;
  agreement_title: string;
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
  value: string;
  unit: string;
}
interface ProductDetail extends ProductRow {
  description: string;
  attributes: Attribute[];
  sales: ProductOffer[];
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

export interface paths {
  "/api/sessions": { post: Write<{ token: string; actor: Actor; expires_at: string }, { login: string; password: string }> };
  "/api/sessions/current": {
    get: Get<{ actor: Actor | null }>;
    delete: Get<null>;
  };
  "/api/demo-accounts": { get: Get<{ items: { login: string; password: string; name: string; organisation_name: string; roles: string[] }[] }> };
  "/api/regions": { get: Get<{ items: { code: string; name: string; parent: string | null }[] }> };
  "/api/products": { get: Get<PageOf<ProductRow>, Filters> };
  "/api/products/facets": {
    get: Get<
      {
        categories: { code: string; name: string; count: number }[];
        brands: { name: string; count: number }[];
        suppliers: { organisation_id: string; name: string; count: number }[];
      },
      Filters
    >;
  };
  "/api/products/compare": { get: Get<{ items: ProductDetail[] }, { ids: string }> };
  "/api/products/{product_id}": { get: Get<ProductDetail, never, Id<"product_id">> };
  "/api/auctions": { get: Get<PageOf<AuctionRow>, Paged & { scope?: string; stage?: string; q?: string }> };
}
export interface components {
  schemas: { Actor: Actor };
}

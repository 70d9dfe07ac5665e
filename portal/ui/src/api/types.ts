// Names for what the service answers. The document generates the shapes; here they only get short names.
import type { PendingPaths } from "./pending";
import type { paths as ServicePaths } from "./schema";

type paths = ServicePaths & PendingPaths;

type JsonOf<Response> = Response extends { content: { "application/json": infer Body } } ? Body : never;
type Good<Responses> = {
  [Status in keyof Responses]: Status extends 200 | 201 ? JsonOf<Responses[Status]> : never;
}[keyof Responses];

/** The body of a successful answer of `Method` on `Path`. */
export type Answer<Path extends keyof paths, Method extends keyof paths[Path]> = paths[Path][Method] extends {
  responses: infer Responses;
}
  ? Good<Responses>
  : never;

type ItemOf<List> = List extends { items: readonly (infer Item)[] } ? Item : never;

export type Actor = NonNullable<Answer<"/api/sessions/current", "get">["actor"]>;
export type DemoAccount = ItemOf<Answer<"/api/demo-accounts", "get">>;
export type Region = ItemOf<Answer<"/api/regions", "get">>;
export type ProductRow = ItemOf<Answer<"/api/products", "get">>;
export type Facets = Answer<"/api/products/facets", "get">;
export type ProductDetail = Answer<"/api/products/{product_id}", "get">;
export type AuctionRow = ItemOf<Answer<"/api/auctions", "get">>;

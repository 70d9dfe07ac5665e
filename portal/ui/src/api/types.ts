// Names for what the service answers. The document generates the shapes; here they only get short names.
import type { paths } from "./schema";

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
export type OwnCertificate = ItemOf<Answer<"/api/certificates", "get">>;
export type Particulars = Answer<"/api/certificates/particulars", "get">;
export type Entered = Answer<"/api/sessions", "post">;
export type SessionState = Entered["session"];
export type Method = SessionState["methods"][number];
export type OwnSession = ItemOf<Answer<"/api/sessions", "get">>;
export type Factors = Answer<"/api/account/factors", "get">;
export type DemoAccount = ItemOf<Answer<"/api/demo-accounts", "get">>;
export type AccessRule = ItemOf<Answer<"/api/access-table", "get">>;
export type LogRow = ItemOf<Answer<"/api/log/entries", "get">>;
export type Region = ItemOf<Answer<"/api/regions", "get">>;
export type ProductRow = ItemOf<Answer<"/api/products", "get">>;
export type Category = ItemOf<Answer<"/api/classification", "get">>;
export type Facets = Answer<"/api/products/facets", "get">;
export type ProductDetail = Answer<"/api/products/{product_id}", "get">;
export type Album = Answer<"/api/products/{product_id}/pictures", "get">;
export type AlbumPicture = Album["pictures"][number];
export type OfferLine = ProductDetail["offers"][number];
export type Comparison = Answer<"/api/products/compare", "get">;
export type Agreement = Answer<"/api/agreements/{agreement_id}", "get">;
export type OwnOffer = ItemOf<Answer<"/api/offers", "get">>;
export type BudgetLine = ItemOf<Answer<"/api/budget-lines", "get">>;
export type OrderRow = ItemOf<Answer<"/api/orders", "get">>;
export type OrderDetail = Answer<"/api/orders/{order_id}", "get">;
export type OrderStage = OrderDetail["stage"];
export type OrderStep = OrderDetail["steps"][number];
export type Preview = Answer<"/api/orders/preview", "post">;
export type PlacedOrders = Answer<"/api/orders", "post">;
export type ApprovalRow = ItemOf<Answer<"/api/approvals", "get">>;
export type Approval = Answer<"/api/approvals/{request_id}", "get">;
export type ApprovalStage = Approval["stage"];
export type ApprovalBox = "all" | "waiting" | "to-decide" | "mine";
export type ApprovalLimit = Answer<"/api/organisation/approval-limit", "get">;
export type AuctionRow = ItemOf<Answer<"/api/auctions", "get">>;
export type SigningRow = ItemOf<Answer<"/api/signings", "get">>;
export type SigningDetail = Answer<"/api/signings/{signing_id}", "get">;
export type SigningStage = SigningDetail["stage"];
export type Candidate = ItemOf<Answer<"/api/auctions/{auction_id}/signatories", "get">>;

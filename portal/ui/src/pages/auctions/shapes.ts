// Short names for what the service says about auctions.
import type { Answer } from "../../api/types.ts";

export type AuctionDetail = Answer<"/api/auctions/{auction_id}", "get">;
export type Terms = AuctionDetail["terms"];
export type RecordPage = Answer<"/api/auctions/{auction_id}/record", "get">;
export type RecordLine = RecordPage["items"][number];
export type Done = Answer<"/api/auctions", "post">;

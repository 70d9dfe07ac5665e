// What pages ask of the service about auctions.
import { answer, api } from "../../api/client.ts";
import type { KeyHeader } from "../../api/submission.ts";
import type { Agreement } from "../../api/types.ts";
import type { AuctionDetail, Done, RecordLine, RecordPage, Terms } from "./shapes.ts";

export const ACTS = ["publish", "withdraw", "pause", "resume", "award", "fail"] as const;
export type Act = (typeof ACTS)[number];

const RECORD_PAGE = 1_000;
const RECORD_MAX = 20_000;
const AGREEMENTS_MAX = 100;

export function readAuction(auction_id: string): Promise<AuctionDetail> {
  return answer(api.GET("/api/auctions/{auction_id}", { params: { path: { auction_id } } }));
}

/** Writes a new draft, or the terms of one that is there. */
export function saveDraft(auction_id: string, body: Terms, header: KeyHeader): Promise<Done> {
  if (!auction_id) return answer(api.POST("/api/auctions", { params: { header }, body }));
  return answer(api.PUT("/api/auctions/{auction_id}", { params: { path: { auction_id }, header }, body }));
}

/** An act of the purchaser; publishing takes no reason. */
export function act(auction_id: string, what: Act, reason: string, header: KeyHeader): Promise<Done> {
  const params = { path: { auction_id }, header };
  const body = { reason };
  switch (what) {
    case "publish":
      return answer(api.POST("/api/auctions/{auction_id}/publish", { params }));
    case "withdraw":
      return answer(api.POST("/api/auctions/{auction_id}/withdraw", { params, body }));
    case "pause":
      return answer(api.POST("/api/auctions/{auction_id}/pause", { params, body }));
    case "resume":
      return answer(api.POST("/api/auctions/{auction_id}/resume", { params, body }));
    case "award":
      return answer(api.POST("/api/auctions/{auction_id}/award", { params, body }));
    case "fail":
      return answer(api.POST("/api/auctions/{auction_id}/fail", { params, body }));
  }
}

export interface FullRecord {
  lines: RecordLine[];
  /** The record is longer than what a page can hold. */
  cut: boolean;
}

/** Reads the whole record, page by page. */
export async function readRecord(auction_id: string): Promise<FullRecord> {
  const lines: RecordLine[] = [];
  let cursor: string | null = null;
  do {
    const query: { limit: number; cursor?: string } = { limit: RECORD_PAGE };
    if (cursor) query.cursor = cursor;
    const page: RecordPage = await answer(
      api.GET("/api/auctions/{auction_id}/record", { params: { path: { auction_id }, query } }),
    );
    lines.push(...page.items);
    cursor = page.next;
  } while (cursor && lines.length < RECORD_MAX);
  return { lines, cut: cursor !== null };
}

/** The agreements that hold today. */
export async function validAgreements(): Promise<readonly Agreement[]> {
  const query = { valid: true, limit: AGREEMENTS_MAX };
  return (await answer(api.GET("/api/agreements", { params: { query } }))).items;
}

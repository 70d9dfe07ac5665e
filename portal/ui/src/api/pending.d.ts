// Paths whose service is not written yet; each goes when `npm run client` brings the real one.
interface PendingAuction {
  auction_id: string;
  number: string;
  title: string;
  stage: string;
  starts_at: string | null;
  closes_at: string | null;
}

export interface PendingPaths {
  "/api/auctions": {
    get: {
      parameters: { query?: { scope?: string; stage?: string; q?: string; cursor?: string; limit?: number } };
      responses: {
        200: { content: { "application/json": { items: PendingAuction[]; next: string | null } } };
      };
    };
  };
}

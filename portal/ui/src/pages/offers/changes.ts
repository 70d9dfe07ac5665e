// What a supplier may change in its own offers.
import { answer, api } from "../../api/client.ts";
import { Submission } from "../../api/submission.ts";

export type Change =
  | { kind: "reprice"; price_fen: number }
  | { kind: "setQuota"; quota: number }
  | { kind: "shelve" }
  | { kind: "unshelve"; reason: string };

export function useChanges() {
  const submission = new Submission();
  return (offerId: string, change: Change) =>
    submission.send({ offerId, change }, (header) => {
      const params = { path: { offer_id: offerId }, header };
      switch (change.kind) {
        case "reprice":
          return answer(api.POST("/api/offers/{offer_id}/price", { params, body: { price_fen: change.price_fen } }));
        case "setQuota":
          return answer(api.POST("/api/offers/{offer_id}/quota", { params, body: { quota: change.quota } }));
        case "shelve":
          return answer(api.POST("/api/offers/{offer_id}/shelve", { params }));
        case "unshelve":
          return answer(api.POST("/api/offers/{offer_id}/unshelve", { params, body: { reason: change.reason } }));
      }
    });
}

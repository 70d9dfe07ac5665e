// Taking a step of an order. Each has its own address and its own words.
import { answer, api } from "../../api/client.ts";
import { Submission, type KeyHeader } from "../../api/submission.ts";
import type { OrderStep } from "../../api/types.ts";

/** What is said along with a step; each step takes what it needs. */
export interface Said {
  reason: string;
  carrier: string;
  tracking: string;
  note: string;
}

function send(orderId: string, step: OrderStep, said: Said, header: KeyHeader) {
  const params = { path: { order_id: orderId }, header };
  const { reason, carrier, tracking, note } = said;
  switch (step) {
    case "accept":
      return answer(api.POST("/api/orders/{order_id}/accept", { params, body: {} }));
    case "refuse":
      return answer(api.POST("/api/orders/{order_id}/refuse", { params, body: { reason } }));
    case "cancel":
      return answer(api.POST("/api/orders/{order_id}/cancel", { params, body: { reason } }));
    case "ship":
      return answer(api.POST("/api/orders/{order_id}/ship", { params, body: { carrier, tracking } }));
    case "receive":
      return answer(api.POST("/api/orders/{order_id}/receive", { params, body: { note } }));
    case "close":
      return answer(api.POST("/api/orders/{order_id}/close", { params, body: {} }));
  }
}

export function useSteps() {
  const submission = new Submission();
  return (orderId: string, step: OrderStep, said: Said) =>
    submission.send({ orderId, step, said }, (header) => send(orderId, step, said, header));
}

// How an order's stages look, and the way that most orders take.
import type { Tone } from "../../components/StatusPill.vue";
import type { OrderStage } from "../../api/types.ts";

export const STAGES: readonly OrderStage[] = [
  "placed",
  "accepted",
  "shipped",
  "received",
  "closed",
  "refused",
  "cancelled",
];

/** The straight way through; an order that ends early leaves it. */
export const WAY: readonly OrderStage[] = ["placed", "accepted", "shipped", "received", "closed"];

export const TONES: Readonly<Record<OrderStage, Tone>> = {
  placed: "warn",
  accepted: "info",
  shipped: "info",
  received: "ok",
  closed: "ok",
  refused: "bad",
  cancelled: "mute",
};

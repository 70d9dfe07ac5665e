// How a request's stages look, and which lists of requests there are.
import type { ApprovalBox, ApprovalStage } from "../../api/types.ts";
import type { Tone } from "../../components/StatusPill.vue";

export const STAGES: readonly ApprovalStage[] = ["pending", "approved", "returned", "withdrawn"];
export const BOXES: readonly ApprovalBox[] = ["all", "waiting", "to-decide", "mine"];

export const TONES: Readonly<Record<ApprovalStage, Tone>> = {
  pending: "warn",
  approved: "ok",
  returned: "bad",
  withdrawn: "mute",
};

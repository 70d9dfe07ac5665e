// How the stages of a signing look, and what its page says at the top.
import type { SigningDetail, SigningStage } from "../../api/types.ts";
import type { Tone } from "../../components/StatusPill.vue";

export const STAGES: readonly SigningStage[] = ["prepared", "signing", "completed", "declined", "withdrawn"];

export const TONES: Readonly<Record<SigningStage, Tone>> = {
  prepared: "info",
  signing: "info",
  completed: "ok",
  declined: "bad",
  withdrawn: "mute",
};

export function isOpen(stage: SigningStage): boolean {
  return stage === "prepared" || stage === "signing";
}

export type Situation = "yours" | "later" | "signed" | "others" | "sealing" | "completed" | "unsealed" | "declined" | "withdrawn";

export const SITUATION_TONES: Readonly<Record<Situation, Tone>> = {
  yours: "warn",
  later: "info",
  signed: "ok",
  others: "info",
  sealing: "info",
  completed: "ok",
  unsealed: "ok",
  declined: "bad",
  withdrawn: "mute",
};

/** What the reader most needs to know. */
export function situationOf(signing: SigningDetail): Situation {
  if (signing.stage === "completed") return signing.sealed ? "completed" : "unsealed";
  if (signing.stage === "declined" || signing.stage === "withdrawn") return signing.stage;
  if (signing.sealing) return "sealing";
  if (signing.may_sign) return "yours";
  const you = signing.signers.find((one) => one.you);
  if (!you) return "others";
  return you.signature ? "signed" : "later";
}

// How a stage of an auction looks: its pill, and what the time beside it means.
import type { Stage } from "../../api/hall-frames.ts";
import type { Tone } from "../../components/StatusPill.vue";

export const STAGES: readonly Stage[] = ["draft", "published", "live", "paused", "closed", "awarded", "failed"];

const TONES: Readonly<Record<Stage, Tone>> = {
  draft: "mute",
  published: "info",
  live: "ok",
  paused: "warn",
  closed: "info",
  awarded: "ok",
  failed: "bad",
};

export function toneOf(stage: Stage): Tone {
  return TONES[stage];
}

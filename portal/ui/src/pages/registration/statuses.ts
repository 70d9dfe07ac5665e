import type { Tone } from "../../components/StatusPill.vue";
import type { Registration } from "./form.ts";

export const STATUSES = ["applied", "returned", "active", "suspended", "leaving", "refused", "withdrawn", "deregistered"] as const;
export const TONES: Readonly<Record<Registration["status"], Tone>> = {
  applied: "info",
  returned: "warn",
  refused: "bad",
  withdrawn: "mute",
  active: "ok",
  suspended: "bad",
  leaving: "warn",
  deregistered: "mute",
};

// Whether an agreement is valid on this Beijing day: both its first and its last day count.
import type { Agreement } from "../../api/types.ts";
import type { Tone } from "../../components/StatusPill.vue";
import { formatDay, serverNow } from "../../lib/time.ts";

export type Validity = "valid" | "coming" | "ended" | "terminated";

export const TONES: Readonly<Record<Validity, Tone>> = { valid: "ok", coming: "info", ended: "mute", terminated: "bad" };

export function validityOf(agreement: Agreement): Validity {
  const today = formatDay(serverNow());
  if (agreement.status === "terminated") return "terminated";
  if (today < agreement.valid_from) return "coming";
  return today > agreement.valid_to ? "ended" : "valid";
}

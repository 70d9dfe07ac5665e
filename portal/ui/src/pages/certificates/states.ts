// A certificate's state in words and colours, and how loudly its end is announced.
import type { OwnCertificate } from "../../api/types.ts";
import type { Tone } from "../../components/StatusPill.vue";
import { serverNow } from "../../lib/time.ts";

const DAY_MS = 86_400_000;
const LOUD_DAYS = 15;

export type StateKey = "valid" | "soon" | "expired" | "renewed" | "revoked";

export function stateOf(certificate: OwnCertificate): { key: StateKey; tone: Tone } {
  if (certificate.status === "revoked") return { key: "revoked", tone: "bad" };
  if (!certificate.usable) return { key: "expired", tone: "mute" };
  if (certificate.status === "renewed") return { key: "renewed", tone: "mute" };
  const days = certificate.warning_days;
  if (days === null) return { key: "valid", tone: "ok" };
  return { key: "soon", tone: days <= LOUD_DAYS ? "bad" : "warn" };
}

/** The sentence about a certificate that ends soon or has ended. */
export function warnedOf(certificate: OwnCertificate): { key: string; values: { n: number } } {
  const left = Date.parse(certificate.not_after) - serverNow();
  if (certificate.warning_days === 0) return { key: "certificates.hasEnded", values: { n: 0 } };
  return { key: "certificates.endsSoon", values: { n: Math.max(1, Math.ceil(left / DAY_MS)) } };
}

export function fileOf(id: string): string {
  return `/api/certificates/${id}/file`;
}

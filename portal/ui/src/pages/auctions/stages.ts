// How a stage of an auction looks, and which lists there are.
import type { Stage } from "../../api/hall-frames.ts";
import type { Tone } from "../../components/StatusPill.vue";
import type { Role } from "../../state/session.ts";

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

export type Scope = "open" | "invited" | "mine" | "ended";

export const TAB_TEXTS: Readonly<Record<Scope | "bid", string>> = {
  open: "auctions.tabs.open",
  invited: "auctions.tabs.invited",
  mine: "auctions.tabs.mine",
  bid: "auctions.tabs.bid",
  ended: "auctions.tabs.ended",
};

/** The lists that make sense for a role. */
export function tabsOf(role: Role): readonly Scope[] {
  if (role === "purchaser") return ["open", "mine", "ended"];
  return role === "supplier" ? ["open", "invited", "mine", "ended"] : ["open", "ended"];
}

export function isScope(name: string, tabs: readonly Scope[]): name is Scope {
  return tabs.some((one) => one === name);
}

const OPEN: readonly Stage[] = ["published", "live", "paused"];
const OVER: readonly Stage[] = ["closed", "awarded", "failed"];

/** Announced and not yet over. */
export function isOpen(stage: Stage): boolean {
  return OPEN.includes(stage);
}

/** The stages that a list can be narrowed to. */
export function stagesOf(scope: Scope): readonly Stage[] {
  if (scope === "open") return OPEN;
  if (scope === "ended") return OVER;
  return scope === "mine" ? ["draft", ...OPEN, ...OVER] : [...OPEN, ...OVER];
}

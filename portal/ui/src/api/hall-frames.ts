// What is said in an auction hall, as market/auctions/live.py frames it. Members that have their default are absent.
export type Stage = "draft" | "published" | "live" | "paused" | "closed" | "awarded" | "failed";
export type Visibility = "rank" | "best" | "both";

export interface Step {
  amount_fen: number | null;
  ratio_bp: number | null;
}

export interface Extension {
  window_s: number;
  extend_by_s: number;
  extensions_max: number;
  extend_from: "offer" | "close";
}

/** The terms that bidding goes by. */
export interface HallTerms {
  starts_at: string;
  duration_s: number;
  ceiling_fen: number;
  step: Step;
  step_from: "own" | "best";
  extension: Extension;
  visibility: Visibility;
  bidders_min: number;
}

/** One place of the ranking; `price_fen` where it may be seen, `name` after the award. */
export interface Place {
  label: number;
  price_fen?: number;
  name?: string;
}

/** One accepted offer; `best` tells that it was the lowest when it came. */
export interface Line {
  version: number;
  at: string;
  label: number;
  price_fen?: number;
  best?: boolean;
}

export interface Notice {
  version: number;
  at: string;
  kind: string;
  closes_at?: string;
  reason?: string;
}

/** Where things stand; `ladder` is absent where ranks may not be seen. */
export interface Scene {
  stage: Stage;
  bidders: number;
  offers: number;
  extensions: number;
  closes_at?: string;
  remaining_ms?: number;
  short_extended?: boolean;
  best_fen?: number;
  best_label?: number;
  ladder?: Place[];
  winner?: Place;
  cause?: string;
  reason?: string;
}

/** A bidder's own place; `highest_allowed_fen` below 1 means that no lower offer is possible. */
export interface You {
  highest_allowed_fen: number;
  label?: number;
  price_fen?: number;
  rank?: number;
  offers?: number;
}

export interface Snapshot {
  type: "snapshot";
  version: number;
  number: string;
  title: string;
  purchaser_name: string;
  audience: "public" | "bidder" | "host";
  terms: HallTerms;
  scene: Scene;
  offers: Line[];
  left_out: number;
  notices: Notice[];
  you?: You;
}

export interface Delta {
  type: "delta";
  after: number;
  version: number;
  scene: Scene;
  offers: Line[];
  left_out: number;
  notices: Notice[];
  you?: You;
}

export interface Accepted {
  type: "accepted";
  key: string;
  version: number;
  price_fen: number;
  closes_at: string | null;
  best_fen?: number;
  rank?: number;
}

export interface Refused {
  type: "refused";
  key: string;
  reason: string;
  detail_zh: string;
  detail_en: string;
  highest_allowed_fen?: number;
  retry?: boolean;
}

export interface Pong {
  type: "pong";
  sent: number;
  at: string;
}

/** A refusal at the door: a problem document. Its `type` is an address, so frames are told apart by `frame`. */
export interface DoorProblem {
  frame: "problem";
  type: string;
  title: string;
  status: number;
  detail: string;
}

export type Frame = Snapshot | Delta | Accepted | Refused | Pong | DoorProblem;

export const ENDED: readonly Stage[] = ["closed", "awarded", "failed"];
export const FINAL: readonly Stage[] = ["awarded", "failed"];

const KINDS: readonly unknown[] = ["snapshot", "delta", "accepted", "refused", "pong"];

/** Reads one message of the server; null for what this version does not know. */
export function readFrame(text: string): Frame | null {
  try {
    const frame = JSON.parse(text) as { type?: unknown; frame?: unknown } | null;
    return frame && (frame.frame === "problem" || KINDS.includes(frame.type)) ? (frame as Frame) : null;
  } catch {
    return null;
  }
}

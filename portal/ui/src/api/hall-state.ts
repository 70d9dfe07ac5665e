// What a hall page knows, and how each thing that happens changes it. Pure: no socket, no timer, no clock.
import { ENDED, FINAL, type Accepted, type Delta, type DoorProblem, type Frame, type Line, type Notice } from "./hall-frames.ts";
import type { HallTerms, Refused, Scene, Snapshot, You } from "./hall-frames.ts";
import type { ClockReading } from "./hall-clock.ts";

export const OFFERS_KEPT = 500;
const NOTICES_KEPT = 50;

export type Phase = "connecting" | "live" | "lost" | "ended";

/** Why there is no connection any more, and none will be tried. */
export type End = { why: "final" } | { why: "session" } | { why: "problem"; problem: DoorProblem };

export interface About {
  number: string;
  title: string;
  purchaser_name: string;
  audience: Snapshot["audience"];
  terms: HallTerms;
}

/** An offer that the server has not answered yet. It keeps its key until it has. */
export interface Pending {
  key: string;
  price_fen: number;
  /** An earlier try may have arrived. */
  resent: boolean;
}

export interface HallState {
  phase: Phase;
  end: End | null;
  /** Which try to connect again this is; 0 while all is well. */
  retry: number;
  /** When the last frame came, by this machine's clock in milliseconds. */
  synced_ms: number | null;
  about: About | null;
  version: number;
  scene: Scene | null;
  you: You | null;
  /** Accepted offers, the oldest first. */
  offers: readonly Line[];
  leftOut: number;
  notices: readonly Notice[];
  pending: Pending | null;
  answer: Accepted | Refused | null;
  clock: ClockReading | null;
  /** The stage has ended since the snapshot: a new one shows the prices and names that were hidden. */
  stale: boolean;
}

export type Happening =
  | { happened: "frame"; frame: Frame; at_ms: number }
  | { happened: "trying" }
  | { happened: "closed"; code: number }
  | { happened: "offered"; pending: Pending }
  | { happened: "measured"; clock: ClockReading | null };

export const START: HallState = {
  phase: "connecting",
  end: null,
  retry: 0,
  synced_ms: null,
  about: null,
  version: 0,
  scene: null,
  you: null,
  offers: [],
  leftOut: 0,
  notices: [],
  pending: null,
  answer: null,
  clock: null,
  stale: false,
};

/** Close codes of the server; see kernel/live/serve.py. */
export const PROBLEM = 4000;
export const SESSION_ENDED = 4401;
export const TOO_SLOW = 1013;

const UNAVAILABLE = 503;
const TOO_MANY = 429;

export function reduce(state: HallState, what: Happening): HallState {
  switch (what.happened) {
    case "trying":
      return state.phase === "ended" ? state : { ...state, phase: state.retry === 0 ? "connecting" : "lost" };
    case "closed":
      return closed(state, what.code);
    case "offered":
      return { ...state, pending: what.pending, answer: null };
    case "measured":
      return { ...state, clock: what.clock };
    case "frame":
      return framed({ ...state, synced_ms: what.at_ms }, what.frame);
  }
}

function closed(state: HallState, code: number): HallState {
  if (state.phase === "ended") return state;
  if (code === SESSION_ENDED) return { ...state, phase: "ended", end: { why: "session" } };
  return { ...state, phase: "lost", retry: state.retry + 1 };
}

function framed(state: HallState, frame: Frame): HallState {
  if ("frame" in frame) {
    // A busy service is asked again, and so is one that was asked too often; anything else will not change by asking.
    if (frame.status === UNAVAILABLE || frame.status === TOO_MANY) return state;
    return { ...state, phase: "ended", end: { why: "problem", problem: frame } };
  }
  switch (frame.type) {
    case "snapshot":
      return settled(snapped(state, frame));
    case "delta":
      return frame.after > state.version ? state : settled(moved(state, frame));
    case "accepted":
      return state.pending?.key === frame.key ? settled({ ...state, pending: null, answer: frame }) : state;
    case "refused":
      return refused(state, frame);
    case "pong":
      return state;
  }
}

/** Whether a delta begins behind what is known here, so that something between is missing. */
export function isGap(state: HallState, frame: Frame): boolean {
  return !("frame" in frame) && frame.type === "delta" && frame.after > state.version;
}

function refused(state: HallState, frame: Refused): HallState {
  if (state.pending?.key !== frame.key || frame.retry) return state;
  return settled({ ...state, pending: null, answer: frame });
}

function snapped(state: HallState, frame: Snapshot): HallState {
  const { number, title, purchaser_name, audience, terms } = frame;
  return {
    ...state,
    about: { number, title, purchaser_name, audience, terms },
    version: frame.version,
    scene: frame.scene,
    you: frame.you ?? null,
    offers: frame.offers,
    leftOut: frame.left_out,
    notices: frame.notices,
    stale: false,
  };
}

function moved(state: HallState, frame: Delta): HallState {
  if (frame.version < state.version) return state;
  const offers = frame.offers.filter((line) => line.version > state.version);
  const notices = frame.notices.filter((notice) => notice.version > state.version);
  const all = [...state.offers, ...offers];
  const dropped = Math.max(0, all.length - OFFERS_KEPT);
  const endedNow = ENDED.includes(frame.scene.stage) && state.scene?.stage !== frame.scene.stage;
  return {
    ...state,
    version: frame.version,
    scene: frame.scene,
    you: frame.you ?? state.you,
    offers: all.slice(dropped),
    leftOut: state.leftOut + frame.left_out + dropped,
    notices: [...state.notices, ...notices].slice(-NOTICES_KEPT),
    stale: state.stale || endedNow,
  };
}

/** A frame arrived, so the line is live; where nothing can come any more, it ends. */
function settled(state: HallState): HallState {
  const over = state.scene && FINAL.includes(state.scene.stage) && !state.stale && !state.pending;
  if (over) return { ...state, phase: "ended", end: { why: "final" }, retry: 0 };
  return { ...state, phase: "live", end: null, retry: 0 };
}

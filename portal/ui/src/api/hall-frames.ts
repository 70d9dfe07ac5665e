// What is said in an auction hall: the service's own shapes, under short names. Members that have their default are
// absent.
import type { components } from "./schema";

type Shapes = components["schemas"];

export type Stage = Shapes["AuctionStage"];
export type Visibility = Shapes["Visibility"];
export type Step = Shapes["MinimumStep"];
export type Extension = Shapes["Extension"];
export type HallTerms = Shapes["HallTerms"];
export type Place = Shapes["HallPlace"];
export type Line = Shapes["HallLine"];
export type Notice = Shapes["HallNotice"];
export type Scene = Shapes["HallScene"];
export type You = Shapes["You"];
export type Snapshot = Shapes["HallSnapshot"];
export type Delta = Shapes["HallDelta"];
export type Accepted = Shapes["Accepted"];
export type Refused = Shapes["HallRefused"];
export type Pong = Shapes["HallPong"];

/** A refusal at the door: a problem document. Its `type` is an address, so it is told apart by `frame`. */
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

// The connection of a page to an auction hall: keeps it alive, keeps an offer until it is answered, keeps the time.
//
// Nothing is lost: after a cut the hall is asked for what came after the last known version. Nothing happens twice:
// an offer that may or may not have arrived goes out again with the same key.
import { HallClock } from "./hall-clock.ts";
import { readFrame } from "./hall-frames.ts";
import { isGap, reduce, START, TOO_SLOW, type HallState, type Happening } from "./hall-state.ts";

/** The part of a WebSocket that is used here. */
export interface Wire {
  onmessage: ((event: { data: string }) => void) | null;
  onclose: ((event: { code: number }) => void) | null;
  send(text: string): void;
  close(): void;
}

/** What the client needs from outside, so that tests can be the network and the clock. */
export interface Surroundings {
  connect(query: string): Wire;
  now_ms(): number;
  /** A clock that never steps. */
  steady_ms(): number;
  /** A number from 0 to 1. */
  chance(): number;
  later(call: () => void, wait_ms: number): () => void;
  newKey(): string;
}

export const PING_EVERY_MS = 5_000;
export const ANSWER_WITHIN_MS = 5_000;
const ENTER_WITHIN_MS = 10_000;
export const SYNC_EVERY_MS = 30_000;
const SYNC_PINGS = 5;
const SYNC_GAP_MS = 150;
const BACK_OFF_MS = [300, 1_000, 2_000, 4_000, 8_000];
const OFFER_AGAIN_MS = 400;
const OFFER_TRIES = 5;
const FRESH_WITHIN_MS = 1_500;

export class HallClient {
  state: HallState = START;
  readonly #around: Surroundings;
  readonly #changed: (state: HallState) => void;
  readonly #clock = new HallClock();
  readonly #timers = new Map<string, () => void>();
  #line: Wire | null = null;
  #stopped = false;
  #offerTries = 0;
  #burst = 0;

  constructor(around: Surroundings, changed: (state: HallState) => void) {
    this.#around = around;
    this.#changed = changed;
  }

  start(): void {
    this.#open(false);
  }

  stop(): void {
    this.#stopped = true;
    this.#leave();
  }

  /** Sends an offer; its answer shows in the state. False while another one is unanswered or the line is down. */
  offer(price_fen: number): boolean {
    if (this.state.pending || this.state.phase !== "live") return false;
    this.#offerTries = 0;
    this.#happen({ happened: "offered", pending: { key: this.#around.newKey(), price_fen, resent: false } });
    this.#sendPending();
    return true;
  }

  /** Measures the time anew and finds out at once whether the line still holds: after standby, on a new network. */
  sync(): void {
    if (this.#stopped || this.state.phase === "ended") return;
    if (!this.#line) return this.#open(false);
    if (this.state.phase !== "live") return;
    this.#clock.forget();
    this.#burst = SYNC_PINGS;
    this.#ping();
    this.#after("sync", SYNC_EVERY_MS, () => this.sync());
  }

  /** The browser says that there is no network: there is no point in waiting for an answer. */
  offline(): void {
    if (this.#line) this.#cut(0);
  }

  #open(afresh: boolean): void {
    if (this.#stopped || this.state.phase === "ended") return;
    this.#leave();
    this.#happen({ happened: "trying" });
    const after = afresh || this.state.version === 0 ? "" : `?after=${this.state.version}`;
    const line = this.#around.connect(after);
    this.#line = line;
    let met = false;
    this.#after("answer", ENTER_WITHIN_MS, () => this.#cut(0));
    line.onmessage = (event) => {
      if (this.#line !== line) return;
      this.#receive(event.data);
      if (met || this.state.phase !== "live") return;
      met = true;
      this.#sendPending();
      this.sync();
    };
    line.onclose = (event) => {
      if (this.#line === line) this.#cut(event.code);
    };
  }

  #receive(text: string): void {
    const frame = readFrame(text);
    if (!frame) return;
    this.#forget("answer");
    if ("frame" in frame || frame.type !== "pong") {
      if (isGap(this.state, frame)) return this.#open(false);
    } else {
      this.#learn(frame.sent, Date.parse(frame.at));
    }
    const wasPending = this.state.pending;
    this.#happen({ happened: "frame", frame, at_ms: this.#around.now_ms() });
    if (!("frame" in frame) && frame.type === "refused" && wasPending?.key === frame.key && this.state.pending) {
      this.#offerAgain(frame.reason);
    }
    if (!this.state.pending) this.#forget("offer");
    if (this.state.stale) this.#refresh();
    if (this.state.phase === "ended") this.#leave();
  }

  #learn(sent: number, server_ms: number): void {
    const reading = this.#clock.learn(this.#around.steady_ms() - sent, server_ms, this.#around.now_ms());
    this.#happen({ happened: "measured", clock: reading });
    this.#burst -= 1;
    this.#after("ping", this.#burst > 0 ? SYNC_GAP_MS : PING_EVERY_MS, () => this.#ping());
  }

  #ping(): void {
    this.#line?.send(JSON.stringify({ type: "ping", sent: this.#around.steady_ms() }));
    this.#after("answer", ANSWER_WITHIN_MS, () => this.#cut(0));
  }

  /** The close has shown what was hidden: ask for all of it, not everybody in the same moment. */
  #refresh(): void {
    if (this.#timers.has("refresh")) return;
    this.#after("refresh", this.#around.chance() * FRESH_WITHIN_MS, () => this.#open(true));
  }

  #sendPending(): void {
    const { pending } = this.state;
    if (!pending || !this.#line) return;
    this.#line.send(JSON.stringify({ type: "offer", ...pending }));
    if (!pending.resent) this.#happen({ happened: "offered", pending: { ...pending, resent: true } });
    this.#after("offer", ANSWER_WITHIN_MS, () => this.#cut(0));
  }

  /** The service was too busy to look at the offer; the same one goes out again, a few times. */
  #offerAgain(reason: string): void {
    this.#offerTries += 1;
    if (this.#offerTries < OFFER_TRIES) {
      this.#after("offer", OFFER_AGAIN_MS * this.#offerTries, () => this.#sendPending());
      return;
    }
    const { pending } = this.state;
    if (!pending) return;
    const frame = { type: "refused" as const, key: pending.key, reason, detail_zh: "", detail_en: "" };
    this.#happen({ happened: "frame", frame, at_ms: this.#around.now_ms() });
  }

  #cut(code: number): void {
    this.#leave();
    this.#clock.forget();
    this.#happen({ happened: "closed", code });
    if (this.#stopped || this.state.phase === "ended") return;
    const rest = BACK_OFF_MS[Math.min(this.state.retry, BACK_OFF_MS.length) - 1] ?? 0;
    const wait = code === TOO_SLOW ? (BACK_OFF_MS[0] ?? 0) : rest;
    this.#after("retry", wait * (0.7 + 0.6 * this.#around.chance()), () => this.#open(this.state.stale));
  }

  /** Ends the present line with all that was to happen on it: the next one may not be written to before it is open. */
  #leave(): void {
    this.#drop();
    for (const name of [...this.#timers.keys()]) this.#forget(name);
  }

  #drop(): void {
    const line = this.#line;
    this.#line = null;
    if (!line) return;
    line.onmessage = null;
    line.onclose = null;
    line.close();
  }

  #happen(what: Happening): void {
    const next = reduce(this.state, what);
    if (next === this.state) return;
    this.state = next;
    this.#changed(next);
  }

  #after(name: string, wait_ms: number, call: () => void): void {
    this.#forget(name);
    const cancel = this.#around.later(() => {
      this.#timers.delete(name);
      call();
    }, wait_ms);
    this.#timers.set(name, cancel);
  }

  #forget(name: string): void {
    this.#timers.get(name)?.();
    this.#timers.delete(name);
  }
}

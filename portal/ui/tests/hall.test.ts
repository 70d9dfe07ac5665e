// The hall's client against a network and a clock made by hand.
import assert from "node:assert/strict";
import { test } from "node:test";

import { HallClock } from "../src/api/hall-clock.ts";
import { readFrame, type Delta, type Line, type Scene, type Snapshot } from "../src/api/hall-frames.ts";
import { ANSWER_WITHIN_MS, HallClient, PING_EVERY_MS, SYNC_EVERY_MS, type Wire } from "../src/api/hall.ts";
import { OFFERS_KEPT, reduce, START, type HallState } from "../src/api/hall-state.ts";

const NOON = Date.parse("2026-11-23T01:00:00Z");
const SCENE: Scene = { stage: "live", bidders: 0, offers: 0, extensions: 0, closes_at: "2026-11-23T01:30:00Z" };

function aSnapshot(changes: Partial<Snapshot> = {}): Snapshot {
  return {
    type: "snapshot",
    version: 3,
    number: "JJ-2026-1",
    title: "台式计算机",
    purchaser_name: "某厅",
    audience: "bidder",
    terms: {
      starts_at: "2026-11-23T01:00:00Z",
      duration_s: 1800,
      ceiling_fen: 100_000_00,
      step: { amount_fen: 1000_00, ratio_bp: null },
      step_from: "own",
      extension: { window_s: 180, extend_by_s: 180, extensions_max: 20, extend_from: "offer" },
      visibility: "both",
      bidders_min: 3,
    },
    scene: SCENE,
    offers: [],
    left_out: 0,
    notices: [],
    you: { highest_allowed_fen: 100_000_00 },
    ...changes,
  };
}

function aLine(version: number, price_fen = 90_000_00): Line {
  return { version, at: "2026-11-23T01:01:00Z", label: 1, price_fen, best: true };
}

function aDelta(after: number, version: number, changes: Partial<Delta> = {}): Delta {
  return { type: "delta", after, version, scene: SCENE, offers: [], left_out: 0, notices: [], ...changes };
}

function seen(state: HallState, ...frames: (Snapshot | Delta)[]): HallState {
  return frames.reduce((now, frame) => reduce(now, { happened: "frame", frame, at_ms: NOON }), state);
}

class FakeWire implements Wire {
  onmessage: Wire["onmessage"] = null;
  onclose: Wire["onclose"] = null;
  readonly query: string;
  readonly sent: Record<string, unknown>[] = [];
  closed = false;
  #open = false;

  constructor(query: string) {
    this.query = query;
  }

  send(text: string): void {
    assert.ok(this.#open && !this.closed, "a browser throws when a line is not open");
    this.sent.push(JSON.parse(text) as Record<string, unknown>);
  }

  close(): void {
    this.closed = true;
  }

  say(frame: object): void {
    this.#open = true;
    this.onmessage?.({ data: JSON.stringify(frame) });
  }

  break(code = 1006): void {
    this.onclose?.({ code });
  }

  offers(): Record<string, unknown>[] {
    return this.sent.filter((message) => message["type"] === "offer");
  }
}

class World {
  now = NOON;
  skew = 0;
  readonly wires: FakeWire[] = [];
  readonly states: HallState[] = [];
  #waiting: { at: number; call: () => void }[] = [];
  #keys = 0;
  readonly client = new HallClient(
    {
      connect: (query) => {
        this.wires.push(new FakeWire(query));
        return this.wire;
      },
      now_ms: () => this.now,
      steady_ms: () => this.now - NOON,
      chance: () => 0.5,
      later: (call, wait_ms) => {
        const entry = { at: this.now + wait_ms, call };
        this.#waiting.push(entry);
        return () => (this.#waiting = this.#waiting.filter((one) => one !== entry));
      },
      newKey: () => `key-${(this.#keys += 1)}`,
    },
    (state) => this.states.push(state),
  );

  get wire(): FakeWire {
    return this.wires.at(-1) as FakeWire;
  }

  get state(): HallState {
    return this.client.state;
  }

  /** Lets time pass; pings are answered when `answering`, half a round trip each way. */
  pass(ms: number, answering = true): void {
    const end = this.now + ms;
    for (;;) {
      const next = this.#waiting.filter((one) => one.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.now = Math.max(this.now, next.at);
      this.#waiting = this.#waiting.filter((one) => one !== next);
      next.call();
      if (answering) this.answerPings();
    }
    this.now = end;
  }

  answerPings(rtt_ms = 0): void {
    for (const message of this.wire.sent.splice(0)) {
      if (message["type"] === "ping") {
        this.now += rtt_ms;
        this.wire.say({ type: "pong", sent: message["sent"], at: new Date(this.now - rtt_ms / 2 + this.skew).toISOString() });
      } else this.wire.sent.push(message);
    }
  }

  live(snapshot = aSnapshot()): this {
    this.client.start();
    this.wire.say(snapshot);
    this.answerPings();
    return this;
  }
}

test("a snapshot shows everything and makes the line live", () => {
  const state = seen(START, aSnapshot());
  assert.equal(state.phase, "live");
  assert.equal(state.version, 3);
  assert.equal(state.about?.terms.ceiling_fen, 100_000_00);
});

test("a delta adds what is new, once", () => {
  const twice = aDelta(3, 5, { offers: [aLine(4), aLine(5)], notices: [{ version: 5, at: "", kind: "moved" }] });
  const state = seen(START, aSnapshot(), twice, aDelta(4, 5, { offers: [aLine(5)] }));
  assert.deepEqual(state.offers.map((line) => line.version), [4, 5]);
  assert.equal(state.notices.length, 1);
  assert.equal(state.version, 5);
});

test("an older delta changes nothing and one with a gap before it is not believed", () => {
  const state = seen(START, aSnapshot({ version: 9 }));
  assert.equal(seen(state, aDelta(3, 5)).version, 9);
  assert.equal(seen(state, aDelta(10, 12)).version, 9);
});

test("a long auction keeps the last offers and counts the others", () => {
  const offers = Array.from({ length: OFFERS_KEPT + 30 }, (_, index) => aLine(4 + index));
  const state = seen(START, aSnapshot(), aDelta(3, 3 + offers.length, { offers, left_out: 7 }));
  assert.equal(state.offers.length, OFFERS_KEPT);
  assert.equal(state.leftOut, 37);
});

test("what cannot be read is passed over", () => {
  assert.equal(readFrame("{"), null);
  assert.equal(readFrame('{"type":"novelty"}'), null);
  assert.equal(readFrame("null"), null);
});

test("of five answers the one with the shortest way tells the time", () => {
  const clock = new HallClock();
  clock.learn(200, NOON + 100, NOON);
  clock.learn(10, NOON + 5_000, NOON);
  clock.learn(80, NOON + 70, NOON);
  assert.deepEqual(clock.reading, { offset_ms: 5_005, rtt_ms: 10 });
  for (let index = 0; index < 4; index += 1) clock.learn(50, NOON + 25, NOON);
  assert.equal(clock.reading?.rtt_ms, 50);
  clock.forget();
  assert.equal(clock.reading, null);
});

test("on arrival the clock is measured five times, then every half minute again", () => {
  const world = new World();
  world.skew = 10_000;
  world.live();
  world.pass(1_000);
  assert.equal(world.state.clock?.offset_ms, 10_000);
  world.skew = -500;
  world.pass(SYNC_EVERY_MS);
  assert.equal(world.state.clock?.offset_ms, -500);
});

test("an offer is answered by its key", () => {
  const world = new World().live();
  assert.ok(world.client.offer(99_000_00));
  assert.ok(!world.client.offer(98_000_00), "one at a time");
  assert.deepEqual(world.wire.offers(), [{ type: "offer", key: "key-1", price_fen: 99_000_00, resent: false }]);
  world.wire.say({ type: "accepted", key: "somebody-else", version: 4, price_fen: 1, closes_at: null });
  assert.ok(world.state.pending);
  world.wire.say({ type: "accepted", key: "key-1", version: 4, price_fen: 99_000_00, closes_at: null, rank: 1 });
  assert.equal(world.state.pending, null);
  assert.equal(world.state.answer?.type, "accepted");
});

test("after a cut the hall is asked for what is new and an unanswered offer goes out again with its key", () => {
  const world = new World().live();
  world.client.offer(99_000_00);
  world.wire.break();
  assert.equal(world.state.phase, "lost");
  assert.equal(world.state.retry, 1);
  world.pass(1_000);
  assert.equal(world.wires.length, 2);
  assert.equal(world.wire.query, "?after=3");
  assert.equal(world.wire.offers().length, 0, "nothing is said before the hall has answered");
  world.wire.say(aDelta(3, 4));
  assert.deepEqual(world.wire.offers(), [{ type: "offer", key: "key-1", price_fen: 99_000_00, resent: true }]);
  world.wire.say({ type: "accepted", key: "key-1", version: 4, price_fen: 99_000_00, closes_at: null });
  assert.equal(world.state.phase, "live");
  assert.equal(world.state.retry, 0);
  assert.equal(world.state.pending, null);
});

test("no offer leaves while the line is down", () => {
  const world = new World().live();
  world.wire.break();
  assert.ok(!world.client.offer(1_00));
});

test("a line that says nothing is cut and opened again", () => {
  const world = new World().live();
  world.pass(1_000);
  world.pass(PING_EVERY_MS + ANSWER_WITHIN_MS, false);
  assert.equal(world.wires[0]?.closed, true);
  assert.notEqual(world.state.phase, "live");
});

test("an offer without an answer cuts a line that otherwise lives", () => {
  const world = new World().live();
  world.client.offer(99_000_00);
  world.pass(ANSWER_WITHIN_MS + 2_000);
  assert.equal(world.wires.length, 2);
  world.wire.say(aDelta(3, 3));
  assert.equal(world.wire.offers()[0]?.["resent"], true);
});

test("tries grow rarer, never more than ten and a half seconds apart", () => {
  const world = new World().live();
  const at: number[] = [];
  for (let index = 0; index < 8; index += 1) {
    const before = world.wires.length;
    world.wire.break();
    const from = world.now;
    while (world.wires.length === before) world.pass(10, false);
    at.push(world.now - from);
  }
  assert.deepEqual(at, [300, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000, 8_000]);
});

test("when the network is back the hall is tried at once", () => {
  const world = new World().live();
  world.client.offline();
  assert.equal(world.state.phase, "lost");
  world.client.sync();
  assert.equal(world.wires.length, 2);
});

test("a busy service is offered the same again, a few times", () => {
  const world = new World().live();
  world.client.offer(99_000_00);
  const busy = { type: "refused", key: "key-1", reason: "unavailable", detail_zh: "", detail_en: "", retry: true };
  for (let index = 0; index < 4; index += 1) {
    world.wire.say(busy);
    assert.ok(world.state.pending);
    world.pass(2_000);
  }
  assert.equal(new Set(world.wire.offers().map((offer) => offer["key"])).size, 1);
  assert.equal(world.wire.offers().length, 5);
  world.wire.say(busy);
  assert.equal(world.state.pending, null);
  assert.equal(world.state.answer?.type, "refused");
});

test("a viewer that was too slow comes back at once, from where it was", () => {
  const world = new World().live();
  world.wire.break(1013);
  world.pass(400);
  assert.equal(world.wire.query, "?after=3");
});

test("a session that has ended is not tried again", () => {
  const world = new World().live();
  world.wire.break(4401);
  assert.deepEqual(world.state.end, { why: "session" });
  world.pass(60_000);
  assert.equal(world.wires.length, 1);
});

test("a refusal at the door is final, but a full house is asked again, and so is one that was asked too often", () => {
  const refused = new World();
  refused.client.start();
  refused.wire.say({ frame: "problem", type: "/problems/not-found", title: "", status: 404, detail: "没有" });
  assert.equal(refused.state.end?.why, "problem");
  for (const [type, status] of [["unavailable", 503], ["too-many", 429]] as const) {
    const full = new World();
    full.client.start();
    full.wire.say({ frame: "problem", type: `/problems/${type}`, title: "", status, detail: "" });
    full.wire.break(4000);
    assert.equal(full.state.phase, "lost");
    full.pass(400);
    assert.equal(full.wires.length, 2);
  }
});

test("with the close everything is shown anew, and after the award the line ends", () => {
  const world = new World().live();
  world.wire.say(aDelta(3, 4, { scene: { ...SCENE, stage: "closed" } }));
  world.pass(1_500);
  assert.equal(world.wires.length, 2);
  assert.equal(world.wire.query, "");
  world.wire.say(aSnapshot({ version: 4, scene: { ...SCENE, stage: "closed" } }));
  assert.equal(world.state.phase, "live");
  world.wire.say(aDelta(4, 5, { scene: { ...SCENE, stage: "awarded" } }));
  assert.equal(world.state.phase, "live");
  world.pass(1_500);
  world.wire.say(aSnapshot({ version: 5, scene: { ...SCENE, stage: "awarded" } }));
  assert.deepEqual(world.state.end, { why: "final" });
  assert.equal(world.wire.closed, true);
});

test("nothing is written to a line that is opened anew before it is open", () => {
  const world = new World().live();
  world.client.offer(99_000_00);
  world.wire.say(aDelta(3, 4, { scene: { ...SCENE, stage: "closed" } }));
  world.pass(ANSWER_WITHIN_MS + SYNC_EVERY_MS);
  assert.ok(world.wires.length > 2);
  world.wire.say(aSnapshot({ version: 4, scene: { ...SCENE, stage: "closed" } }));
  assert.equal(world.wire.offers()[0]?.["resent"], true);
});

test("a gap is repaired by asking again", () => {
  const world = new World().live();
  world.wire.say(aDelta(7, 8));
  assert.equal(world.wires.length, 2);
  assert.equal(world.wire.query, "?after=3");
});

test("who has left is not connected again", () => {
  const world = new World().live();
  world.client.stop();
  world.pass(60_000);
  assert.equal(world.wires.length, 1);
  assert.equal(world.wire.closed, true);
});

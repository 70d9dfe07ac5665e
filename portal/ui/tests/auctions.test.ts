// What the auction pages work out themselves: forms, rules in words, bids before they are sent, records again.
import assert from "node:assert/strict";
import { test } from "node:test";

import { checkBid, quickPrices } from "../src/pages/auctions/hall/bid.ts";
import { curveOf, stepsDown } from "../src/pages/auctions/hall/curve.ts";
import { replay, type Entry } from "../src/pages/auctions/record/replay.ts";
import { describe, percentOf, type RulesOf } from "../src/pages/auctions/rules-text.ts";
import { partsOf } from "../src/pages/auctions/spans.ts";
import { aForm, anItem, beijingMoment, faultsOf, termsOf, type WizardForm } from "../src/pages/auctions/wizard/form.ts";
import { formOf, keptForm, usualStart } from "../src/pages/auctions/wizard/restore.ts";
import en from "../src/i18n/en/index.ts";
import zh from "../src/i18n/zh/index.ts";

const NOW = Date.parse("2026-11-23T01:00:00Z");
const AGREEMENT = "0190c3d0-0000-7000-8000-000000000001";

function aGoodForm(changes: Partial<WizardForm> = {}): WizardForm {
  return {
    ...aForm("2026-11-23T09:30"),
    title: "台式计算机 20 台",
    items: [anItem({ name: "台式计算机", unit: "台", quantity: 20 })],
    ceiling_fen: 100_000_00,
    step_amount_fen: 500_00,
    agreement_id: AGREEMENT,
    ...changes,
  };
}

const keysOf = (form: WizardForm) => faultsOf(form, NOW).map((fault) => fault.key);

test("a form that is filled in has no faults", () => assert.deepEqual(keysOf(aGoodForm()), []));

test("an empty form names every fault in the order of the page", () => {
  assert.deepEqual(keysOf(aForm("")), ["title", "itemName", "itemUnit", "ceiling", "stepAmount", "startMissing", "agreement"]);
});

const FAULTS: [string, Partial<WizardForm>][] = [
  ["title", { title: " x " }],
  ["noItems", { items: [] }],
  ["quantity", { items: [anItem({ name: "a", unit: "b", quantity: 0 })] }],
  ["quantity", { items: [anItem({ name: "a", unit: "b", quantity: 1.5 })] }],
  ["ceiling", { ceiling_fen: 0, step_by: "ratio" }],
  ["stepTooLarge", { step_amount_fen: 100_000_00 }],
  ["stepPercent", { step_by: "ratio", step_percent: 50.01 }],
  ["startPast", { starts_at: "2026-11-23T09:00" }],
  ["duration", { duration: 0.1 }],
  ["duration", { duration: 8, duration_unit: "day" }],
  ["window", { window_min: 0 }],
  ["extendBy", { extend_by_min: 61 }],
  ["extensionsMax", { extensions_max: 0 }],
  ["stepLeaks", { visibility: "rank", step_from: "best" }],
  ["biddersMin", { bidders_min: 0 }],
  ["shortExtension", { short_extension_min: null }],
  ["invitedFew", { admission: "invited" }],
];
for (const [index, [key, changes]] of FAULTS.entries()) {
  test(`fault ${index}: ${key}`, () => assert.deepEqual(keysOf(aGoodForm(changes)), [key]));
}

test("an agreement with too few suppliers is told before the service tells it", () => {
  const keys = faultsOf(aGoodForm(), NOW, 2).map((fault) => fault.key);
  assert.deepEqual(keys, ["admittedFew"]);
  assert.deepEqual(faultsOf(aGoodForm(), NOW, 3), []);
});

test("edges of the form are inside", () => {
  const edges: Partial<WizardForm>[] = [
    { step_amount_fen: 99_999_99 },
    { step_by: "ratio", step_percent: 50 },
    { starts_at: "2026-11-23T09:01" },
    { duration: 7, duration_unit: "day" },
    { extends: false, window_min: null, extend_by_min: null, extensions_max: null },
    { short_extension_min: 0 },
  ];
  for (const changes of edges) assert.deepEqual(keysOf(aGoodForm(changes)), [], JSON.stringify(changes));
});

test("every fault has its text in both languages", () => {
  const keys = new Set(["title", "itemName", "itemUnit", "startMissing", "agreement", "admittedFew", ...FAULTS.map(([key]) => key)]);
  for (const key of keys) {
    assert.ok((zh.auctions.fault as Record<string, string>)[key], key);
    assert.ok((en.auctions.fault as Record<string, string>)[key], key);
  }
});

test("typed times are Beijing's", () => {
  assert.equal(beijingMoment("2026-11-23T09:00")?.toISOString(), "2026-11-23T01:00:00.000Z");
  assert.equal(beijingMoment("2026-13-23T09:00"), null);
  assert.equal(beijingMoment("tomorrow"), null);
  assert.equal(usualStart(NOW), "2026-11-23T09:30");
  assert.equal(usualStart(NOW + 1), "2026-11-23T10:00");
});

test("a form becomes terms and terms become the same form", () => {
  const form = aGoodForm({ step_by: "ratio", step_percent: 0.5, step_amount_fen: null });
  const terms = termsOf(form);
  assert.deepEqual(terms.step, { amount_fen: null, ratio_bp: 50 });
  assert.equal(terms.duration_s, 1800);
  assert.deepEqual(terms.extension, { window_s: 180, extend_by_s: 180, extensions_max: 20, extend_from: "offer" });
  assert.deepEqual(termsOf(formOf(terms, [])), terms);
});

test("without extensions the terms say so, and hidden choices leave no trace", () => {
  const terms = termsOf(aGoodForm({ extends: false, invited: [{ organisation_id: AGREEMENT, name: "某公司" }] }));
  assert.equal(terms.extension?.extensions_max, 0);
  assert.deepEqual(terms.invited, []);
});

test("a kept form comes back, anything else does not", () => {
  const form = aGoodForm();
  assert.equal(keptForm(JSON.stringify(form), "")?.title, form.title);
  assert.equal(keptForm(JSON.stringify({ title: "old" }), ""), null);
  assert.equal(keptForm("{", ""), null);
  assert.equal(keptForm(null, ""), null);
});

const RULES: RulesOf = {
  ceiling_fen: 100_000_00,
  step: { amount_fen: 500_00, ratio_bp: null },
  step_from: "own",
  starts_at: "2026-11-23T01:30:00Z",
  duration_s: 1800,
  extension: { window_s: 180, extend_by_s: 180, extensions_max: 20, extend_from: "offer" },
  visibility: "both",
  bidders_min: 3,
  short_extension_s: 300,
  shortfall: "fail",
};

function textOf(messages: object, key: string): unknown {
  return key.split(".").reduce<unknown>((at, name) => (at as Record<string, unknown> | undefined)?.[name], messages);
}

test("every rule has its sentence in both languages", () => {
  const all: RulesOf[] = [RULES];
  for (const visibility of ["rank", "best", "both"] as const) all.push({ ...RULES, visibility });
  for (const step_from of ["own", "best"] as const) {
    all.push({ ...RULES, step_from }, { ...RULES, step_from, step: { amount_fen: null, ratio_bp: 50 } });
  }
  all.push({ ...RULES, starts_at: null, ceiling_fen: null, step: { amount_fen: null, ratio_bp: null } });
  all.push({ ...RULES, extension: { ...RULES.extension, extensions_max: 0 } });
  all.push({ ...RULES, extension: { ...RULES.extension, extend_from: "close" } });
  for (const shortfall of ["fail", "accept"] as const) all.push({ ...RULES, shortfall }, { ...RULES, shortfall, short_extension_s: 0 });
  const { short_extension_s: _, ...hall } = RULES;
  all.push(hall);
  for (const { key, values, spans } of all.flatMap(describe)) {
    for (const messages of [zh, en]) {
      const text = textOf(messages, key);
      assert.equal(typeof text, "string", key);
      const asked = [...String(text).matchAll(/\{(\w+)\}/g)].map((match) => match[1] as string);
      for (const name of asked) assert.ok(name in values || name in spans, `${key}: ${name}`);
    }
  }
});

test("ratios and lengths of time are said exactly", () => {
  assert.equal(percentOf(50), "0.5");
  assert.equal(percentOf(1250), "12.5");
  assert.deepEqual(partsOf(5400), [{ unit: "hour", n: 1 }, { unit: "minute", n: 30 }]);
  assert.deepEqual(partsOf(0), [{ unit: "second", n: 0 }]);
});

const BASIS = { ceiling_fen: 1000_00, highest_allowed_fen: 900_00, reference_fen: 910_00 };

test("a bid is checked on both sides of each edge", () => {
  assert.equal(checkBid(null, BASIS).refusal, "empty");
  assert.equal(checkBid(0, BASIS).refusal, "empty");
  assert.equal(checkBid(1000_01, BASIS).refusal, "above-ceiling");
  assert.equal(checkBid(900_01, BASIS).refusal, "step-too-small");
  assert.equal(checkBid(900_00, BASIS).refusal, null);
  assert.equal(checkBid(1, { ...BASIS, highest_allowed_fen: 0 }).refusal, "none-lower");
  assert.equal(checkBid(819_00, BASIS).outlier, false);
  assert.equal(checkBid(818_00, BASIS).outlier, true);
  assert.equal(checkBid(90_00, BASIS).outlier, true, "a digit too few");
});

test("quick prices are one, three and five steps down and never free of charge", () => {
  assert.deepEqual(quickPrices(BASIS, { amount_fen: 10_00, ratio_bp: null }), [890_00, 870_00, 850_00]);
  assert.deepEqual(quickPrices(BASIS, { amount_fen: null, ratio_bp: 100 }), [891_00, 873_00, 855_00]);
  assert.deepEqual(quickPrices({ ...BASIS, highest_allowed_fen: 5 }, { amount_fen: 3, ratio_bp: null }), [2]);
  assert.deepEqual(quickPrices({ ...BASIS, highest_allowed_fen: 0 }, { amount_fen: 3, ratio_bp: null }), []);
});

test("a record is played again entry by entry", () => {
  const entry = (version: number, kind: string, more: Partial<Entry> = {}): Entry => ({
    version,
    at: "2026-11-23T01:00:00Z",
    kind: `auction.${kind}`,
    ...more,
  });
  const entries = [
    entry(1, "drafted"),
    entry(2, "published"),
    entry(3, "started", { closes_at: "2026-11-23T02:00:00Z" }),
    entry(4, "offered", { label: 1, price_fen: 900 }),
    entry(5, "offered", { label: 2, price_fen: 900 }),
    entry(6, "paused"),
    entry(7, "resumed", { closes_at: "2026-11-23T03:00:00Z" }),
    entry(8, "offered", { label: 2, price_fen: 800, closes_at: "2026-11-23T03:05:00Z" }),
    entry(9, "closed"),
    entry(10, "awarded", { label: 2, price_fen: 800, name: "乙公司" }),
  ];
  assert.equal(replay(entries, 0), null);
  assert.deepEqual(replay(entries, 5)?.ladder.map((one) => one.label), [1, 2], "of equal prices the earlier");
  assert.equal(replay(entries, 6)?.closes_at, null);
  assert.equal(replay(entries, 6)?.stage, "paused");
  const last = replay(entries, entries.length);
  assert.equal(last?.stage, "awarded");
  assert.equal(last?.closes_at, "2026-11-23T03:05:00Z");
  assert.equal(last?.offers, 3);
  assert.deepEqual(last?.ladder.map((one) => [one.label, one.price_fen, one.offers]), [[2, 800, 2], [1, 900, 1]]);
});

test("the curve goes down in steps, leaves out what is hidden, and goes on until now", () => {
  const line = (version: number, price_fen?: number) => ({ version, at: "2026-11-23T01:00:00Z", label: 1, price_fen: price_fen ?? null });
  const steps = stepsDown([line(1, 900), line(2), line(3, 950), line(4, 800)]);
  assert.deepEqual(steps.map((step) => step.price_fen), [900, 800]);
  const second = NOW / 1000;
  assert.deepEqual(curveOf(steps, NOW + 5_000), [[second, second, second + 5], [9, 8, 8]]);
  assert.deepEqual(curveOf([], NOW), [[], []]);
});

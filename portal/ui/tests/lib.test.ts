import assert from "node:assert/strict";
import { test } from "node:test";

import { toCsv } from "../src/lib/csv.ts";
import { formatClock, formatDay, formatMinute, formatSecond, splitLeft } from "../src/lib/time.ts";

test("times are shown in Beijing", () => {
  assert.equal(formatMinute("2026-11-22T16:00:00Z"), "2026-11-23 00:00");
  assert.equal(formatSecond("2026-11-23T01:02:03.9Z"), "2026-11-23 09:02:03");
  assert.equal(formatDay("2026-11-22T16:00:00Z"), "2026-11-23");
  assert.equal(formatDay("2026-11-22"), "2026-11-22");
  assert.equal(formatClock("2026-11-23T01:02:03Z"), "09:02:03");
});

test("time left shows tenths in the last minute only", () => {
  assert.deepEqual(splitLeft(59_960), { days: 0, clock: "00:59.9" });
  assert.deepEqual(splitLeft(60_000), { days: 0, clock: "01:00" });
  assert.deepEqual(splitLeft(3_600_000), { days: 0, clock: "01:00:00" });
  assert.deepEqual(splitLeft(90_061_000), { days: 1, clock: "01:01:01" });
  assert.deepEqual(splitLeft(-5), { days: 0, clock: "00:00.0" });
});

test("a cell never becomes a formula and quotes survive", () => {
  assert.equal(toCsv([["=1+1", 'say "hi"', -3, "a,b"]]), `'=1+1,"say ""hi""",-3,"a,b"\r\n`);
});

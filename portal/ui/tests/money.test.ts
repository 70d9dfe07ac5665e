import assert from "node:assert/strict";
import { test } from "node:test";

import { belowPercent, formatFen, parseYuan, plainFen, upperFen } from "../src/lib/money.ts";

const UPPER: [number, string][] = [
  [0, "零元整"],
  [1, "壹分"],
  [10, "壹角整"],
  [11, "壹角壹分"],
  [100, "壹元整"],
  [101, "壹元零壹分"],
  [110, "壹元壹角整"],
  [1_000, "壹拾元整"],
  [10_500, "壹佰零伍元整"],
  [100_000, "壹仟元整"],
  [100_500, "壹仟零伍元整"],
  [101_050, "壹仟零壹拾元伍角整"],
  [140_950, "壹仟肆佰零玖元伍角整"],
  [600_714, "陆仟零柒元壹角肆分"],
  [168_032, "壹仟陆佰捌拾元叁角贰分"],
  [10_700_053, "壹拾万柒仟元伍角叁分"],
  [1_000_000, "壹万元整"],
  [1_000_100, "壹万零壹元整"],
  [1_010_000, "壹万零壹佰元整"],
  [1_100_000, "壹万壹仟元整"],
  [10_000_000_00, "壹仟万元整"],
  [100_000_000_00, "壹亿元整"],
  [100_000_001_00, "壹亿零壹元整"],
  [100_010_000_00, "壹亿零壹万元整"],
  [110_000_000_00, "壹亿壹仟万元整"],
  [1_000_000_000_000_00, "壹万亿元整"],
  [1_000_100_000_000_00, "壹万零壹亿元整"],
  [1_000_000_010_000_00, "壹万亿零壹万元整"],
  [12_345_678_901_234_56, "壹拾贰万叁仟肆佰伍拾陆亿柒仟捌佰玖拾万壹仟贰佰叁拾肆元伍角陆分"],
];

for (const [fen, text] of UPPER) {
  test(`${fen} fen in capital characters is ${text}`, () => assert.equal(upperFen(fen), text));
}

test("what is no amount has no capital characters", () => {
  for (const bad of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, Number.MAX_SAFE_INTEGER + 1]) {
    assert.equal(upperFen(bad), "");
  }
});

test("typed yuan become exact fen or nothing", () => {
  const cases: [string, number | null][] = [
    ["0", 0],
    ["12", 1200],
    ["12.", 1200],
    ["12.3", 1230],
    ["12.34", 1234],
    ["1,234.5", 123450],
    ["¥ 99.90元", 9990],
    ["12.50", 1250],
    ["12.345", null],
    ["-1", null],
    ["1e3", null],
    ["", null],
    [".5", null],
    ["99999999999999.99", null],
  ];
  for (const [text, fen] of cases) assert.equal(parseYuan(text), fen, text);
});

test("what was written is read again", () => {
  for (const fen of [0, 1, 99, 100, 123456789, 900719925474099]) {
    assert.equal(parseYuan(formatFen(fen)), fen);
    assert.equal(parseYuan(plainFen(fen)), fen);
  }
});

test("a negative amount has one sign", () => {
  assert.equal(formatFen(-5), "−0.05");
  assert.equal(plainFen(-123456), "-1234.56");
});

test("the share below a reference is rounded to a tenth", () => {
  assert.equal(belowPercent(900, 1000), 10);
  assert.equal(belowPercent(1000, 0), 0);
  assert.equal(belowPercent(1100, 1000), -10);
});

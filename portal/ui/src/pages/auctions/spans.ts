// Lengths of time in words.
type Translate = (key: string, values: Record<string, string | number>) => string;

const UNITS = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
] as const;

/** Splits seconds into whole units, without those that are zero: 5400 -> 1 hour, 30 minutes. */
export function partsOf(seconds: number): { unit: (typeof UNITS)[number][0]; n: number }[] {
  let left = Math.max(0, Math.round(seconds));
  const parts = UNITS.map(([unit, size]) => {
    const n = Math.floor(left / size);
    left -= n * size;
    return { unit, n };
  }).filter((part) => part.n > 0);
  return parts.length > 0 ? parts : [{ unit: "second", n: 0 }];
}

/** Says a length of time: "1 小时 30 分钟". */
export function spanText(t: Translate, seconds: number): string {
  return partsOf(seconds)
    .map((part) => t(`auctions.span.${part.unit}`, { n: part.n }))
    .join(" ");
}

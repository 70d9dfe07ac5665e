// The lowest price over time, from the offers that may be seen. Pure.
import type { Line } from "../../../api/hall-frames.ts";

export interface Step {
  version: number;
  at: string;
  label: number;
  price_fen: number;
}

/** The offers that were the lowest when they came, the oldest first. */
export function stepsDown(offers: readonly Line[]): Step[] {
  const steps: Step[] = [];
  for (const { version, at, label, price_fen } of offers) {
    if (typeof price_fen !== "number") continue;
    const last = steps.at(-1);
    if (!last || price_fen < last.price_fen) steps.push({ version, at, label, price_fen });
  }
  return steps;
}

/** Times in seconds and prices in yuan for a step curve that goes on until `until_ms`. */
export function curveOf(steps: readonly Step[], until_ms: number): [number[], number[]] {
  const times = steps.map((step) => Date.parse(step.at) / 1000);
  const prices = steps.map((step) => step.price_fen / 100);
  const [last, price] = [times.at(-1), prices.at(-1)];
  if (last !== undefined && price !== undefined && until_ms / 1000 > last) {
    times.push(until_ms / 1000);
    prices.push(price);
  }
  return [times, prices];
}

// What is to be said about a price before it is offered. The service decides; this saves a refusal. Pure.
import type { Step } from "../../../api/hall-frames.ts";

/** An offer this much below its reference may have a digit too few. */
export const OUTLIER_PERCENT = 10;
const QUICK_FACTORS = [1, 3, 5];

export interface BidCheck {
  /** The offer would be refused, for this reason. */
  refusal: "empty" | "above-ceiling" | "step-too-small" | "none-lower" | null;
  /** Far below the reference: to be looked at twice. */
  outlier: boolean;
  /** Share below the reference, in per cent. */
  drop: number;
}

export interface BidBasis {
  ceiling_fen: number;
  highest_allowed_fen: number;
  /** The best price where it may be seen, else the own last offer, else the ceiling. */
  reference_fen: number;
}

export function checkBid(price_fen: number | null, basis: BidBasis): BidCheck {
  const { ceiling_fen, highest_allowed_fen, reference_fen } = basis;
  const drop = price_fen === null ? 0 : Math.round(((reference_fen - price_fen) / reference_fen) * 10_000) / 100;
  const outlier = price_fen !== null && price_fen > 0 && drop > OUTLIER_PERCENT;
  const refusal = (): BidCheck["refusal"] => {
    if (highest_allowed_fen < 1) return "none-lower";
    if (price_fen === null || price_fen < 1) return "empty";
    if (price_fen > ceiling_fen) return "above-ceiling";
    return price_fen > highest_allowed_fen ? "step-too-small" : null;
  };
  return { refusal: refusal(), outlier, drop };
}

/** Rounds a step up to what a person would say: 1234.56 yuan -> 2000 yuan. */
function rounded(step_fen: number): number {
  const size = 10 ** Math.max(0, Math.floor(Math.log10(step_fen)));
  return Math.ceil(step_fen / size) * size;
}

/** Quick prices: the highest allowed, and one, three and five steps below it. Whole steps where the step is a ratio. */
export function quickPrices(basis: BidBasis, step: Step): number[] {
  const { highest_allowed_fen } = basis;
  if (highest_allowed_fen < 1) return [];
  const base = step.amount_fen ?? rounded(Math.max(1, Math.floor((highest_allowed_fen * (step.ratio_bp ?? 100)) / 10_000)));
  return QUICK_FACTORS.map((factor) => highest_allowed_fen - factor * base).filter((price) => price > 0);
}

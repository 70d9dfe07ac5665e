// The rules of an auction as sentences that a bidder understands; the pages put them into words.
import { formatFen, upperFen } from "../../lib/money.ts";
import { formatMinute } from "../../lib/time.ts";
import type { Extension, Step, Visibility } from "../../api/hall-frames.ts";

/** What the sentences need to know; the wizard has holes in it while somebody types. */
export interface RulesOf {
  ceiling_fen: number | null;
  step: Step;
  step_from: "own" | "best";
  starts_at: string | null;
  duration_s: number | null;
  extension: Extension;
  visibility: Visibility;
  bidders_min: number;
  /** Absent where a page does not know them. */
  short_extension_s?: number;
  shortfall?: "fail" | "accept";
}

/** Values that the page words itself: `spans` are seconds, `values` are ready. */
export interface Sentence {
  key: string;
  values: Record<string, string | number>;
  spans: Record<string, number>;
}

function sentence(key: string, values: Sentence["values"] = {}, spans: Sentence["spans"] = {}): Sentence {
  return { key: `auctions.rule.${key}`, values, spans };
}

/** 12.5 for 1250 basis points. */
export function percentOf(ratio_bp: number): string {
  return String(Math.round(ratio_bp) / 100);
}

function stepSentence(rules: RulesOf): Sentence {
  const { amount_fen, ratio_bp } = rules.step;
  const from = rules.step_from === "own" ? "Own" : "Best";
  if (typeof ratio_bp === "number") return sentence(`stepRatio${from}`, { percent: percentOf(ratio_bp) });
  if (typeof amount_fen !== "number") return sentence("stepOpen");
  return sentence(`stepAmount${from}`, { amount: formatFen(amount_fen) });
}

function timeSentence(rules: RulesOf): Sentence {
  const { starts_at, duration_s } = rules;
  if (!starts_at || duration_s === null) return sentence("timeOpen", {}, { span: duration_s ?? 0 });
  const closes = formatMinute(Date.parse(starts_at) + duration_s * 1000);
  return sentence("time", { start: formatMinute(starts_at), close: closes }, { span: duration_s });
}

/** An extension whose members all say something: absent ones have the service's defaults. */
function extensionSentence(rule: Extension): Sentence {
  const { window_s = 180, extend_by_s = 180, extensions_max = 20, extend_from = "offer" } = rule;
  if (extensions_max === 0) return sentence("extensionNone");
  const key = extend_from === "offer" ? "extensionOffer" : "extensionClose";
  return sentence(key, { times: extensions_max }, { window: window_s, by: extend_by_s });
}

/** Words the rules, the most important first. */
export function describe(rules: RulesOf): Sentence[] {
  const { ceiling_fen, short_extension_s, shortfall } = rules;
  const ceiling = { ceiling: formatFen(ceiling_fen ?? 0), upper: upperFen(ceiling_fen ?? 0) };
  const said = [
    ceiling_fen === null ? sentence("ceilingOpen") : sentence("ceiling", ceiling),
    stepSentence(rules),
    timeSentence(rules),
    extensionSentence(rules.extension),
    sentence(`visibility${rules.visibility[0]?.toUpperCase()}${rules.visibility.slice(1)}`),
    sentence("tie"),
  ];
  if (short_extension_s === undefined) return [...said, sentence("bidders", { n: rules.bidders_min })];
  const then = shortfall === "fail" ? "Fail" : "Accept";
  const key = short_extension_s > 0 ? `biddersExtend${then}` : `bidders${then}`;
  return [...said, sentence(key, { n: rules.bidders_min }, short_extension_s > 0 ? { span: short_extension_s } : {})];
}

// A form from what is there already: the terms of a draft, or what this browser kept of an unfinished form.
import { formatMinute } from "../../../lib/time.ts";
import type { Terms } from "../shapes.ts";
import { aForm, anItem, UNIT_S, type Invited, type Unit, type WizardForm } from "./form.ts";

const HOUR_MS = 3_600_000;

/** A moment as the input for dates and times writes it, in Beijing. */
export function typedMoment(at: string | number): string {
  return formatMinute(at).replace(" ", "T");
}

/** The next half hour at least half an hour away: time for suppliers to see the announcement. */
export function usualStart(now_ms: number): string {
  const step = HOUR_MS / 2;
  return typedMoment(Math.ceil((now_ms + step) / step) * step);
}

function unitOf(duration_s: number): Unit {
  if (duration_s % UNIT_S.day === 0) return "day";
  return duration_s % UNIT_S.hour === 0 ? "hour" : "minute";
}

/** Fills a form with the terms of a draft. */
export function formOf(terms: Terms, invited: readonly Invited[]): WizardForm {
  const { step, extension } = terms;
  const unit = unitOf(terms.duration_s);
  const usual = aForm(typedMoment(terms.starts_at));
  const extending = (extension?.extensions_max ?? 20) > 0;
  return {
    ...usual,
    title: terms.title,
    items: terms.items.map((item) =>
      anItem({
        product_id: item.product_id ?? null,
        name: item.name ?? "",
        unit: item.unit ?? "",
        spec: item.spec ?? "",
        quantity: item.quantity,
      }),
    ),
    note: terms.note ?? "",
    ceiling_fen: terms.ceiling_fen,
    step_by: step.ratio_bp ? "ratio" : "amount",
    step_amount_fen: step.amount_fen ?? null,
    step_percent: step.ratio_bp ? step.ratio_bp / 100 : usual.step_percent,
    step_from: terms.step_from ?? usual.step_from,
    duration: terms.duration_s / UNIT_S[unit],
    duration_unit: unit,
    extends: extending,
    window_min: extending ? (extension?.window_s ?? 180) / 60 : usual.window_min,
    extend_by_min: extending ? (extension?.extend_by_s ?? 180) / 60 : usual.extend_by_min,
    extensions_max: extending ? (extension?.extensions_max ?? 20) : usual.extensions_max,
    extend_from: extension?.extend_from ?? usual.extend_from,
    visibility: terms.visibility ?? usual.visibility,
    admission: terms.admission ?? usual.admission,
    invited: [...invited],
    agreement_id: terms.agreement_id ?? null,
    agreement_package: terms.agreement_package ?? null,
    bidders_min: terms.bidders_min ?? usual.bidders_min,
    short_extension_min: (terms.short_extension_s ?? 300) / 60,
    shortfall: terms.shortfall ?? usual.shortfall,
  };
}

/** Reads a form that was kept as text; null for what is none, or is from another version of this page. */
export function keptForm(text: string | null, start: string): WizardForm | null {
  try {
    const found = JSON.parse(text ?? "null") as Partial<WizardForm> | null;
    if (!found || !Array.isArray(found.items) || !Array.isArray(found.invited)) return null;
    const usual = aForm(start);
    const sameKeys = Object.keys(usual).every((name) => name in found);
    if (!sameKeys) return null;
    return { ...usual, ...found, items: found.items.map((item) => anItem(item)) };
  } catch {
    return null;
  }
}

// The start-auction form: what a purchaser fills in, what is wrong with it, and the terms that it makes. Pure.
import type { Terms } from "../shapes.ts";

export type Unit = "minute" | "hour" | "day";

export interface ItemForm {
  /** Only for the page: rows keep their identity while they are edited. */
  key: number;
  product_id: string | null;
  name: string;
  unit: string;
  spec: string;
  quantity: number | null;
}

export interface Invited {
  organisation_id: string;
  name: string;
}

export interface WizardForm {
  title: string;
  items: ItemForm[];
  note: string;
  ceiling_fen: number | null;
  step_by: "amount" | "ratio";
  step_amount_fen: number | null;
  step_percent: number | null;
  step_from: "own" | "best";
  /** Beijing time as typed: 2026-11-23T09:00. */
  starts_at: string;
  duration: number | null;
  duration_unit: Unit;
  extends: boolean;
  window_min: number | null;
  extend_by_min: number | null;
  extensions_max: number | null;
  extend_from: "offer" | "close";
  visibility: "rank" | "best" | "both";
  admission: "invited" | "agreement";
  invited: Invited[];
  agreement_id: string | null;
  agreement_package: number | null;
  bidders_min: number | null;
  short_extension_min: number | null;
  shortfall: "fail" | "accept";
}

export type Section = "items" | "price" | "bidders";
export const SECTIONS: readonly Section[] = ["items", "price", "bidders"];

/** What is wrong, where, and the message's key under `auctions.fault`. */
export interface Fault {
  section: Section;
  field: string;
  key: string;
}

export const UNIT_S: Readonly<Record<Unit, number>> = { minute: 60, hour: 3_600, day: 86_400 };
const DURATION_MIN_S = 10;
const DURATION_MAX_S = 7 * 86_400;
const EXTENSION_MAX_MIN = 60;
const STEP_PERCENT_MAX = 50;
const QUANTITY_MAX = 1_000_000_000;
export const ITEMS_MAX = 200;

let lastKey = 0;

export function anItem(changes: Partial<ItemForm> = {}): ItemForm {
  lastKey += 1;
  return { product_id: null, name: "", unit: "", spec: "", quantity: 1, ...changes, key: lastKey };
}

/** A form with the usual rules; `starts_at` is given by whoever knows the time. */
export function aForm(starts_at: string): WizardForm {
  return {
    title: "",
    items: [anItem()],
    note: "",
    ceiling_fen: null,
    step_by: "amount",
    step_amount_fen: null,
    step_percent: 1,
    step_from: "own",
    starts_at,
    duration: 30,
    duration_unit: "minute",
    extends: true,
    window_min: 3,
    extend_by_min: 3,
    extensions_max: 20,
    extend_from: "offer",
    visibility: "both",
    admission: "agreement",
    invited: [],
    agreement_id: null,
    agreement_package: null,
    bidders_min: 3,
    short_extension_min: 5,
    shortfall: "fail",
  };
}

/** The moment that a typed Beijing time names; null for what is none. */
export function beijingMoment(typed: string): Date | null {
  if (!/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}$/.test(typed)) return null;
  const moment = new Date(`${typed}:00+08:00`);
  return Number.isNaN(moment.getTime()) ? null : moment;
}

export function durationOf(form: WizardForm): number | null {
  return form.duration === null ? null : Math.round(form.duration * UNIT_S[form.duration_unit]);
}

function within(value: number | null, least: number, most: number): boolean {
  return value !== null && value >= least && value <= most;
}

function whole(value: number | null, least: number, most: number): boolean {
  return within(value, least, most) && Number.isInteger(value);
}

function itemFaults(form: WizardForm): [string, string][] {
  const found: [string, string][] = [];
  const title = form.title.trim();
  if (title.length < 2 || title.length > 200) found.push(["title", "title"]);
  if (form.items.length === 0) found.push(["items", "noItems"]);
  for (const item of form.items) {
    if (!item.product_id && !item.name.trim()) found.push([`item-${item.key}-name`, "itemName"]);
    if (!item.product_id && !item.unit.trim()) found.push([`item-${item.key}-unit`, "itemUnit"]);
    if (!whole(item.quantity, 1, QUANTITY_MAX)) found.push([`item-${item.key}-quantity`, "quantity"]);
  }
  return found;
}

function priceFaults(form: WizardForm, now_ms: number): [string, string][] {
  const found: [string, string][] = [];
  const { ceiling_fen, step_amount_fen } = form;
  if (ceiling_fen === null || ceiling_fen < 1) found.push(["ceiling", "ceiling"]);
  if (form.step_by === "ratio") {
    if (!within(form.step_percent, 0.01, STEP_PERCENT_MAX)) found.push(["step", "stepPercent"]);
  } else if (step_amount_fen === null || step_amount_fen < 1) found.push(["step", "stepAmount"]);
  else if (ceiling_fen !== null && step_amount_fen >= ceiling_fen) found.push(["step", "stepTooLarge"]);
  const starts = beijingMoment(form.starts_at);
  if (!starts) found.push(["starts_at", "startMissing"]);
  else if (starts.getTime() <= now_ms) found.push(["starts_at", "startPast"]);
  if (!within(durationOf(form), DURATION_MIN_S, DURATION_MAX_S)) found.push(["duration", "duration"]);
  if (form.extends) {
    if (!within(form.window_min, 0.1, EXTENSION_MAX_MIN)) found.push(["window", "window"]);
    if (!within(form.extend_by_min, 0.1, EXTENSION_MAX_MIN)) found.push(["extend_by", "extendBy"]);
    if (!whole(form.extensions_max, 1, 1_000)) found.push(["extensions_max", "extensionsMax"]);
  }
  return found;
}

function bidderFaults(form: WizardForm, admitted: number | null): [string, string][] {
  const found: [string, string][] = [];
  if (form.visibility === "rank" && form.step_from === "best") found.push(["visibility", "stepLeaks"]);
  if (!whole(form.bidders_min, 1, 100)) found.push(["bidders_min", "biddersMin"]);
  if (!within(form.short_extension_min, 0, 7 * 1_440)) found.push(["short_extension", "shortExtension"]);
  if (form.admission === "agreement") {
    if (!form.agreement_id) found.push(["agreement", "agreement"]);
    else if (admitted !== null && admitted < (form.bidders_min ?? 1)) found.push(["agreement", "admittedFew"]);
  } else if (form.invited.length < (form.bidders_min ?? 1)) found.push(["invited", "invitedFew"]);
  return found;
}

/**
 * Everything that is wrong, in the order in which it stands on the page.
 *
 * `admitted` counts the suppliers of the chosen agreement; null while that is not known.
 */
export function faultsOf(form: WizardForm, now_ms: number, admitted: number | null = null): Fault[] {
  const by: [Section, [string, string][]][] = [
    ["items", itemFaults(form)],
    ["price", priceFaults(form, now_ms)],
    ["bidders", bidderFaults(form, admitted)],
  ];
  return by.flatMap(([section, found]) => found.map(([field, key]) => ({ section, field, key })));
}

const seconds = (minutes: number | null) => Math.round((minutes ?? 0) * 60);

/** The terms that a form without faults makes. */
export function termsOf(form: WizardForm): Terms {
  const ratio = form.step_by === "ratio";
  const invited = form.admission === "invited";
  return {
    title: form.title.trim(),
    items: form.items.map((item) => ({
      quantity: item.quantity ?? 1,
      name: item.name.trim(),
      unit: item.unit.trim(),
      spec: item.spec.trim(),
      product_id: item.product_id,
    })),
    note: form.note.trim(),
    ceiling_fen: form.ceiling_fen ?? 0,
    step: {
      amount_fen: ratio ? null : form.step_amount_fen,
      ratio_bp: ratio ? Math.round((form.step_percent ?? 0) * 100) : null,
    },
    step_from: form.step_from,
    starts_at: (beijingMoment(form.starts_at) ?? new Date(0)).toISOString(),
    duration_s: durationOf(form) ?? 0,
    extension: {
      window_s: form.extends ? seconds(form.window_min) : 0,
      extend_by_s: form.extends ? seconds(form.extend_by_min) : 0,
      extensions_max: form.extends ? (form.extensions_max ?? 0) : 0,
      extend_from: form.extend_from,
    },
    visibility: form.visibility,
    admission: form.admission,
    invited: invited ? form.invited.map((one) => one.organisation_id) : [],
    agreement_id: invited ? null : form.agreement_id,
    agreement_package: invited ? null : form.agreement_package,
    bidders_min: form.bidders_min ?? 3,
    short_extension_s: seconds(form.short_extension_min),
    shortfall: form.shortfall,
  };
}

// An auction again, from its record alone: how things stood after each entry. Pure.
import type { Stage } from "../../../api/hall-frames.ts";

/** The members of a record's entry that a replay needs; see market/auctions/service.py, RecordLine. */
export interface Entry {
  version: number;
  at: string;
  kind: string;
  label?: number | null;
  name?: string | null;
  price_fen?: number | null;
  closes_at?: string | null;
}

export interface Standing {
  label: number;
  name: string | null;
  price_fen: number;
  version: number;
  offers: number;
}

export interface Moment {
  version: number;
  at: string;
  stage: Stage;
  closes_at: string | null;
  offers: number;
  best_fen: number | null;
  /** Best first; of equal prices the earlier. */
  ladder: readonly Standing[];
  /** What happened at this version. */
  entry: Entry;
}

const STAGE_AFTER: Readonly<Record<string, Stage>> = {
  drafted: "draft",
  edited: "draft",
  published: "published",
  withdrawn: "failed",
  started: "live",
  resumed: "live",
  paused: "paused",
  closed: "closed",
  awarded: "awarded",
  failed: "failed",
};

/** "offered" for "auction.offered". */
export function kindOf(entry: Entry): string {
  return entry.kind.slice(entry.kind.indexOf(".") + 1);
}

function better(a: Standing, b: Standing): number {
  return a.price_fen - b.price_fen || a.version - b.version;
}

function standingsAfter(before: readonly Standing[], entry: Entry): readonly Standing[] {
  const { label, price_fen, version } = entry;
  if (kindOf(entry) !== "offered" || typeof label !== "number" || typeof price_fen !== "number") return before;
  const own = before.find((one) => one.label === label);
  const now: Standing = { label, name: entry.name ?? own?.name ?? null, price_fen, version, offers: (own?.offers ?? 0) + 1 };
  return [...before.filter((one) => one.label !== label), now].sort(better);
}

function after(before: Moment | null, entry: Entry): Moment {
  const kind = kindOf(entry);
  const ladder = standingsAfter(before?.ladder ?? [], entry);
  return {
    version: entry.version,
    at: entry.at,
    stage: STAGE_AFTER[kind] ?? before?.stage ?? "draft",
    closes_at: kind === "paused" ? null : (entry.closes_at ?? before?.closes_at ?? null),
    offers: (before?.offers ?? 0) + (kind === "offered" ? 1 : 0),
    best_fen: ladder[0]?.price_fen ?? null,
    ladder,
    entry,
  };
}

/** How things stood after the first `count` entries; null before the first. */
export function replay(entries: readonly Entry[], count: number): Moment | null {
  return entries.slice(0, count).reduce<Moment | null>(after, null);
}

// A record's entries in words.
import { useI18n } from "vue-i18n";

import { formatFen } from "../../../lib/money.ts";
import { formatSecond } from "../../../lib/time.ts";
import { kindOf, type Entry } from "./replay.ts";

interface Worded extends Entry {
  reason?: string | null;
  cause?: string | null;
}

export interface EntryText {
  wordKind: (entry: Worded) => string;
  wordSupplier: (entry: Worded) => string;
  wordDetail: (entry: Worded) => string;
}

export function useEntryText(): EntryText {
  const { t } = useI18n();

  function wordSupplier({ label, name }: Worded): string {
    if (typeof label !== "number") return "";
    const numbered = t("auctions.hall.supplierLabel", { label });
    return name ? `${numbered} ${name}` : numbered;
  }

  function wordDetail(entry: Worded): string {
    const said: string[] = [];
    if (typeof entry.price_fen === "number") said.push(`¥${formatFen(entry.price_fen)}`);
    if (entry.closes_at) said.push(t("auctions.hall.closesAt", { at: formatSecond(entry.closes_at) }));
    if (entry.cause) said.push(t(`auctions.cause.${entry.cause}`));
    if (entry.reason) said.push(t("auctions.hall.banner.reason", { reason: entry.reason }));
    return said.join(" · ");
  }

  return { wordKind: (entry) => t(`auctions.log.kind.${kindOf(entry)}`), wordSupplier, wordDetail };
}

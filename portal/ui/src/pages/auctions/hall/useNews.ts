// What is said aloud: each notice, and the own rank when it changes. One text at a time, for an aria-live region.
import { ref, watch, type Ref, type ShallowRef } from "vue";
import { useI18n } from "vue-i18n";

import type { Notice } from "../../../api/hall-frames.ts";
import type { HallState } from "../../../api/hall-state.ts";
import { formatClock } from "../../../lib/time.ts";
import { sound } from "./sound.ts";

const NEWS_HZ = 880;
const WARNING_HZ = 520;

export function useNews(state: ShallowRef<HallState>): { said: Readonly<Ref<string>>; wordNotice: (notice: Notice) => string } {
  const { t } = useI18n();
  const said = ref("");

  function wordNotice({ kind, closes_at, reason }: Notice): string {
    return t(`auctions.hall.notice.${kind}`, { at: closes_at ? formatClock(closes_at) : "", reason: reason ?? "" });
  }

  watch(
    () => state.value.notices.at(-1),
    (notice, before) => {
      if (!notice || (before && notice.version <= before.version)) return;
      if (!before && state.value.version !== notice.version) return; // history of a hall just entered
      said.value = wordNotice(notice);
      sound.play(NEWS_HZ);
    },
  );
  watch(
    () => state.value.you?.rank,
    (rank, before) => {
      if (!rank || rank === before || state.value.scene?.stage !== "live") return;
      if (rank === 1) said.value = t("auctions.hall.say.first");
      else if (before && rank > before) {
        said.value = t("auctions.hall.say.overtaken", { rank });
        sound.play(WARNING_HZ);
      } else said.value = t("auctions.hall.say.rank", { rank });
    },
  );
  return { said, wordNotice };
}

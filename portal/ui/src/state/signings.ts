// How many documents wait for this account's signature, for the menu. Asked when somebody enters, then now and then.
import { computed, shallowRef, watch } from "vue";

import { answer, api } from "../api/client.ts";
import { session, type Role } from "./session.ts";

const SHOWN_MAX = 20;
const REFRESH_MS = 60_000;
const SIGNERS: readonly Role[] = ["purchaser", "approver", "signatory"];

const waiting = shallowRef<{ count: number; more: boolean }>({ count: 0, more: false });
const asked = computed(() => (session.actor.value?.roles ?? []).some((role) => SIGNERS.some((one) => one === role)));

/** Asks anew; when that fails the old number stays, and the pages themselves say what is wrong. */
async function refresh(): Promise<void> {
  const of = session.actor.value?.user_id;
  if (!asked.value) {
    waiting.value = { count: 0, more: false };
    return;
  }
  try {
    const query = { box: "asked", limit: SHOWN_MAX } as const;
    const found = await answer(api.GET("/api/signings", { params: { query } }));
    if (session.actor.value?.user_id === of) waiting.value = { count: found.items.length, more: found.next !== null };
  } catch {
    return;
  }
}

watch(() => session.actor.value?.user_id, () => void refresh(), { immediate: true });
setInterval(() => {
  if (document.visibilityState === "visible") void refresh();
}, REFRESH_MS);

export const signings = {
  /** "" where nothing waits. */
  waiting: computed(() => (waiting.value.count === 0 ? "" : `${waiting.value.count}${waiting.value.more ? "+" : ""}`)),
  refresh,
};

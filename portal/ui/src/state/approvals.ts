// How many requests wait for this account's decision: the number in the menu. Read again with each page that is opened.
import { ref, readonly } from "vue";

import { answer, api } from "../api/client.ts";
import { session } from "./session.ts";

const count = ref(0);

async function refresh(): Promise<void> {
  if (!session.actor.value?.roles.includes("approver")) {
    count.value = 0;
    return;
  }
  try {
    count.value = (await answer(api.GET("/api/approvals/to-decide"))).count;
  } catch {
    // The number is a help; the list itself says what is wrong.
  }
}

export const approvals = { toDecide: readonly(count), refresh };

// One act of the security page at a time: busy while it runs, and what was wrong after it.
import { ref, type Ref } from "vue";

import { problemText } from "../../../state/problem.ts";

export interface Act {
  busy: Ref<boolean>;
  problem: Ref<string>;
  run: (act: () => Promise<void>) => Promise<void>;
}

export function useAct(): Act {
  const busy = ref(false);
  const problem = ref("");

  async function run(act: () => Promise<void>): Promise<void> {
    if (busy.value) return;
    busy.value = true;
    problem.value = "";
    try {
      await act();
    } catch (thrown) {
      problem.value =
        problemText(thrown);
    } finally {
      busy.value = false;
    }
  }

  return { busy, problem, run };
}

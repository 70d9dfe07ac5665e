// One act of the security page at a time: busy while it runs, and what was wrong after it.
import { ref, type Ref } from "vue";
import { useI18n } from "vue-i18n";

import { PasskeyAborted } from "../../../api/passkey.ts";
import { asApiError } from "../../../state/load.ts";

export interface Act {
  busy: Ref<boolean>;
  problem: Ref<string>;
  run: (act: () => Promise<void>) => Promise<void>;
}

export function useAct(): Act {
  const { t } = useI18n();
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
        thrown instanceof PasskeyAborted ? t("account.passkeyAborted") : asApiError(thrown).message || t("common.unknownProblem");
    } finally {
      busy.value = false;
    }
  }

  return { busy, problem, run };
}

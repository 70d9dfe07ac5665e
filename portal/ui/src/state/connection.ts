// Whether the service can be reached. While it cannot, a light request asks again every few seconds.
import { readonly, ref } from "vue";

const ASK_AGAIN_MS = 3000;
const isLost = ref(false);
const attempts = ref(0);
let timer: ReturnType<typeof setTimeout> | undefined;

/** Asks the service whether it is there. */
async function isThere(): Promise<boolean> {
  try {
    return (await fetch("/healthz", { cache: "no-store" })).ok;
  } catch {
    return false;
  }
}

async function ask(): Promise<void> {
  attempts.value += 1;
  if (await isThere()) return restored();
  timer = setTimeout(() => void ask(), ASK_AGAIN_MS);
}

function restored(): void {
  if (!isLost.value) return;
  clearTimeout(timer);
  isLost.value = false;
  attempts.value = 0;
}

function lost(): void {
  if (isLost.value) return;
  isLost.value = true;
  timer = setTimeout(() => void ask(), ASK_AGAIN_MS);
}

export const connection = { isLost: readonly(isLost), attempts: readonly(attempts), isThere, lost, restored };

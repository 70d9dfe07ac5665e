// The server's time as something to watch.
import { onScopeDispose, ref, type Ref } from "vue";

import { serverNow } from "../../../lib/time.ts";

export function useNow(every_ms: number): Readonly<Ref<number>> {
  const now = ref(serverNow());
  const timer = setInterval(() => (now.value = serverNow()), every_ms);
  onScopeDispose(() => clearInterval(timer));
  return now;
}

// Loading as a state: what a page shows while it waits, when nothing is there, when it went wrong.
import { onScopeDispose, ref, shallowRef, watch, type Ref, type ShallowRef, type WatchSource } from "vue";

import { ApiError } from "../api/client.ts";

export type LoadState = "loading" | "ready" | "error";

export interface Load<Data> {
  data: ShallowRef<Data | undefined>;
  state: Ref<LoadState>;
  /** True while newer data is on its way, also when older data is shown. */
  busy: Ref<boolean>;
  error: ShallowRef<ApiError | undefined>;
  reload: () => Promise<void>;
}

/** Turns whatever was thrown into something that can be shown. */
export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  console.error(error);
  return new ApiError({ type: "about:blank", title: String(error), status: -1, detail: "" });
}

/**
 * Loads at once and whenever a source changes. A late answer to an older question is dropped, and data that was
 * there stays while newer data is on its way.
 */
export function useLoad<Data>(read: () => Promise<Data>, sources: WatchSource[] = []): Load<Data> {
  const data = shallowRef<Data>();
  const state = ref<LoadState>("loading");
  const busy = ref(false);
  const error = shallowRef<ApiError>();
  let latest = 0;

  async function reload(): Promise<void> {
    const mine = (latest += 1);
    busy.value = true;
    if (state.value === "error") state.value = "loading";
    try {
      const found = await read();
      if (mine !== latest) return;
      data.value = found;
      state.value = "ready";
      error.value = undefined;
    } catch (thrown) {
      if (mine !== latest) return;
      error.value = asApiError(thrown);
      state.value = "error";
    } finally {
      if (mine === latest) busy.value = false;
    }
  }

  if (sources.length > 0) watch(sources, () => void reload());
  onScopeDispose(() => {
    latest += 1;
  });
  void reload();
  return { data, state, busy, error, reload };
}

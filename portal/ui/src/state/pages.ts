// Lists by cursor: the next page comes from the service, the way back is remembered here.
import { computed, ref, watch, type ComputedRef, type WatchSource } from "vue";

import { useLoad, type Load } from "./load.ts";

export interface PageOf<Item> {
  items: readonly Item[];
  next: string | null;
}

export interface Paging<Item> {
  load: Load<PageOf<Item>>;
  items: ComputedRef<readonly Item[]>;
  page: ComputedRef<number>;
  hasNext: ComputedRef<boolean>;
  hasPrevious: ComputedRef<boolean>;
  goNext: () => void;
  goPrevious: () => void;
}

/** Reads pages; a change of `filters` starts again at the first. */
export function usePages<Item>(
  read: (cursor: string | undefined) => Promise<PageOf<Item>>,
  filters: WatchSource[] = [],
): Paging<Item> {
  const trail = ref<string[]>([]);
  if (filters.length > 0) watch(filters, () => (trail.value = []), { flush: "sync" });
  const load = useLoad(() => read(trail.value.at(-1)), [...filters, trail]);
  const items = computed(() => load.data.value?.items ?? []);
  // While a page cannot be loaded, the data is still that of another one: what comes next is not known.
  const next = computed(() => (load.state.value === "ready" ? load.data.value?.next : null));

  function goNext(): void {
    if (next.value) trail.value = [...trail.value, next.value];
  }

  return {
    load,
    items,
    page: computed(() => trail.value.length + 1),
    hasNext: computed(() => Boolean(next.value)),
    hasPrevious: computed(() => trail.value.length > 0),
    goNext,
    goPrevious: () => (trail.value = trail.value.slice(0, -1)),
  };
}

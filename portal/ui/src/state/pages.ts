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

  function goNext(): void {
    const next = load.data.value?.next;
    if (next) trail.value = [...trail.value, next];
  }

  return {
    load,
    items,
    page: computed(() => trail.value.length + 1),
    hasNext: computed(() => Boolean(load.data.value?.next)),
    hasPrevious: computed(() => trail.value.length > 0),
    goNext,
    goPrevious: () => (trail.value = trail.value.slice(0, -1)),
  };
}

// Filters live in the address, so that a link, the back button and a reload show the same list.
import { computed, reactive, watch, type ComputedRef } from "vue";
import { useRoute, useRouter, type LocationQueryRaw } from "vue-router";

type Filters = Record<string, string>;

/**
 * Mirrors `defaults` in the query of the address: a value that equals its default is left out.
 *
 * Values are strings; "" stands for "no filter". Changing one replaces the address, it adds no history.
 */
export function useQueryFilters<F extends Filters>(defaults: F): F {
  const route = useRoute();
  const router = useRouter();
  const home = route.name;
  const filters = reactive({ ...defaults }) as F;

  function take(): void {
    for (const name of Object.keys(defaults) as (keyof F & string)[]) {
      const found = route.query[name];
      const value = typeof found === "string" ? found : defaults[name];
      if (filters[name] !== value) filters[name] = value as F[typeof name];
    }
  }

  take();
  watch(
    () => route.query,
    () => {
      if (route.name === home) take();
    },
  );
  watch(filters, () => {
    const query: LocationQueryRaw = { ...route.query };
    for (const [name, value] of Object.entries(filters)) {
      if (value === defaults[name]) delete query[name];
      else query[name] = value;
    }
    if (route.name === home) void router.replace({ query });
  });
  return filters;
}

export interface ListFilters<F> {
  filters: F;
  /** Whether any filter differs from its default. */
  narrowed: ComputedRef<boolean>;
  reset: () => void;
}

/** Filters in the address, whether they leave anything out, and the way back to everything. */
export function useListFilters<F extends Filters>(defaults: F): ListFilters<F> {
  const filters = useQueryFilters(defaults);
  return {
    filters,
    narrowed: computed(() => Object.entries(filters).some(([name, value]) => value !== defaults[name])),
    reset: () => void Object.assign(filters, defaults),
  };
}

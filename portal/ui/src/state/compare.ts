// Products chosen to be compared, for this tab.
import { computed, ref, watch } from "vue";

export const COMPARE_MIN = 2;
export const COMPARE_MAX = 4;

export interface Compared {
  product_id: string;
  name: string;
}

const KEY = "zhecai.compare";

function read(): Compared[] {
  try {
    const kept: unknown = JSON.parse(sessionStorage.getItem(KEY) ?? "[]");
    return Array.isArray(kept) ? (kept as Compared[]).slice(0, COMPARE_MAX) : [];
  } catch {
    return [];
  }
}

const chosen = ref<Compared[]>(read());
watch(chosen, (now) => sessionStorage.setItem(KEY, JSON.stringify(now)));

function has(productId: string): boolean {
  return chosen.value.some((one) => one.product_id === productId);
}

function toggle(product: Compared): void {
  const { product_id, name } = product;
  if (has(product_id)) chosen.value = chosen.value.filter((one) => one.product_id !== product_id);
  else if (chosen.value.length < COMPARE_MAX) chosen.value = [...chosen.value, { product_id, name }];
}

function clear(): void {
  chosen.value = [];
}

export const compared = { chosen, isFull: computed(() => chosen.value.length >= COMPARE_MAX), has, toggle, clear };

// The cart (采购车) of one account, kept in this browser until it is ordered. Prices are those that were seen: the
// service refuses an order whose price has changed, and the preview says so before.
import { computed, ref, watch } from "vue";

import { session } from "./session.ts";

export interface CartLine {
  offer_id: string;
  product_id: string;
  name: string;
  brand: string;
  model: string;
  category_code: string;
  picture?: string | null;
  unit: string;
  supplier_id: string;
  supplier_name: string;
  price_fen: number;
  quantity: number;
  chosen: boolean;
}

export const QUANTITY_MAX = 1_000_000;
const LINES_MAX = 100;
const storageKey = computed(() => `zhecai.cart.${session.actor.value?.user_id ?? "public"}`);
const lines = ref<CartLine[]>([]);

function isLine(value: unknown): value is CartLine {
  const line = value as Partial<CartLine> | null;
  return typeof line?.offer_id === "string" && Number.isSafeInteger(line.quantity) && Number.isSafeInteger(line.price_fen);
}

function read(): CartLine[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(storageKey.value) ?? "[]");
    return Array.isArray(kept) ? kept.filter(isLine) : [];
  } catch {
    return [];
  }
}

/** Adds to what is there already; tells whether there was room. */
function add(line: Omit<CartLine, "chosen">): boolean {
  const found = lines.value.find((one) => one.offer_id === line.offer_id);
  if (found) {
    found.quantity = Math.min(QUANTITY_MAX, found.quantity + line.quantity);
    found.price_fen = line.price_fen;
    found.chosen = true;
    return true;
  }
  if (lines.value.length >= LINES_MAX) return false;
  lines.value.push({ ...line, chosen: true });
  return true;
}

function remove(offerIds: readonly string[]): void {
  lines.value = lines.value.filter((line) => !offerIds.includes(line.offer_id));
}

watch(storageKey, () => (lines.value = read()), { immediate: true });
watch(lines, (now) => localStorage.setItem(storageKey.value, JSON.stringify(now)), { deep: true });
window.addEventListener("storage", (event) => {
  if (event.key === storageKey.value) lines.value = read();
});

export const cart = { lines, count: computed(() => lines.value.length), add, remove };

// From the cart to orders: what is chosen, what the service says about it, and placing it once.
import { computed, onScopeDispose, reactive, ref, shallowRef, watch } from "vue";

import { answer, api } from "../../api/client.ts";
import { Submission } from "../../api/submission.ts";
import type { PlacedOrders, Preview } from "../../api/types.ts";
import { cart } from "../../state/cart.ts";
import { problemText } from "../../state/problem.ts";
import { session } from "../../state/session.ts";

const PREVIEW_AFTER_MS = 350;
const PHONE = /^[0-9+() -]{5,30}$/;
const DELIVERY_KEY = "zhecai.delivery";

export interface Delivery {
  budget_line_id: string;
  region: string;
  address: string;
  contact: string;
  phone: string;
  note: string;
}

/** Where this account had things sent last time, in this browser. */
function lastDelivery(): Partial<Delivery> {
  try {
    return JSON.parse(localStorage.getItem(`${DELIVERY_KEY}.${session.actor.value?.user_id}`) ?? "{}") as Delivery;
  } catch {
    return {};
  }
}

function keepDelivery({ region, address, contact, phone }: Delivery): void {
  const kept = JSON.stringify({ region, address, contact, phone });
  localStorage.setItem(`${DELIVERY_KEY}.${session.actor.value?.user_id}`, kept);
}

export function useCheckout() {
  const delivery = reactive<Delivery>({
    budget_line_id: "",
    region: session.actor.value?.region ?? "",
    address: "",
    contact: session.actor.value?.name ?? "",
    phone: "",
    ...lastDelivery(),
    note: "",
  });
  const chosen = computed(() => cart.lines.value.filter((line) => line.chosen));
  const wanted = computed(() =>
    chosen.value.map(({ offer_id, quantity, price_fen }) => ({ offer_id, quantity, price_fen })),
  );
  const preview = shallowRef<Preview>();
  const previewProblem = ref("");
  const checking = ref(false);
  const lacks = computed(() => ({
    budget_line_id: !delivery.budget_line_id,
    region: !delivery.region,
    address: !delivery.address.trim(),
    contact: !delivery.contact.trim(),
    phone: !PHONE.test(delivery.phone.trim()),
  }));
  const complete = computed(() => !Object.values(lacks.value).some(Boolean));
  const submission = new Submission();
  let latest = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;

  async function look(): Promise<void> {
    const mine = (latest += 1);
    if (wanted.value.length === 0) {
      preview.value = undefined;
      checking.value = false;
      return;
    }
    const { budget_line_id, region } = delivery;
    const body = { lines: wanted.value, budget_line_id: budget_line_id || null, region: region || null };
    try {
      const found = await answer(api.POST("/api/orders/preview", { body }));
      if (mine !== latest) return;
      preview.value = found;
      previewProblem.value = "";
    } catch (thrown) {
      if (mine === latest) previewProblem.value = problemText(thrown);
    } finally {
      if (mine === latest) checking.value = false;
    }
  }

  watch(
    () => JSON.stringify([wanted.value, delivery.budget_line_id, delivery.region]),
    () => {
      checking.value = true;
      clearTimeout(timer);
      timer = setTimeout(() => void look(), PREVIEW_AFTER_MS);
    },
    { immediate: true },
  );
  onScopeDispose(() => clearTimeout(timer));

  /** The orders that reach the organisation's limit: they wait for an approver. */
  const waiting = computed(() => {
    const from = preview.value?.approval_from_fen;
    return typeof from === "number" ? (preview.value?.orders ?? []).filter((order) => order.total_fen >= from) : [];
  });

  /** Places what is chosen; the same key goes with the same cart until the service has answered. */
  async function place(): Promise<PlacedOrders> {
    const { budget_line_id, region, address, contact, phone, note } = delivery;
    const body = {
      ...{ budget_line_id, region, address: address.trim(), contact: contact.trim(), phone: phone.trim(), note },
      lines: wanted.value,
    };
    const offerIds = wanted.value.map((line) => line.offer_id);
    const placed = await submission.send(body, (header) =>
      answer(api.POST("/api/orders", { params: { header }, body })),
    );
    keepDelivery(delivery);
    cart.remove(offerIds);
    return placed;
  }

  return { delivery, chosen, preview, waiting, previewProblem, checking, lacks, complete, look, place };
}

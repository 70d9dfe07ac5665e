// The start-auction form with what is around it: where it comes from, where it is kept, how it is sent.
import { computed, onBeforeUnmount, reactive, ref, watch, type ComputedRef, type Ref } from "vue";
import { useI18n } from "vue-i18n";
import { useRoute, useRouter, type LocationQueryValue } from "vue-router";

import { answer, api } from "../../../api/client.ts";
import { Submission } from "../../../api/submission.ts";
import { serverNow } from "../../../lib/time.ts";
import { cart } from "../../../state/cart.ts";
import { asApiError, useLoad, type Load } from "../../../state/load.ts";
import { noteDone, noteProblem } from "../../../state/notice.ts";
import { problemText } from "../../../state/problem.ts";
import { session } from "../../../state/session.ts";
import type { Agreement } from "../../../api/types.ts";
import { act, readAuction, saveDraft, validAgreements } from "../service.ts";
import { aForm, anItem, faultsOf, ITEMS_MAX, termsOf, type Fault, type ItemForm, type WizardForm } from "./form.ts";
import { formOf, keptForm, usualStart } from "./restore.ts";

const KEEP_MS = 600;
const CLOCK_MS = 10_000;

export interface Wizard {
  form: WizardForm;
  load: Load<boolean>;
  agreements: Load<readonly Agreement[]>;
  /** Who may bid, by name; null while that is not known. */
  admitted: ComputedRef<readonly string[] | null>;
  /** The draft is published already and cannot be edited. */
  locked: Ref<boolean>;
  faults: ComputedRef<Fault[]>;
  keptAt: Ref<number | null>;
  saving: Ref<boolean>;
  problem: Ref<string>;
  addProducts: (products: readonly { product_id: string; quantity: number }[]) => Promise<void>;
  save: () => Promise<string>;
  publish: () => Promise<boolean>;
  startOver: () => void;
}

function all(value: LocationQueryValue | LocationQueryValue[] | undefined): string[] {
  return [value ?? []].flat().filter((one): one is string => typeof one === "string");
}

/** The suppliers that a form lets bid; null while nothing is chosen or the agreements are not there. */
function admittedBy(form: WizardForm, agreements: readonly Agreement[] | undefined): readonly string[] | null {
  if (form.admission === "invited") return form.invited.map((one) => one.name);
  const agreement = agreements?.find((one) => one.agreement_id === form.agreement_id);
  if (!agreement) return null;
  const any = form.agreement_package === null;
  const packages = agreement.packages.filter((one) => any || one.number === form.agreement_package);
  const own = session.actor.value?.organisation_id;
  const suppliers = packages.flatMap((one) => one.suppliers).filter((one) => one.organisation_id !== own);
  return [...new Map(suppliers.map((one) => [one.organisation_id, one.name])).values()];
}

export function useWizard(): Wizard {
  const { t } = useI18n();
  const route = useRoute();
  const router = useRouter();
  const form = reactive<WizardForm>(aForm(usualStart(serverNow())));
  const draftId = ref(all(route.query.draft)[0] ?? "");
  const locked = ref(false);
  const keptAt = ref<number | null>(null);
  const saving = ref(false);
  const problem = ref("");
  const now = ref(serverNow());
  const saved = new Submission();
  const published = new Submission();
  const place = computed(() => `zhecai.auction.${session.actor.value?.user_id ?? ""}.${draftId.value || "new"}`);
  const agreements = useLoad(validAgreements);
  const admitted = computed(() => admittedBy(form, agreements.data.value));
  const faults = computed(() => faultsOf(form, now.value, admitted.value?.length ?? null));
  let keeping: ReturnType<typeof setTimeout> | undefined;
  let quiet = true;

  const clock = setInterval(() => (now.value = serverNow()), CLOCK_MS);
  onBeforeUnmount(() => {
    clearInterval(clock);
    clearTimeout(keeping);
  });

  async function fill(): Promise<boolean> {
    const start = usualStart(serverNow());
    if (draftId.value) {
      const detail = await readAuction(draftId.value);
      locked.value = detail.stage !== "draft" || !detail.hosting;
      Object.assign(form, formOf(detail.terms, detail.invited));
    }
    const kept = keptForm(localStorage.getItem(place.value), start);
    if (kept) {
      Object.assign(form, kept);
      keptAt.value = serverNow();
    }
    await addProducts(all(route.query.product).map((product_id) => ({ product_id, quantity: 1 })));
    if (route.query.from === "cart") await addProducts(cart.lines.value.filter((line) => line.chosen));
    if (route.query.product || route.query.from) {
      const { product: _product, from: _from, ...query } = route.query;
      await router.replace({ query });
    }
    quiet = false;
    return true;
  }

  async function described(product_id: string, quantity: number): Promise<ItemForm | null> {
    try {
      const found = await answer(api.GET("/api/products/{product_id}", { params: { path: { product_id } } }));
      const spec = [`${found.brand} ${found.model}`.trim(), found.description].filter(Boolean).join("\n");
      return anItem({ product_id, name: found.name, unit: found.unit, spec, quantity });
    } catch (error) {
      noteProblem(asApiError(error).status === 404 ? t("auctions.wizard.productGone") : problemText(error));
      return null;
    }
  }

  async function addProducts(products: readonly { product_id: string; quantity: number }[]): Promise<void> {
    const fresh = new Map<string, number>();
    for (const { product_id, quantity } of products) fresh.set(product_id, (fresh.get(product_id) ?? 0) + quantity);
    for (const item of form.items) if (item.product_id) fresh.delete(item.product_id);
    const items = await Promise.all([...fresh].map(([product_id, quantity]) => described(product_id, quantity)));
    const filled = form.items.filter((item) => item.product_id || item.name.trim() || item.spec.trim());
    const added = items.filter((item) => item !== null);
    if (added.length === 0) return;
    form.items = [...filled, ...added].slice(0, ITEMS_MAX);
    if (!form.title.trim()) form.title = added[0]?.name ?? "";
  }

  function forget(): void {
    clearTimeout(keeping);
    localStorage.removeItem(place.value);
    keptAt.value = null;
  }

  watch(form, () => {
    problem.value = "";
    if (quiet || locked.value) return;
    clearTimeout(keeping);
    keeping = setTimeout(() => {
      localStorage.setItem(place.value, JSON.stringify(form));
      keptAt.value = serverNow();
    }, KEEP_MS);
  });

  /** Writes the draft; "" when the service said no. */
  async function save(): Promise<string> {
    const terms = termsOf(form);
    saving.value = true;
    problem.value = "";
    try {
      const done = await saved.send(terms, (header) => saveDraft(draftId.value, terms, header));
      forget();
      if (!draftId.value) {
        draftId.value = done.auction_id;
        await router.replace({ query: { draft: done.auction_id } });
      }
      return done.auction_id;
    } catch (error) {
      problem.value = problemText(error);
      return "";
    } finally {
      saving.value = false;
    }
  }

  async function publish(): Promise<boolean> {
    const id = await save();
    if (!id) return false;
    saving.value = true;
    try {
      await published.send(id, (header) => act(id, "publish", "", header));
      noteDone(t("auctions.wizard.published"));
      await router.push({ name: "hall", params: { id } });
      return true;
    } catch (error) {
      problem.value = problemText(error);
      return false;
    } finally {
      saving.value = false;
    }
  }

  function startOver(): void {
    forget();
    quiet = true;
    Object.assign(form, aForm(usualStart(serverNow())));
    void load.reload();
  }

  const load = useLoad(fill);
  return { form, load, agreements, admitted, locked, faults, keptAt, saving, problem, addProducts, save, publish, startOver };
}

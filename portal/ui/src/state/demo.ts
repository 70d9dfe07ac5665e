// The accounts of a demonstration; a real installation has none and answers 404.
import { readonly, ref } from "vue";

import { answer, api } from "../api/client.ts";
import type { DemoAccount } from "../api/types.ts";

const accounts = ref<readonly DemoAccount[]>([]);

async function load(): Promise<void> {
  try {
    accounts.value = (await answer(api.GET("/api/demo-accounts"))).items;
  } catch {
    accounts.value = [];
  }
}

void load();
export const demoAccounts = readonly(accounts);

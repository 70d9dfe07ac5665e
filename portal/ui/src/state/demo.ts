// The accounts of a demonstration; a real installation has none and answers 404.
import { shallowReadonly, shallowRef } from "vue";

import { answer, api } from "../api/client.ts";
import type { DemoAccount } from "../api/types.ts";
import { session } from "./session.ts";

const accounts = shallowRef<readonly DemoAccount[]>([]);
let password = "";
let asked = false;

/** Asks for the accounts once, where somebody may choose one: a real installation should not see the question often. */
export async function loadDemoAccounts(): Promise<void> {
  if (asked) return;
  asked = true;
  try {
    const found = await answer(api.GET("/api/demo-accounts"));
    password = found.password;
    accounts.value = found.items;
  } catch {
    accounts.value = [];
  }
}

/** Logs in with a sample account. */
export function enterDemo(account: DemoAccount): Promise<void> {
  return session.login(account.login, password);
}

export const demoAccounts = shallowReadonly(accounts);

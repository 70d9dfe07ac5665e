// Who is logged in, and as which role the pages serve them.
import { computed, readonly, ref, shallowReadonly, shallowRef } from "vue";

import { answer, api, onLoggedOut } from "../api/client.ts";
import type { Actor } from "../api/types.ts";
import type { Proof } from "../signing/challenge.ts";

/** The roles that have menus of their own; whoever is not logged in is the public. */
export type Role =
  | "purchaser"
  | "approver"
  | "agency"
  | "supplier"
  | "signatory"
  | "expert"
  | "supervisor"
  | "auditor"
  | "operator"
  | "administrator"
  | "public";

const ROLE_KEY = "zhecai.role";
const actor = shallowRef<Actor | null>(null);
const chosen = ref<string | null>(localStorage.getItem(ROLE_KEY));
const expired = ref(false);
let started: Promise<void> | undefined;

const role = computed<Role>(() => {
  const roles = (actor.value?.roles ?? []) as Role[];
  return roles.find((one) => one === chosen.value) ?? roles[0] ?? "public";
});

async function load(): Promise<void> {
  const current = await answer(api.GET("/api/sessions/current"));
  actor.value = current.actor ?? null;
}

/** Asks once who is logged in; a failure leaves the visitor the public and may be tried again. */
function ready(): Promise<void> {
  started ??= load().catch(() => {
    started = undefined;
  });
  return started;
}

async function login(name: string, password: string): Promise<void> {
  const body = { login: name, password };
  const opened = await answer(api.POST("/api/sessions", { body }));
  actor.value = opened.actor;
  expired.value = false;
}

async function loginWithCertificate(proof: Proof): Promise<void> {
  const opened = await answer(api.POST("/api/session/certificate", { body: proof }));
  actor.value = opened.actor;
  expired.value = false;
}

async function logout(): Promise<void> {
  await answer(api.DELETE("/api/sessions/current"));
  actor.value = null;
}

function actAs(value: Role): void {
  chosen.value = value;
  localStorage.setItem(ROLE_KEY, value);
}

onLoggedOut(() => {
  expired.value = actor.value !== null;
  actor.value = null;
});

export const session = { actor: shallowReadonly(actor), role, expired: readonly(expired), ready, login, loginWithCertificate, logout, actAs };

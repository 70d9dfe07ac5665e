// Who is logged in, and as which role the pages serve them.
import { computed, readonly, ref, shallowReadonly, shallowRef } from "vue";

import { answer, api, onLoggedOut } from "../api/client.ts";
import type { Actor, Entered, SessionState } from "../api/types.ts";
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
/** What the session has shown; while it is pending nobody is logged in. */
const state = shallowRef<SessionState | null>(null);
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
  state.value = current.session ?? null;
}

/** Asks once who is logged in; a failure leaves the visitor the public and may be tried again. */
function ready(): Promise<void> {
  started ??= load().catch(() => {
    started = undefined;
  });
  return started;
}

/** Takes in a session that was opened, or that has shown more; one that is pending logs nobody in. */
function enter(entered: Entered): void {
  state.value = entered.session;
  if (entered.session.pending) {
    actor.value = null;
    return;
  }
  if (actor.value?.user_id !== entered.actor.user_id) actor.value = entered.actor;
  expired.value = false;
}

async function login(name: string, password: string): Promise<void> {
  const body = { login: name, password };
  enter(await answer(api.POST("/api/sessions", { body })));
}

async function loginWithCertificate(proof: Proof): Promise<void> {
  enter(await answer(api.POST("/api/session/certificate", { body: proof })));
}

async function logout(): Promise<void> {
  await answer(api.DELETE("/api/sessions/current"));
  actor.value = null;
  state.value = null;
}

function actAs(value: Role): void {
  chosen.value = value;
  localStorage.setItem(ROLE_KEY, value);
}

onLoggedOut(() => {
  expired.value = actor.value !== null;
  actor.value = null;
  state.value = null;
});

export const session = {
  actor: shallowReadonly(actor),
  state: shallowReadonly(state),
  role,
  expired: readonly(expired),
  ready,
  reload: load,
  enter,
  login,
  loginWithCertificate,
  logout,
  actAs,
};

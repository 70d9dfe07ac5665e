// The page that is on its way: its code is a chunk that has to be fetched, and the service may be out of reach meanwhile.
import { ref, shallowRef, watch } from "vue";
import { START_LOCATION, type RouteLocationNormalized, type Router } from "vue-router";

import { ApiError } from "../api/client.ts";
import { connection } from "./connection.ts";
import { asApiError, type LoadState } from "./load.ts";
import { noteProblem } from "./notice.ts";
import { problemText } from "./problem.ts";

const RELOADED_KEY = "zhecai.reloaded";
const CHUNK_FAILED = /dynamically imported module|Importing a module script|preload CSS/;
const state = ref<LoadState>("loading");
const busy = ref(true);
const error = shallowRef<ApiError>();

/** Opens the address anew; until a first page has come there is nothing to lose by it. */
function reload(): Promise<void> {
  window.location.reload();
  return Promise.resolve();
}

function noChunk(status: number): ApiError {
  return new ApiError({ type: "about:blank", title: "", status, detail: "" });
}

/**
 * A chunk that cannot be fetched: the service is away, which passes, or the chunk is gone because it belongs to an
 * older build, and the address is opened anew. Once: what then still fails is said.
 */
async function whyNoChunk(to: RouteLocationNormalized): Promise<ApiError | undefined> {
  if (!(await connection.isThere())) {
    connection.lost();
    return noChunk(0);
  }
  if (sessionStorage.getItem(RELOADED_KEY) === to.fullPath) return noChunk(-1);
  sessionStorage.setItem(RELOADED_KEY, to.fullPath);
  window.location.assign(to.fullPath);
  return undefined;
}

/** Follows a router: what it fetches, what came, what failed. Call once. */
export function followArrivals(router: Router): void {
  const nothingYet = (): boolean => router.currentRoute.value === START_LOCATION;

  router.beforeEach(() => {
    busy.value = true;
  });
  router.afterEach((_to, _from, failure) => {
    busy.value = false;
    if (failure) return;
    state.value = "ready";
    sessionStorage.removeItem(RELOADED_KEY);
  });
  router.onError(async (thrown: Error, to) => {
    const why = CHUNK_FAILED.test(thrown.message) ? await whyNoChunk(to) : asApiError(thrown);
    if (!why) return;
    busy.value = false;
    if (!nothingYet()) return noteProblem(problemText(why));
    error.value = why;
    state.value = "error";
  });
  watch(connection.isLost, (away) => {
    if (!away && nothingYet() && state.value === "error") void reload();
  });
}

/** The first page as something that loads; `busy` also while a later one is on its way. */
export const arrival = { data: shallowRef<unknown>(), state, error, busy, reload };

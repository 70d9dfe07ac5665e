// One typed client for the whole service. Every answer is data or an ApiError that a person can read.
import createClient, { type Middleware } from "openapi-fetch";

import { learnFromDateHeader } from "../lib/time.ts";
import { connection } from "../state/connection.ts";
import { noteWait } from "../state/notice.ts";
import type { paths } from "./schema";

/** A problem document (RFC 9457) as the service sends it; members beyond these depend on its type. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  reason?: string;
  [member: string]: unknown;
}

/** The service said no, or could not be reached at all (`status` 0). */
export class ApiError extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail || problem.title);
    this.name = "ApiError";
    this.problem = problem;
  }

  get status(): number {
    return this.problem.status;
  }
}

type Listener = () => void;
let whenLoggedOut: Listener = () => undefined;

/** Asks for what lacks; true when the request may be sent again. */
export type StepUp = (problem: Problem) => Promise<boolean>;
let whenMoreIsNeeded: StepUp = () => Promise.resolve(false);
let language = "zh";

/** Says what to do when the session has ended; the session state sets it once. */
export function onLoggedOut(listener: Listener): void {
  whenLoggedOut = listener;
}

/** Says how to ask for a further proof; the step-up state sets it once. */
export function onStepUp(ask: StepUp): void {
  whenMoreIsNeeded = ask;
}

/** A minute's budget of requests is spent: whatever page asked, the person is told how long to wait. */
async function tellToWait(response: Response): Promise<void> {
  const problem: unknown = await response.clone().json().catch(() => undefined);
  if (isProblem(problem) && typeof problem.budget === "string") noteWait(problem.detail, Number(problem.retry_after_s));
}

const STEP_UP = "/problems/step-up-needed";
const EXPIRED = "/problems/unauthenticated";
const copies = new WeakMap<Request, Request>();

/** Reads the problem of an answer that asks for a proof of who one is; a write that found nobody logged in does too. */
async function proofAsked(request: Request, response: Response): Promise<Problem | undefined> {
  if (response.status !== 403 && response.status !== 401) return undefined;
  const problem: unknown = await response.clone().json().catch(() => undefined);
  if (!isProblem(problem)) return undefined;
  const ended = problem.type === EXPIRED && request.method !== "GET" && !isAboutSessions(request);
  return problem.type === STEP_UP || ended ? problem : undefined;
}

function isAboutSessions(request: Request): boolean {
  return /^\/api\/(sessions?|certificates\/registrations)(\/|$)/.test(new URL(request.url).pathname);
}

/** Sets the language in which the service explains refusals. */
export function setApiLanguage(value: string): void {
  language = value;
}

const frame: Middleware = {
  onRequest({ request }) {
    request.headers.set("Accept-Language", language);
    copies.set(request, request.clone());
    return request;
  },
  async onResponse({ request, response }) {
    connection.restored();
    learnFromDateHeader(response.headers.get("Date"));
    const problem = await proofAsked(request, response);
    const again = copies.get(request);
    if (problem && again && (await whenMoreIsNeeded(problem))) return fetch(again);
    if (response.status === 429) await tellToWait(response);
    if (response.status === 401 && !isAboutSessions(request)) whenLoggedOut();
    return undefined;
  },
  onError() {
    connection.lost();
    return new ApiError({ type: "about:blank", title: "connection", status: 0, detail: "" });
  },
};

export const api = createClient<paths>({ baseUrl: window.location.origin });
api.use(frame);

interface Reply<Data> {
  data?: Data;
  error?: unknown;
  response: Response;
}

function isProblem(value: unknown): value is Problem {
  return typeof value === "object" && value !== null && "title" in value && "status" in value;
}

/** Unwraps a reply: its data, or an ApiError. */
export async function answer<Data>(reply: Promise<Reply<Data>>): Promise<Data> {
  const { data, error, response } = await reply;
  if (response.ok) return data as Data;
  if (isProblem(error)) throw new ApiError(error);
  throw new ApiError({ type: "about:blank", title: response.statusText, status: response.status, detail: "" });
}

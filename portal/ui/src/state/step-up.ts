// Asking for a further proof of who one is, in the middle of something: the form stays, the request is sent again.
import { shallowReadonly, shallowRef } from "vue";

import { onStepUp, type Problem } from "../api/client.ts";
import type { Method } from "../api/types.ts";
import { router } from "../router.ts";
import { session } from "./session.ts";

export interface Question {
  /** Ways to answer; `login` when the session has ended. */
  methods: readonly (Method | "login")[];
  /** The account that has to prove itself. */
  login: string;
  answered: (proven: boolean) => void;
}

const question = shallowRef<Question | null>(null);
let asking: Promise<boolean> | undefined;

function put(problem: Problem): Promise<boolean> {
  const login = session.actor.value?.login ?? "";
  const methods = problem.status === 401 ? (["login"] as const) : (problem.methods as Method[]);
  return new Promise((resolve) => {
    question.value = {
      methods,
      login,
      answered(proven) {
        question.value = null;
        asking = undefined;
        resolve(proven);
      },
    };
  });
}

/** Asks once, however many requests wait for the answer. */
async function ask(problem: Problem): Promise<boolean> {
  if (problem.status === 401 && !session.actor.value) return false;
  if (problem.enrol === true) {
    await router.push(problem.level === "certificate" ? { name: "certificates" } : { name: "security", query: { enrol: String(problem.level) } });
    return false;
  }
  asking ??= put(problem);
  return asking;
}

onStepUp(ask);

export const stepUp = { question: shallowReadonly(question) };

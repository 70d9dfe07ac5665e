// Writes that may be repeated safely: a key stays with one submission until the service has answered it.
import { ApiError } from "./client.ts";

/** Header parameters of a write. */
export interface KeyHeader {
  "Idempotency-Key": string;
}

/** Makes a key: 128 random bits, also where the page is not in a secure context. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Whether the service certainly did nothing or certainly did it, so that the next attempt is a new one. */
function isFinal(error: unknown): boolean {
  return error instanceof ApiError && error.status >= 400 && error.status < 500 && error.status !== 429;
}

/**
 * Remembers the key of one form or button.
 *
 * `send(body, write)` gives `write` the same key as before when the same body is sent again after a lost reply
 * or a busy service, so nothing is done twice; a changed body or a final answer starts a new key.
 */
export class Submission {
  #key = "";
  #content = "";

  async send<Result>(body: unknown, write: (header: KeyHeader) => Promise<Result>): Promise<Result> {
    const content = JSON.stringify(body ?? null);
    if (!this.#key || content !== this.#content) {
      this.#key = newKey();
      this.#content = content;
    }
    try {
      const result = await write({ "Idempotency-Key": this.#key });
      this.#key = "";
      return result;
    } catch (error) {
      if (isFinal(error)) this.#key = "";
      throw error;
    }
  }
}

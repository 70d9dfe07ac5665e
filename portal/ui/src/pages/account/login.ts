// Logging in without a password.
import { answer, api } from "../../api/client.ts";
import { showPasskey } from "../../api/passkey.ts";
import { session } from "../../state/session.ts";

/** Lets the browser offer the passkeys that it has for this site; the one that is chosen names its account. */
export async function loginByPasskey(): Promise<void> {
  const { options } = await answer(api.POST("/api/sessions/passkey/options"));
  const credential = await showPasskey(options);
  session.enter(await answer(api.POST("/api/sessions/passkey", { body: { credential } })));
}

// What a person is told when something they did has failed.
import { PasskeyAborted } from "../api/passkey.ts";
import { i18n } from "../i18n/index.ts";
import { asApiError } from "./load.ts";

/** The service's own words, or that it could not be reached; whoever breaks off at the passkey is told that too. */
export function problemText(thrown: unknown): string {
  const { t } = i18n.global;
  if (thrown instanceof PasskeyAborted) return t("account.passkeyAborted");
  const error = asApiError(thrown);
  return error.status === 0 ? t("common.lostTitle") : error.message || t("common.unknownProblem");
}

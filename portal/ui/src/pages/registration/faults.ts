// What the service says is wrong with a form, field by field.
import type { ApiError } from "../../api/client.ts";

interface Told {
  field: string;
  zh: string;
  en: string;
}

/** The faults of an answer by field, in the language of the pages; empty where it names none. */
export function toldFaults(error: ApiError, locale: string): Record<string, string> {
  const { faults, field, detail } = error.problem;
  if (Array.isArray(faults)) {
    return Object.fromEntries((faults as Told[]).map((one) => [one.field, locale === "zh" ? one.zh : one.en]));
  }
  return typeof field === "string" && error.status === 409 ? { [field]: detail } : {};
}

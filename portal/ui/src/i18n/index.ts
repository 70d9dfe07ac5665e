// Chinese is always there; English is loaded when somebody asks for it. The choice stays in this browser.
import { createI18n } from "vue-i18n";

import { setApiLanguage } from "../api/client.ts";
import zh from "./zh/index.ts";

export type Language = "zh" | "en";

const LANGUAGE_KEY = "zhecai.language";

export const i18n = createI18n({ legacy: false, locale: "zh", fallbackLocale: "zh", messages: { zh } });

function preferred(): Language {
  const kept = localStorage.getItem(LANGUAGE_KEY);
  if (kept === "zh" || kept === "en") return kept;
  return navigator.language.startsWith("zh") ? "zh" : "en";
}

/** Shows the pages in `language`, and asks the service to explain itself in it. */
export async function setLanguage(language: Language): Promise<void> {
  const { global } = i18n;
  if (language === "en" && !global.availableLocales.includes("en" as never)) {
    const messages = await import("./en/index.ts");
    global.setLocaleMessage("en" as never, messages.default as never);
  }
  global.locale.value = language as never;
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  setApiLanguage(language);
  localStorage.setItem(LANGUAGE_KEY, language);
}

/** Applies the kept choice, else the browser's; called once before the first page shows. */
export function startLanguage(): Promise<void> {
  return setLanguage(preferred());
}

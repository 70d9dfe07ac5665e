// What review would otherwise have to look for: messages in both languages, no static styles, no `any`, short files.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import en from "../src/i18n/en/index.ts";
import zh from "../src/i18n/zh/index.ts";

const LINES_MAX = 300;
const SRC = new URL("../src/", import.meta.url).pathname;
const GENERATED = join("api", "schema.d.ts");

interface Messages {
  [name: string]: string | Messages;
}

function keysOf(messages: Messages, above = ""): string[] {
  return Object.entries(messages).flatMap(([name, value]) =>
    typeof value === "string" ? [above + name] : keysOf(value, `${above}${name}.`),
  );
}

const names = readdirSync(SRC, { recursive: true, encoding: "utf8" })
  .filter((name) => /\.(vue|ts)$/.test(name) && !name.endsWith(GENERATED))
  .sort();
const sources = names.map((name) => ({ name, text: readFileSync(join(SRC, name), "utf8") }));

test("both languages have the same messages", () => {
  assert.deepEqual(keysOf(en as Messages).sort(), keysOf(zh as Messages).sort());
});

test("a message takes the same values in both languages", () => {
  const taken = (messages: Messages, key: string) => {
    const text = key.split(".").reduce<string | Messages>((at, name) => (at as Messages)[name] ?? "", messages);
    return [...String(text).matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort();
  };
  for (const key of keysOf(zh as Messages)) {
    assert.deepEqual(taken(en as Messages, key), taken(zh as Messages, key), key);
  }
});

test("every message that a page names exists", () => {
  const known = new Set(keysOf(zh as Messages));
  for (const { name, text } of sources) {
    for (const [, key] of text.matchAll(/\bt\(\s*"([\w.]+)"/g)) assert.ok(known.has(key as string), `${name}: ${key}`);
  }
});

test("every message is shown somewhere", () => {
  const pages = sources.filter(({ name }) => !name.includes("i18n")).map(({ text }) => text);
  const code = pages.join("\n");
  const made = [...code.matchAll(/`([\w.]+\.)\w*\$\{/g)].map((match) => match[1] as string);
  const isNamed = (key: string) => code.includes(`"${key}"`) || code.includes(`'${key}'`);
  const unused = keysOf(zh as Messages).filter(
    (key) => !isNamed(key) && !made.some((prefix) => key.startsWith(prefix)),
  );
  assert.deepEqual(unused, []);
});

test("no template has a static style, which the content policy would strip", () => {
  for (const { name, text } of sources) assert.doesNotMatch(text, /\sstyle="/, name);
});

test("no source says any, ignores the type checker or is too long to read in one sitting", () => {
  for (const { name, text } of sources) {
    assert.doesNotMatch(text, /:\s*any\b|as any\b|<any>|@ts-ignore|@ts-expect-error/, name);
    assert.ok(text.split("\n").length <= LINES_MAX, `${name} has more than ${LINES_MAX} lines`);
  }
});

test("texts for people stand in the messages, not in the pages", () => {
  for (const { name, text } of sources) {
    if (name.includes("i18n") || !name.endsWith(".vue")) continue;
    const template = text.slice(text.indexOf("<template>")).replaceAll(/<!--[\s\S]*?-->/g, "");
    assert.doesNotMatch(template, /[\u4e00-\u9fff]/, name);
  }
});

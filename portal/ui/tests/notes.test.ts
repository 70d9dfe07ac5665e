import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { NoteError, hex, leafHash, readKey, readNote, sha256, unhex, verifyConsistency, verifyInclusion, verifyNote } from "../src/lib/notes.ts";
import type { Bytes } from "../src/lib/notes.ts";
import { checkLeaf, checkLog, checkReceipt, isGood } from "../src/pages/log/checks.ts";

const FILE = readFileSync(new URL("receipt.json", import.meta.url), "utf8");
const RECEIPT = JSON.parse(FILE) as { receipt: string; proof: string; keys: { log: string; receipts: string } };
const WITNESS = "witness.example/w1+ea2ad007+BNYvAWoe/R5P33k+tCzYRHHhup8M8E0Sh7XMcfYWKHy4";
const SITE = { keys: [RECEIPT.keys.log], receipt_keys: [RECEIPT.keys.receipts], witnesses: [{ key: WITNESS }] };
const CHECKPOINT = RECEIPT.proof.slice(RECEIPT.proof.indexOf("\n\n") + 2);

function outcomes(result: { steps: { name: string; outcome: string }[] }): string {
  return result.steps.map(({ name, outcome }) => `${name}:${outcome}`).join(" ");
}

test("the first implementation's note is good, and not with a letter changed", async () => {
  const key = await readKey("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW");
  const note =
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n" +
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
  assert.equal(await verifyNote(readNote(note), key), null);
  await assert.rejects(verifyNote(readNote(note.replace("think", "thank")), key), NoteError);
  await assert.rejects(readKey("PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"), NoteError);
});

test("a receipt that Python made is good in every step", async () => {
  const result = await checkReceipt(FILE, SITE);
  assert.equal(
    outcomes(result),
    "readable:good keys:good statement:good checkpoint:good included:good together:good witnesses:good stamp:noted",
  );
  assert.equal(result.statement?.kind, "order.accepted");
  assert.equal(result.checkpoint?.size, 13);
});

const TAMPERED: [string, (receipt: typeof RECEIPT) => void, string][] = [
  ["the statement", (r) => (r.receipt = r.receipt.replace("order.accepted", "order.refused")), "statement"],
  ["the checkpoint", (r) => (r.proof = r.proof.replace("\n13\n", "\n14\n")), "checkpoint"],
  ["a hash of the proof", (r) => (r.proof = r.proof.replace(/index 6\n..../, "index 6\nAAAA")), "included"],
  ["the index", (r) => (r.proof = r.proof.replace("index 6", "index 7")), "together"],
  ["the log's key", (r) => (r.keys.log = r.keys.receipts), "keys"],
  ["the receipt's key", (r) => (r.keys.receipts = r.keys.log), "keys"],
];
for (const [what, tamper, failing] of TAMPERED) {
  test(`${what} cannot be changed`, async () => {
    const receipt = structuredClone(RECEIPT);
    tamper(receipt);
    const result = await checkReceipt(JSON.stringify({ ...JSON.parse(FILE), ...receipt }), SITE);
    assert.equal(isGood(result), false);
    assert.ok(outcomes(result).endsWith(`${failing}:bad`), outcomes(result));
  });
}

test("what is no receipt is told so", async () => {
  for (const text of ["", "{}", "null", "[1]", '{"form":"zhecai/receipt/2"}']) {
    assert.equal(outcomes(await checkReceipt(text, SITE)), "readable:bad", text);
  }
});

test("a hash is proved by the file that leads from it, and another is not", async () => {
  const leaf = "11".repeat(32);
  const salted = hex(await sha256(new TextEncoder().encode("zhecai/commitment/1"), unhex("22".repeat(32)), unhex(leaf)));
  assert.ok(isGood(await checkLeaf(salted, RECEIPT.proof, SITE)));
  assert.equal(isGood(await checkLeaf(leaf, RECEIPT.proof, SITE)), false);
});

async function root(leaves: Bytes[]): Promise<Bytes> {
  const [only] = leaves;
  if (leaves.length === 1 && only) return only;
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return sha256(Uint8Array.of(1), await root(leaves.slice(0, split)), await root(leaves.slice(split)));
}

async function inclusion(leaves: Bytes[], index: number): Promise<Bytes[]> {
  if (leaves.length === 1) return [];
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  const [left, right] = [leaves.slice(0, split), leaves.slice(split)];
  return index < split
    ? [...(await inclusion(left, index)), await root(right)]
    : [...(await inclusion(right, index - split)), await root(left)];
}

async function consistency(leaves: Bytes[], old: number, whole = true): Promise<Bytes[]> {
  if (old === leaves.length) return whole ? [] : [await root(leaves)];
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  const [left, right] = [leaves.slice(0, split), leaves.slice(split)];
  return old <= split
    ? [...(await consistency(left, old, whole)), await root(right)]
    : [...(await consistency(right, old - split, false)), await root(left)];
}

test("proofs hold for every index and every older size below 18, and for no other", async () => {
  const leaves = await Promise.all(Array.from({ length: 18 }, (_, index) => leafHash(Uint8Array.of(index))));
  const trees = await Promise.all(
    leaves.map(async (_, index) => ({ origin: "o", size: index + 1, root: await root(leaves.slice(0, index + 1)) })),
  );
  for (const tree of trees) {
    for (let index = 0; index < tree.size; index += 1) {
      const proof = await inclusion(leaves.slice(0, tree.size), index);
      await verifyInclusion(leaves[index] as Bytes, index, tree, proof);
      await assert.rejects(verifyInclusion(leaves[index] as Bytes, (index + 1) % 18, { ...tree, size: 18 }, [...proof, tree.root]), NoteError);
      const old = trees[index] as (typeof trees)[number];
      const path = await consistency(leaves.slice(0, tree.size), old.size);
      await verifyConsistency(old, tree, path);
      await assert.rejects(verifyConsistency({ ...old, root: leaves[0] as Bytes, size: old.size || 1 }, { ...tree, root: leaves[1] as Bytes }, path), NoteError);
      if (old.size < tree.size) await assert.rejects(verifyConsistency(tree, old, path), NoteError);
    }
  }
});

test("the log's present checkpoint must continue the one that was remembered", async () => {
  const none = async () => [];
  const key = RECEIPT.keys.log;
  assert.ok(isGood(await checkLog(CHECKPOINT, SITE, null, none)));
  assert.equal(outcomes(await checkLog(CHECKPOINT, SITE, { key, note: CHECKPOINT }, none)), "checkpoint:good keys:good continues:good witnesses:good");
  const other = CHECKPOINT.replace("\n13\n", "\n12\n");
  assert.ok(outcomes(await checkLog(CHECKPOINT, SITE, { key, note: other }, none)).endsWith("continues:bad"));
  assert.ok(outcomes(await checkLog(CHECKPOINT, SITE, { key: WITNESS, note: CHECKPOINT }, none)).endsWith("keys:bad"));
});

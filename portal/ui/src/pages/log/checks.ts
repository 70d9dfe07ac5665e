// What is checked of a receipt, of a hash and of the log, step by step; each step is shown with its verdict.
import {
  NoteError,
  hex,
  leafHash,
  readCheckpoint,
  readKey,
  readNote,
  readProofFile,
  sha256,
  unhex,
  verifyConsistency,
  verifyInclusion,
  verifyNote,
  type Bytes,
  type Checkpoint,
  type Note,
} from "../../lib/notes.ts";

export type StepName =
  | "readable"
  | "keys"
  | "statement"
  | "checkpoint"
  | "included"
  | "together"
  | "witnesses"
  | "stamp"
  | "continues";
export type Outcome = "good" | "bad" | "noted";

export interface Step {
  name: StepName;
  outcome: Outcome;
  /** What could not be checked, in the words of whoever found it; or a number to show. */
  detail: string;
}

export interface Statement {
  origin: string;
  number: number;
  stream: string;
  version: number;
  kind: string;
  at: string;
  leaf: string;
  salt: string | null;
  issued_at: string;
}

export interface Site {
  keys: readonly string[];
  receipt_keys: readonly string[];
  witnesses: readonly { key: string }[];
}

export interface Result {
  steps: Step[];
  statement?: Statement;
  checkpoint?: Checkpoint;
}

interface Receipt {
  form: string;
  receipt: string;
  proof: string;
  keys: { log: string; receipts: string };
  token: string | null;
}

const FORM = "zhecai/receipt/1";
const COMMITMENT = new TextEncoder().encode("zhecai/commitment/1");

/** Runs a step: what it throws is its verdict, and the steps behind it are not run. */
async function step<Found>(steps: Step[], name: StepName, check: () => Found | Promise<Found>): Promise<Found> {
  try {
    const found = await check();
    steps.push({ name, outcome: "good", detail: "" });
    return found;
  } catch (error) {
    steps.push({ name, outcome: "bad", detail: error instanceof Error ? error.message : String(error) });
    throw error;
  }
}

export const isGood = (result: Result): boolean => result.steps.every(({ outcome }) => outcome !== "bad");

function readReceipt(text: string): Receipt {
  let found: Partial<Receipt>;
  try {
    found = JSON.parse(text) as Partial<Receipt>;
  } catch {
    throw new NoteError("not JSON");
  }
  const { form, receipt, proof, keys } = found ?? {};
  if (form !== FORM || typeof receipt !== "string" || typeof proof !== "string" || !keys?.log || !keys.receipts) {
    throw new NoteError(`not of the form ${FORM}`);
  }
  return { form, receipt, proof, keys, token: found.token ?? null };
}

function readStatement(note: Note): Statement {
  const [form, json = ""] = note.text.split("\n");
  if (form !== FORM) throw new NoteError(`not of the form ${FORM}`);
  return JSON.parse(json) as Statement;
}

/** The leaf's data in the log: the entry's leaf, or the commitment to it. */
async function loggedData({ leaf, salt }: Statement): Promise<Bytes> {
  return salt === null ? unhex(leaf) : sha256(COMMITMENT, unhex(salt), unhex(leaf));
}

async function countWitnesses(steps: Step[], checkpoint: Note, site: Site): Promise<void> {
  let count = 0;
  for (const { key } of site.witnesses) {
    const witness = await readKey(key);
    if (!checkpoint.lines.some((line) => line.name === witness.name && line.id === witness.id)) continue;
    await step([], "witnesses", () => verifyNote(checkpoint, witness));
    count += 1;
  }
  steps.push({ name: "witnesses", outcome: count > 0 ? "good" : "noted", detail: String(count) });
}

/** Checks a receipt against the keys that this site publishes. */
export async function checkReceipt(text: string, site: Site): Promise<Result> {
  const result: Result = { steps: [] };
  const { steps } = result;
  try {
    const receipt = await step(steps, "readable", () => readReceipt(text));
    await step(steps, "keys", () => {
      if (site.keys.includes(receipt.keys.log) && site.receipt_keys.includes(receipt.keys.receipts)) return;
      throw new NoteError(receipt.keys.log);
    });
    const note = readNote(receipt.receipt);
    const statement = await step(steps, "statement", async () => {
      await verifyNote(note, await readKey(receipt.keys.receipts));
      return readStatement(note);
    });
    result.statement = statement;
    const file = readProofFile(receipt.proof);
    const signed = readNote(file.checkpoint);
    const log = await readKey(receipt.keys.log);
    const checkpoint = await step(steps, "checkpoint", async () => {
      await verifyNote(signed, log);
      return readCheckpoint(signed.text);
    });
    result.checkpoint = checkpoint;
    await step(steps, "included", async () =>
      verifyInclusion(await leafHash(await loggedData(statement)), statement.number, checkpoint, file.proof),
    );
    await step(steps, "together", () => {
      const one = statement.origin === checkpoint.origin && checkpoint.origin === log.name;
      if (!one || file.index !== statement.number) throw new NoteError("the parts are of different logs");
    });
    await countWitnesses(steps, signed, site);
    steps.push({ name: "stamp", outcome: "noted", detail: receipt.token ? "1" : "" });
  } catch (error) {
    if (steps.every(({ outcome }) => outcome !== "bad")) {
      steps.push({ name: "readable", outcome: "bad", detail: error instanceof Error ? error.message : String(error) });
    }
  }
  return result;
}

/** Checks the proof that the site gives for somebody's hash. */
export async function checkLeaf(leaf: string, proof: string, site: Site): Promise<Result> {
  const result: Result = { steps: [] };
  const { steps } = result;
  try {
    const file = await step(steps, "readable", () => readProofFile(proof));
    const signed = readNote(file.checkpoint);
    const checkpoint = await step(steps, "checkpoint", async () => {
      await verifyNote(signed, await readKey(site.keys[0] ?? ""));
      return readCheckpoint(signed.text);
    });
    result.checkpoint = checkpoint;
    await step(steps, "included", async () =>
      verifyInclusion(await leafHash(unhex(leaf)), file.index, checkpoint, file.proof),
    );
    await countWitnesses(steps, signed, site);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
  }
  return result;
}

/** The last checkpoint that this browser has checked, with the key it was signed by. */
export interface Remembered {
  key: string;
  note: string;
}

/** Checks the log's present checkpoint, and that it continues the one that this browser remembers. */
export async function checkLog(
  checkpoint: string,
  site: Site,
  remembered: Remembered | null,
  prove: (old: number, size: number) => Promise<readonly string[]>,
): Promise<Result> {
  const result: Result = { steps: [] };
  const { steps } = result;
  try {
    const signed = readNote(checkpoint);
    const key = site.keys[0] ?? "";
    const now = await step(steps, "checkpoint", async () => {
      await verifyNote(signed, await readKey(key));
      return readCheckpoint(signed.text);
    });
    result.checkpoint = now;
    if (remembered) {
      const before = readCheckpoint(readNote(remembered.note).text);
      await step(steps, "keys", () => {
        if (remembered.key !== key) throw new NoteError(remembered.key);
      });
      await step(steps, "continues", async () => {
        const [old, later] = before.size <= now.size ? [before, now] : [now, before];
        const proof = old.size === later.size ? [] : await prove(old.size, later.size);
        await verifyConsistency(before, now, proof.map(unhex));
      });
      const last = steps.at(-1);
      if (last) last.detail = String(before.size);
    }
    await countWitnesses(steps, signed, site);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
  }
  return result;
}

export const rootOf = (checkpoint: Checkpoint): string => hex(checkpoint.root);

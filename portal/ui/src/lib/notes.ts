// Signed notes and Merkle proofs, checked in the browser with nothing but WebCrypto (C2SP signed-note, RFC 9162).
// Whatever does not check throws a NoteError; there is no answer to overlook.

export type Bytes = Uint8Array<ArrayBuffer>;

export class NoteError extends Error {}

export interface NoteKey {
  name: string;
  /** Four bytes, in hexadecimal. */
  id: string;
  /** 1: signs texts; 4: cosigns checkpoints with a time. */
  kind: number;
  raw: Bytes;
}

export interface NoteLine {
  name: string;
  id: string;
  signature: Bytes;
}

export interface Note {
  text: string;
  lines: NoteLine[];
}

export interface Checkpoint {
  origin: string;
  size: number;
  root: Bytes;
}

const KEY_BYTES = 33;
const ID_BYTES = 4;
const HASH_BYTES = 32;
const TIME_BYTES = 8;
const COSIGNS = 4;
const ASCII = new TextEncoder();

export function unbase64(text: string): Bytes {
  try {
    return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  } catch {
    throw new NoteError("not base64");
  }
}

export function hex(bytes: Bytes): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function unhex(text: string): Bytes {
  if (!/^([0-9a-f]{2})*$/.test(text)) throw new NoteError("not hexadecimal");
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

export function joined(...parts: Bytes[]): Bytes {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export async function sha256(...parts: Bytes[]): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", joined(...parts)));
}

export const leafHash = (data: Bytes): Promise<Bytes> => sha256(Uint8Array.of(0), data);
const nodeHash = (left: Bytes, right: Bytes): Promise<Bytes> => sha256(Uint8Array.of(1), left, right);

/** Reads `name+id+key`; the id must be that of the key. */
export async function readKey(text: string): Promise<NoteKey> {
  const found = /^([^\s+]+)\+([0-9a-f]{8})\+(.+)$/.exec(text);
  if (!found) throw new NoteError("a key is written name+id+key");
  const [, name = "", id = "", material = ""] = found;
  const raw = unbase64(material);
  const kind = raw[0] ?? 0;
  const own = await sha256(ASCII.encode(`${name}\n`), raw);
  if (raw.length !== KEY_BYTES || hex(own.slice(0, ID_BYTES)) !== id) throw new NoteError("the key's id is not its own");
  return { name, id, kind, raw: raw.slice(1) };
}

export function readNote(whole: string): Note {
  const cut = whole.lastIndexOf("\n\n");
  if (cut < 0 || !whole.endsWith("\n")) throw new NoteError("the note has no signatures");
  const lines = whole.slice(cut + 2, -1).split("\n").map((line) => {
    const found = /^— ([^\s+]+) (\S+)$/.exec(line);
    if (!found) throw new NoteError("not a signature line");
    const raw = unbase64(found[2] ?? "");
    return { name: found[1] ?? "", id: hex(raw.slice(0, ID_BYTES)), signature: raw.slice(ID_BYTES) };
  });
  return { text: whole.slice(0, cut + 1), lines };
}

/** Checks the line by `key`; gives the time of a cosignature in seconds since 1970, else null. */
export async function verifyNote(note: Note, key: NoteKey): Promise<number | null> {
  const line = note.lines.find((one) => one.name === key.name && one.id === key.id);
  if (!line) throw new NoteError(`${key.name} has not signed`);
  let { signature } = line;
  let { text } = note;
  let time: number | null = null;
  if (key.kind === COSIGNS) {
    time = Number(new DataView(signature.buffer, signature.byteOffset, TIME_BYTES).getBigUint64(0));
    text = `cosignature/v1\ntime ${time}\n${text}`;
    signature = signature.slice(TIME_BYTES);
  }
  const imported = await crypto.subtle.importKey("raw", key.raw, "Ed25519", false, ["verify"]);
  const good = await crypto.subtle.verify("Ed25519", imported, signature, ASCII.encode(text));
  if (!good) throw new NoteError(`the signature by ${key.name} is wrong`);
  return time;
}

export function readCheckpoint(text: string): Checkpoint {
  const [origin = "", size = "", root = ""] = text.split("\n");
  const found = { origin, size: Number(size), root: unbase64(root) };
  if (!origin || !/^(0|[1-9]\d{0,15})$/.test(size) || found.root.length !== HASH_BYTES) {
    throw new NoteError("not a checkpoint");
  }
  return found;
}

export function readProofFile(file: string): { index: number; proof: Bytes[]; checkpoint: string } {
  const cut = file.indexOf("\n\n");
  const lines = file.slice(0, Math.max(cut, 0)).split("\n");
  if (lines.shift() !== "c2sp.org/tlog-proof@v1") throw new NoteError("not a proof file");
  if (lines[0]?.startsWith("extra ")) lines.shift();
  const index = /^index (0|[1-9]\d{0,15})$/.exec(lines.shift() ?? "");
  if (!index) throw new NoteError("the proof file names no index");
  return { index: Number(index[1]), proof: lines.map(unbase64), checkpoint: file.slice(cut + 2) };
}

const half = (value: number): number => Math.floor(value / 2);

/** Checks that the leaf is at `index` of the tree (RFC 9162, section 2.1.3.2). */
export async function verifyInclusion(leaf: Bytes, index: number, tree: Checkpoint, proof: Bytes[]): Promise<void> {
  let place = index;
  let last = tree.size - 1;
  let hash = leaf;
  if (index > last) throw new NoteError("the leaf is outside the tree");
  for (const sibling of proof) {
    if (last === 0) throw new NoteError("the proof has a hash too many");
    const right = place % 2 === 1 || place === last;
    hash = right ? await nodeHash(sibling, hash) : await nodeHash(hash, sibling);
    while (right && place % 2 === 0 && place > 0) [place, last] = [half(place), half(last)];
    [place, last] = [half(place), half(last)];
  }
  if (last !== 0 || hex(hash) !== hex(tree.root)) throw new NoteError("the proof leads to another root");
}

/** Checks that one tree begins with an older one (RFC 9162, section 2.1.4.2). */
export async function verifyConsistency(old: Checkpoint, tree: Checkpoint, proof: Bytes[]): Promise<void> {
  if (old.size > tree.size) throw new NoteError("the log has become shorter");
  if (old.size === tree.size || old.size === 0) {
    const same = old.size === 0 || hex(old.root) === hex(tree.root);
    if (!same || proof.length > 0) throw new NoteError("two trees of one size differ");
    return;
  }
  let place = old.size - 1;
  let last = tree.size - 1;
  while (place % 2 === 1) [place, last] = [half(place), half(last)];
  const path = place === 0 ? [old.root, ...proof] : proof;
  let first = path[0];
  let second = path[0];
  if (!first || !second || proof.length === 0) throw new NoteError("the proof has a hash too few");
  for (const hash of path.slice(1)) {
    if (last === 0) throw new NoteError("the proof has a hash too many");
    if (place % 2 === 1 || place === last) {
      first = await nodeHash(hash, first);
      second = await nodeHash(hash, second);
      while (place % 2 === 0 && place > 0) [place, last] = [half(place), half(last)];
    } else {
      second = await nodeHash(second, hash);
    }
    [place, last] = [half(place), half(last)];
  }
  if (last !== 0 || hex(first) !== hex(old.root) || hex(second) !== hex(tree.root)) {
    throw new NoteError("the newer tree does not begin with the older one");
  }
}

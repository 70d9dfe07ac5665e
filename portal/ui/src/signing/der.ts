// DER (X.690), as much of it as a certification request and a PKCS#12 file need.

export type Bytes = Uint8Array<ArrayBuffer>;

export const TAG = { integer: 0x02, bits: 0x03, octets: 0x04, oid: 0x06, utf8: 0x0c, printable: 0x13, sequence: 0x30, set: 0x31 } as const;

/** Puts byte strings one after another. */
export function concat(...parts: readonly Uint8Array[]): Bytes {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function lengthBytes(length: number): Uint8Array {
  if (length < 0x80) return Uint8Array.of(length);
  const digits: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) digits.unshift(rest % 256);
  return Uint8Array.of(0x80 | digits.length, ...digits);
}

/** One value: tag, length, contents. */
export function encode(tag: number, ...parts: readonly Uint8Array[]): Bytes {
  const contents = concat(...parts);
  return concat(Uint8Array.of(tag), lengthBytes(contents.length), contents);
}

/** A number of any length, most significant byte first, never negative. */
export function integer(bytes: Uint8Array): Bytes {
  let first = 0;
  while (first < bytes.length - 1 && bytes[first] === 0) first += 1;
  const digits = bytes.subarray(first);
  return encode(TAG.integer, (digits[0] ?? 0) & 0x80 ? concat(Uint8Array.of(0), digits) : digits);
}

/** An object identifier from its dotted form. */
export function oid(dotted: string): Bytes {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const bytes = [first * 40 + second];
  for (const arc of rest) {
    const digits = [arc % 128];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) digits.unshift(0x80 | left % 128);
    bytes.push(...digits);
  }
  return encode(TAG.oid, Uint8Array.from(bytes));
}

export function text(tag: number, value: string): Bytes {
  return encode(tag, new TextEncoder().encode(value));
}

/** A signature `r ‖ s`, as WebCrypto makes it, in the form that everybody else reads. */
export function ecdsaSignature(raw: Uint8Array): Bytes {
  const half = raw.length / 2;
  return encode(TAG.sequence, integer(raw.subarray(0, half)), integer(raw.subarray(half)));
}

/** Thrown for bytes that are not what they should be. */
export class DerError extends Error {}

/** A value that was read: its tag, what is in it, and all of it. */
export interface Value {
  tag: number;
  contents: Bytes;
  whole: Bytes;
}

const LENGTH_BYTES_MAX = 4;

/** Reads the values that stand one after another. */
export function decodeAll(bytes: Bytes): Value[] {
  const values: Value[] = [];
  for (let at = 0; at < bytes.length; ) {
    const value = decodeAt(bytes, at);
    values.push(value);
    at += value.whole.length;
  }
  return values;
}

/** Reads exactly one value. */
export function decode(bytes: Bytes): Value {
  const [value, ...more] = decodeAll(bytes);
  if (!value || more.length > 0) throw new DerError("one value expected");
  return value;
}

function decodeAt(bytes: Bytes, at: number): Value {
  const tag = bytes[at];
  let length = bytes[at + 1];
  let start = at + 2;
  if (tag === undefined || length === undefined) throw new DerError("cut off");
  if (length >= 0x80) {
    const count = length & 0x7f;
    if (count === 0 || count > LENGTH_BYTES_MAX) throw new DerError("length");
    length = 0;
    for (const digit of bytes.subarray(start, start + count)) length = length * 256 + digit;
    start += count;
  }
  if (start + length > bytes.length) throw new DerError("cut off");
  return { tag, contents: bytes.slice(start, start + length), whole: bytes.slice(at, start + length) };
}

/** The values inside a constructed one; fails unless its tag is as expected. */
export function inside(value: Value | undefined, tag: number): Value[] {
  if (value?.tag !== tag) throw new DerError(`tag ${tag} expected`);
  return decodeAll(value.contents);
}

/** Tells whether a value is the object identifier `dotted`. */
export function isOid(value: Value | undefined, dotted: string): boolean {
  const expected = oid(dotted);
  return value !== undefined && value.whole.length === expected.length && value.whole.every((byte, at) => byte === expected[at]);
}

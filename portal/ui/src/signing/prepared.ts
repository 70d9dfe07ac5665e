// What the service has prepared for a signature, checked to be over the file that the signer has read, before their key
// touches it.
import type { components } from "../api/schema";
import { DerError, TAG, concat, decode, inside, isOid, type Bytes } from "./der.ts";
import { fromBase64, sha256Hex, toBase64 } from "./signer.ts";

export type Prepared = Pick<components["schemas"]["PreparationOut"], "to_sign" | "before" | "tail" | "hole_start" | "hole_end">;

const MESSAGE_DIGEST = "1.2.840.113549.1.9.4";

/** Somebody else has signed: what was prepared is of another file than the one that was read. */
export class MovedOnError extends Error {}

/** What was prepared is not over the file that it names; nothing is signed. */
export class ForgedError extends Error {}

/** The document's digest among the attributes that are signed (RFC 5652, 11.2). */
function digestIn(attributes: Bytes): string {
  for (const attribute of inside(decode(attributes), TAG.set)) {
    const [type, values] = inside(attribute, TAG.sequence);
    if (!isOid(type, MESSAGE_DIGEST)) continue;
    const [digest] = inside(values, TAG.set);
    if (digest?.tag === TAG.octets) return toBase64(digest.contents);
  }
  throw new DerError("no digest");
}

/**
 * Checks that what is to be signed is the file that was read and what is appended to it. The hole, which no signature
 * covers, must lie in what is appended.
 */
export async function checkPrepared(file: Bytes, prepared: Prepared): Promise<void> {
  if ((await sha256Hex(file)) !== prepared.before) throw new MovedOnError();
  const whole = concat(file, fromBase64(prepared.tail));
  const { hole_start: start, hole_end: end } = prepared;
  if (start < file.length || end < start || end > whole.length) throw new ForgedError("hole");
  const covered = concat(whole.subarray(0, start), whole.subarray(end));
  const digest = toBase64(new Uint8Array(await crypto.subtle.digest("SHA-256", covered)));
  if (digestIn(fromBase64(prepared.to_sign)) !== digest) throw new ForgedError("digest");
}

// A certification request (PKCS#10, RFC 2986) for a key pair of this browser.
import { TAG, concat, ecdsaSignature, encode, oid, text, type Bytes } from "./der.ts";

/** Whom the certificate is for; the service writes the name from its register and checks that this agrees with it. */
export interface Subject {
  name: string;
  organisation: string;
  creditCode: string;
}

const ECDSA_SHA256 = "1.2.840.10045.4.3.2";
const ATTRIBUTES: readonly [keyof Subject | "country", string, number][] = [
  ["country", "2.5.4.6", TAG.printable],
  ["organisation", "2.5.4.10", TAG.utf8],
  ["creditCode", "2.5.4.97", TAG.utf8],
  ["name", "2.5.4.3", TAG.utf8],
];

export const P256 = { name: "ECDSA", namedCurve: "P-256" } as const;
const SIGNING = { name: "ECDSA", hash: "SHA-256" } as const;

function nameOf(subject: Subject): Bytes {
  const fields = { ...subject, creditCode: `NTRCN-${subject.creditCode}`, country: "CN" };
  const relative = ATTRIBUTES.map(([field, type, tag]) =>
    encode(TAG.set, encode(TAG.sequence, oid(type), text(tag, fields[field]))),
  );
  return encode(TAG.sequence, ...relative);
}

/** Makes a request that is signed with the key in it, which proves that the key is here. */
export async function requestFor(keys: CryptoKeyPair, subject: Subject): Promise<Bytes> {
  const spki = new Uint8Array(await crypto.subtle.exportKey("spki", keys.publicKey));
  const version = encode(TAG.integer, Uint8Array.of(0));
  const info = encode(TAG.sequence, version, nameOf(subject), spki, encode(0xa0));
  const raw = new Uint8Array(await crypto.subtle.sign(SIGNING, keys.privateKey, info));
  const signature = encode(TAG.bits, concat(Uint8Array.of(0), ecdsaSignature(raw)));
  return encode(TAG.sequence, info, encode(TAG.sequence, oid(ECDSA_SHA256)), signature);
}

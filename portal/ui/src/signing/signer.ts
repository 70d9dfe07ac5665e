// Whatever can sign for a person: a key of this browser, one from a PKCS#12 file, a token. All of them look like this.
import { concat, ecdsaSignature, type Bytes } from "./der.ts";

export interface Signer {
  /** The id that the service's registry gives to the algorithm. */
  readonly algorithm: string;
  /** The certificate, in DER. */
  readonly certificate: Bytes;
  /** What stands above it, as far as it came along. */
  readonly chain: readonly Bytes[];
  /** Signs a message; ECDSA signatures are DER. */
  sign(message: Bytes): Promise<Bytes>;
}

const ECDSA = { name: "ECDSA", hash: "SHA-256" } as const;
const RSA = { name: "RSASSA-PKCS1-v1_5" } as const;

/** A signer with a key that WebCrypto holds. */
export function webCryptoSigner(key: CryptoKey, certificate: Bytes, chain: readonly Bytes[] = []): Signer {
  const elliptic = key.algorithm.name === ECDSA.name;
  return {
    algorithm: elliptic ? "ecdsa-p256-sha256" : "rsa-pkcs1v15-sha256",
    certificate,
    chain,
    async sign(message) {
      const made = new Uint8Array(await crypto.subtle.sign(elliptic ? ECDSA : RSA, key, message));
      return elliptic ? ecdsaSignature(made) : made;
    },
  };
}

/**
 * Encodes what is signed: `purpose ‖ 0 ‖ u16 length ‖ algorithm ‖ (u32 length ‖ part)*`, the same bytes that the service
 * makes (`crypto/suites.py`, `bound`).
 */
export function bound(purpose: string, algorithm: string, ...parts: readonly string[]): Bytes {
  const utf8 = new TextEncoder();
  const pieces = [utf8.encode(`${purpose}\0`), bigEndian(algorithm.length, 2), utf8.encode(algorithm)];
  for (const part of parts.map((one) => utf8.encode(one))) pieces.push(bigEndian(part.length, 4), part);
  return concat(...pieces);
}

function bigEndian(value: number, width: number): Bytes {
  return Uint8Array.from({ length: width }, (_, at) => Math.floor(value / 256 ** (width - 1 - at)) % 256);
}

export function toBase64(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

export function fromBase64(value: string): Bytes {
  return Uint8Array.from(atob(value), (one) => one.charCodeAt(0));
}

export async function sha256Hex(bytes: Bytes): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

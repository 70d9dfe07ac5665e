// Keys of this browser, in IndexedDB. A private key is not extractable: pages can use it, and nobody can carry it away.
import { fromBase64, sha256Hex, toBase64, webCryptoSigner, type Signer } from "./signer.ts";
import type { Bytes } from "./der.ts";
import { P256 } from "./request.ts";

const DATABASE = "zhecai-keys";
const STORE = "keys";

/** A key, and its certificate once there is one. */
export interface StoredKey {
  /** The SHA-256 of the public key. */
  id: string;
  spki: string;
  privateKey: CryptoKey;
  certificate?: StoredCertificate;
}

export interface StoredCertificate {
  fingerprint: string;
  der: string;
  name: string;
  organisation: string;
  notAfter: string;
}

/** A key with its certificate: what somebody can log in with here. */
export type Usable = StoredKey & { certificate: StoredCertificate };

function opened(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const asked = indexedDB.open(DATABASE, 1);
    asked.onupgradeneeded = () => asked.result.createObjectStore(STORE, { keyPath: "id" });
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error ?? new Error("IndexedDB"));
  });
}

async function within<T>(mode: IDBTransactionMode, ask: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const database = await opened();
  try {
    return await new Promise<T>((resolve, reject) => {
      const transaction = database.transaction(STORE, mode);
      const asked = ask(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(asked.result);
      transaction.onabort = () => reject(transaction.error ?? new Error("IndexedDB"));
    });
  } finally {
    database.close();
  }
}

/** Tells whether this browser can make and keep keys here: only pages over HTTPS, or on this machine, may. */
export function canKeepKeys(): boolean {
  return window.isSecureContext && "subtle" in crypto && "indexedDB" in window;
}

/** Makes a key pair whose private key cannot leave the browser, and keeps it before anybody knows of it. */
export async function newKey(): Promise<{ stored: StoredKey; pair: CryptoKeyPair }> {
  const pair = await crypto.subtle.generateKey(P256, false, ["sign", "verify"]);
  const spki = new Uint8Array(await crypto.subtle.exportKey("spki", pair.publicKey));
  const stored = { id: await sha256Hex(spki), spki: toBase64(spki), privateKey: pair.privateKey };
  await within("readwrite", (store) => store.put(stored));
  return { stored, pair };
}

export async function keep(key: StoredKey): Promise<void> {
  await within("readwrite", (store) => store.put(key));
}

export async function forget(id: string): Promise<void> {
  await within("readwrite", (store) => store.delete(id));
}

async function allKeys(): Promise<StoredKey[]> {
  return within<StoredKey[]>("readonly", (store) => store.getAll());
}

/** The keys that have a certificate, those that end last first. */
export async function usableKeys(): Promise<Usable[]> {
  if (!canKeepKeys()) return [];
  const keys = (await allKeys()).filter((key): key is Usable => key.certificate !== undefined);
  return keys.sort((one, other) => other.certificate.notAfter.localeCompare(one.certificate.notAfter));
}

/** Gives a key its certificate when the answer to its request got lost on the way. */
export async function adopt(certificates: readonly (StoredCertificate & { usable: boolean })[]): Promise<void> {
  if (!canKeepKeys()) return;
  for (const key of (await allKeys()).filter((one) => one.certificate === undefined)) {
    const inner = latin1(fromBase64(key.spki));
    const found = certificates.find((one) => one.usable && latin1(fromBase64(one.der)).includes(inner));
    if (!found) continue;
    const { usable: _, ...certificate } = found;
    await keep({ ...key, certificate });
  }
}

export function signerOf(key: Usable): Signer {
  return webCryptoSigner(key.privateKey, fromBase64(key.certificate.der));
}

function latin1(bytes: Bytes): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}

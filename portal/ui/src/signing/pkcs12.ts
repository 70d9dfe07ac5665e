// PKCS#12 files (RFC 7292) with PBES2, PBKDF2-HMAC-SHA-256 and AES-256-CBC: what `zhecai ca` and OpenSSL 3 write.
import { DerError, TAG, concat, decode, inside, isOid, type Bytes, type Value } from "./der.ts";
import { webCryptoSigner, type Signer } from "./signer.ts";

const OID = {
  data: "1.2.840.113549.1.7.1",
  encrypted: "1.2.840.113549.1.7.6",
  shroudedKey: "1.2.840.113549.1.12.10.1.2",
  certificate: "1.2.840.113549.1.12.10.1.3",
  pbes2: "1.2.840.113549.1.5.13",
  pbkdf2: "1.2.840.113549.1.5.12",
  hmacSha256: "1.2.840.113549.2.9",
  aes256Cbc: "2.16.840.1.101.3.4.1.42",
  rsa: "1.2.840.113549.1.1.1",
  elliptic: "1.2.840.10045.2.1",
} as const;
const CONTEXT = 0xa0;
const IMPLICIT_OCTETS = 0x80;
const ITERATIONS_MAX = 10_000_000;
export const FILE_BYTES_MAX = 65_536;

/** Why a file cannot be used: `passphrase` it does not open, `form` it is something else. */
export class Pkcs12Error extends Error {
  readonly why: "passphrase" | "form";

  constructor(why: "passphrase" | "form") {
    super(why);
    this.why = why;
  }
}

function number(value: Value | undefined): number {
  if (value?.tag !== TAG.integer) throw new DerError("integer expected");
  return value.contents.reduce((total, digit) => total * 256 + digit, 0);
}

async function decrypted(algorithm: Value | undefined, sealed: Bytes, passphrase: string): Promise<Bytes> {
  const [scheme, parameters] = inside(algorithm, TAG.sequence);
  const [derivation, cipher] = inside(parameters, TAG.sequence);
  const [kdf, kdfParameters] = inside(derivation, TAG.sequence);
  const [cipherOid, iv] = inside(cipher, TAG.sequence);
  if (!isOid(scheme, OID.pbes2) || !isOid(kdf, OID.pbkdf2) || !isOid(cipherOid, OID.aes256Cbc)) throw new DerError("cipher");
  const [salt, iterations, ...rest] = inside(kdfParameters, TAG.sequence);
  const [prf] = inside(rest.find((one) => one.tag === TAG.sequence), TAG.sequence);
  const rounds = number(iterations);
  if (!isOid(prf, OID.hmacSha256) || rounds < 1 || rounds > ITERATIONS_MAX || !salt || !iv) throw new DerError("derivation");
  const secret = await crypto.subtle.importKey("raw", new TextEncoder().encode(passphrase), "PBKDF2", false, ["deriveKey"]);
  const how = { name: "PBKDF2", hash: "SHA-256", salt: salt.contents, iterations: rounds };
  const key = await crypto.subtle.deriveKey(how, secret, { name: "AES-CBC", length: 256 }, false, ["decrypt"]);
  try {
    return new Uint8Array(await crypto.subtle.decrypt({ name: "AES-CBC", iv: iv.contents }, key, sealed));
  } catch {
    throw new Pkcs12Error("passphrase");
  }
}

async function safeContents(info: Value, passphrase: string): Promise<Value[]> {
  const [type, explicit] = inside(info, TAG.sequence);
  const [content] = inside(explicit, CONTEXT);
  if (isOid(type, OID.data)) return inside(decode(octets(content)), TAG.sequence);
  if (!isOid(type, OID.encrypted)) throw new DerError("content");
  const [, encrypted] = inside(content, TAG.sequence);
  const [, algorithm, sealed] = inside(encrypted, TAG.sequence);
  return inside(decode(await decrypted(algorithm, octets(sealed), passphrase)), TAG.sequence);
}

function octets(value: Value | undefined): Bytes {
  if (value?.tag === TAG.octets || value?.tag === IMPLICIT_OCTETS) return value.contents;
  if (value?.tag === CONTEXT) return concat(...inside(value, CONTEXT).map((part) => part.contents));
  throw new DerError("octets expected");
}

/** The names in a certificate: whom it is for, and who issued it. */
function namesOf(certificate: Bytes): { subject: string; issuer: string } {
  const [body] = inside(decode(certificate), TAG.sequence);
  const fields = inside(body, TAG.sequence).filter((one) => one.tag !== CONTEXT);
  return { issuer: String(fields[2]?.whole), subject: String(fields[4]?.whole) };
}

async function importedKey(pkcs8: Bytes): Promise<CryptoKey> {
  const [, algorithm] = inside(decode(pkcs8), TAG.sequence);
  const [kind] = inside(algorithm, TAG.sequence);
  const how = isOid(kind, OID.elliptic)
    ? { name: "ECDSA", namedCurve: "P-256" }
    : isOid(kind, OID.rsa)
      ? { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" }
      : undefined;
  if (!how) throw new DerError("key");
  return crypto.subtle.importKey("pkcs8", pkcs8, how, false, ["sign"]);
}

async function read(file: Bytes, passphrase: string): Promise<Signer> {
  const [, authSafe] = inside(decode(file), TAG.sequence);
  const [, explicit] = inside(authSafe, TAG.sequence);
  const [safe] = inside(explicit, CONTEXT);
  const certificates: Bytes[] = [];
  let key: CryptoKey | undefined;
  for (const info of inside(decode(octets(safe)), TAG.sequence)) {
    for (const bag of await safeContents(info, passphrase)) {
      const [type, holder] = inside(bag, TAG.sequence);
      const [value] = inside(holder, CONTEXT);
      if (isOid(type, OID.shroudedKey)) {
        const [algorithm, sealed] = inside(value, TAG.sequence);
        key = await importedKey(await decrypted(algorithm, octets(sealed), passphrase));
      } else if (isOid(type, OID.certificate)) {
        const [, wrapped] = inside(value, TAG.sequence);
        certificates.push(octets(inside(wrapped, CONTEXT)[0]));
      }
    }
  }
  const issuers = new Set(certificates.map((one) => namesOf(one).issuer));
  const own = certificates.find((one) => !issuers.has(namesOf(one).subject)) ?? certificates[0];
  if (!key || !own) throw new DerError("a key and its certificate expected");
  return webCryptoSigner(key, own, certificates.filter((one) => one !== own));
}

/** Opens a file; its key stays in this page's memory and cannot be taken out of it. */
export async function openPkcs12(file: Bytes, passphrase: string): Promise<Signer> {
  if (file.length > FILE_BYTES_MAX) throw new Pkcs12Error("form");
  try {
    return await read(file, passphrase);
  } catch (error) {
    if (error instanceof Pkcs12Error) throw error;
    throw new Pkcs12Error("form");
  }
}

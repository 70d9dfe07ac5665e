// What is signed and how it is encoded, against figures from elsewhere.
import assert from "node:assert/strict";
import { test } from "node:test";

import { TAG, decode, DerError, ecdsaSignature, encode, inside, integer, isOid, oid, text } from "../src/signing/der.ts";
import { Pkcs12Error, openPkcs12 } from "../src/signing/pkcs12.ts";
import { checkPrepared, ForgedError, MovedOnError } from "../src/signing/prepared.ts";
import { P256, requestFor } from "../src/signing/request.ts";
import { bound, fromBase64, sha256Hex, toBase64 } from "../src/signing/signer.ts";

const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

test("the message is what the service makes", () => {
  // The same figures stand in tests/registries/challenges/test_rules.py.
  const parts = ["login", "https://a", "02", "2026-11-23T01:00:00.000000Z", "01", ""];
  assert.equal(
    hex(bound("zhecai-auth/v1", "ecdsa-p256-sha256", ...parts)),
    "7a68656361692d617574682f763100001165636473612d703235362d736861323536" +
      "000000056c6f67696e0000000968747470733a2f2f61000000023032" +
      "0000001b323032362d31312d32335430313a30303a30302e3030303030305a0000000230310000" +
      "0000",
  );
});

test("lengths are written in the shortest form", () => {
  for (const [length, head] of [
    [127, "047f"],
    [128, "048180"],
    [255, "0481ff"],
    [256, "04820100"],
  ] as const) {
    assert.ok(hex(encode(TAG.octets, new Uint8Array(length))).startsWith(head));
  }
});

test("numbers are never negative and have no leading zeros", () => {
  assert.equal(hex(integer(Uint8Array.of(0x7f))), "02017f");
  assert.equal(hex(integer(Uint8Array.of(0x80))), "02020080");
  assert.equal(hex(integer(Uint8Array.of(0, 0, 1))), "020101");
  assert.equal(hex(integer(Uint8Array.of(0))), "020100");
});

test("object identifiers are encoded as X.690 says", () => {
  assert.equal(hex(oid("1.2.840.10045.4.3.2")), "06082a8648ce3d040302");
  assert.equal(hex(oid("2.5.4.97")), "0603550461");
  assert.ok(isOid(decode(oid("1.2.840.113549.1.7.1")), "1.2.840.113549.1.7.1"));
  assert.ok(!isOid(decode(oid("2.5.4.3")), "2.5.4.97"));
});

test("a raw signature becomes two numbers", () => {
  const raw = new Uint8Array(64);
  raw[31] = 1;
  raw[32] = 0xff;
  const [r, s] = inside(decode(ecdsaSignature(raw)), TAG.sequence);
  assert.equal(hex(r!.whole), "020101");
  assert.equal(s!.contents.length, 33);
});

test("what is cut off or has more behind it is not read", () => {
  const whole = text(TAG.utf8, "浙采");
  assert.equal(decode(whole).contents.length, 6);
  for (const wrong of [whole.slice(0, -1), Uint8Array.of(...whole, 0), Uint8Array.of(0x30), Uint8Array.of(0x30, 0x80)]) {
    assert.throws(() => decode(wrong), DerError);
  }
});

test("base64 goes there and back", () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
  assert.deepEqual(fromBase64(toBase64(bytes)), bytes);
});

test("a request holds the key and is signed with it", async () => {
  const keys = await crypto.subtle.generateKey(P256, false, ["sign", "verify"]);
  const made = await requestFor(keys, { name: "张三", organisation: "某公司", creditCode: "91330106MA9901012G" });
  const [info, , signature] = inside(decode(made), TAG.sequence);
  const [r, s] = inside(decode(signature!.contents.slice(1)), TAG.sequence);
  const raw = new Uint8Array(64);
  for (const [value, end] of [[r!, 32], [s!, 64]] as const) {
    const digits = value.contents.slice(value.contents[0] === 0 ? 1 : 0);
    raw.set(digits, end - digits.length);
  }
  assert.ok(await crypto.subtle.verify({ name: "ECDSA", hash: "SHA-256" }, keys.publicKey, raw, info!.whole));
  assert.equal(inside(info, TAG.sequence).length, 4);
});

test("what is no PKCS#12 file is said to be none", async () => {
  for (const wrong of [new Uint8Array(0), Uint8Array.of(1, 2, 3), new Uint8Array(65_537)]) {
    await assert.rejects(openPkcs12(wrong, "x"), (error: Pkcs12Error) => error.why === "form");
  }
});

const attribute = (type: string, value: Uint8Array) => encode(TAG.sequence, oid(type), encode(TAG.set, value));

/** A file of 100 bytes, and what a service prepares to have it signed: 60 bytes more, 20 of them a hole. */
async function prepared() {
  const file = crypto.getRandomValues(new Uint8Array(100));
  const tail = crypto.getRandomValues(new Uint8Array(60));
  const covered = Uint8Array.from([...file, ...tail.subarray(0, 30), ...tail.subarray(50)]);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", covered));
  const type = attribute("1.2.840.113549.1.9.3", oid("1.2.840.113549.1.7.1"));
  const attributes = encode(TAG.set, type, attribute("1.2.840.113549.1.9.4", encode(TAG.octets, digest)));
  const before = await sha256Hex(file);
  return { file, given: { to_sign: toBase64(attributes), before, tail: toBase64(tail), hole_start: 130, hole_end: 150 } };
}

test("what was prepared is signed when it is over the file that was read", async () => {
  const { file, given } = await prepared();
  await checkPrepared(file, given);
});

test("what was prepared of another file is not signed", async () => {
  const { file, given } = await prepared();
  const changed = file.map((byte, at) => (at === 50 ? byte ^ 1 : byte));
  await assert.rejects(checkPrepared(changed, given), MovedOnError);
  const claimed = { ...given, before: await sha256Hex(changed) };
  await assert.rejects(checkPrepared(changed, claimed), ForgedError);
});

test("a hole that leaves out what was read, or ends where it should not, is refused", async () => {
  const { file, given } = await prepared();
  for (const changed of [{ hole_start: 99 }, { hole_end: 129 }, { hole_end: 161 }, { hole_end: 151 }, { tail: toBase64(new Uint8Array(60)) }]) {
    await assert.rejects(checkPrepared(file, { ...given, ...changed }), ForgedError);
  }
});

test("a hole that begins inside the file is refused even when the digest fits", async () => {
  const { file, given } = await prepared();
  const whole = Uint8Array.from([...file, ...fromBase64(given.tail)]);
  const covered = Uint8Array.from([...whole.subarray(0, 99), ...whole.subarray(150)]);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", covered));
  const to_sign = toBase64(encode(TAG.set, attribute("1.2.840.113549.1.9.4", encode(TAG.octets, digest))));
  await assert.rejects(checkPrepared(file, { ...given, hole_start: 99, to_sign }), /hole/);
});

test("attributes without a digest are refused", async () => {
  const { file, given } = await prepared();
  const to_sign = toBase64(encode(TAG.set, attribute("1.2.840.113549.1.9.3", oid("1.2.840.113549.1.7.1"))));
  await assert.rejects(checkPrepared(file, { ...given, to_sign }), DerError);
});

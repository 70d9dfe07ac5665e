// Passkeys in the browser: the service says what it wants as JSON, and gets JSON back (W3C WebAuthn Level 3).
import type { components } from "./schema";

type Json = Record<string, unknown>;
type Answered = components["schemas"]["Credential"];

interface PasskeyStatics {
  parseCreationOptionsFromJSON(options: Json): PublicKeyCredentialCreationOptions;
  parseRequestOptionsFromJSON(options: Json): PublicKeyCredentialRequestOptions;
}

/** Whether this browser, at this address, can do it at all. */
export function passkeysWork(): boolean {
  return window.isSecureContext && typeof PublicKeyCredential === "function" && "parseCreationOptionsFromJSON" in PublicKeyCredential;
}

/** Somebody closed the browser's dialog, or nothing here fits: no fault of the service. */
export class PasskeyAborted extends Error {}

function statics(): PasskeyStatics {
  return PublicKeyCredential as unknown as PasskeyStatics;
}

async function asked(ask: () => Promise<Credential | null>): Promise<Answered> {
  try {
    const found = await ask();
    if (found) return (found as unknown as { toJSON(): Answered }).toJSON();
  } catch (thrown) {
    throw new PasskeyAborted(thrown instanceof Error ? thrown.name : String(thrown));
  }
  throw new PasskeyAborted();
}

export function makePasskey(options: Json): Promise<Answered> {
  return asked(() => navigator.credentials.create({ publicKey: statics().parseCreationOptionsFromJSON(options) }));
}

export function showPasskey(options: Json): Promise<Answered> {
  return asked(() => navigator.credentials.get({ publicKey: statics().parseRequestOptionsFromJSON(options) }));
}

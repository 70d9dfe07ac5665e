// The file that somebody is about to sign: which one they have read, and whether there is a newer one meanwhile.
import { computed, ref, shallowRef, watch, type ComputedRef, type Ref, type ShallowRef } from "vue";

import type { SigningDetail } from "../../api/types.ts";
import type { Bytes } from "../../signing/der.ts";
import { sha256Hex } from "../../signing/signer.ts";
import { readDocument, saveDocument } from "./acts.ts";

/** The file does not have the fingerprint that the journal names; it is neither shown nor signed. */
export class DamagedError extends Error {}

interface Copy {
  digest: string;
  bytes: Bytes;
}

export interface Reading {
  /** The file that was read, while it is still the one to sign. */
  file: ComputedRef<Bytes | null>;
  /** Somebody else has signed since this page was opened; what was read is not what is to be signed. */
  moved: Ref<boolean>;
  /** Saves the present file, to be read. */
  open: () => Promise<void>;
  /** Says that somebody else was faster: gets the new state and the new file. */
  renew: () => Promise<void>;
}

export function useReading(signing: ShallowRef<SigningDetail | undefined>, reload: () => Promise<void>): Reading {
  const copy = shallowRef<Copy>();
  const read = ref("");
  const moved = ref(false);
  const file = computed(() => {
    const digest = signing.value?.document;
    return copy.value && digest && copy.value.digest === digest && read.value === digest ? copy.value.bytes : null;
  });

  async function get(): Promise<Copy | undefined> {
    if (!signing.value) return undefined;
    if (copy.value?.digest === signing.value.document) return copy.value;
    const bytes = await readDocument(signing.value.signing_id);
    const digest = await sha256Hex(bytes);
    if (digest !== signing.value.document) await reload(); // somebody may have signed while it was on its way
    if (digest !== signing.value.document) throw new DamagedError();
    copy.value = { digest, bytes };
    return copy.value;
  }

  async function open(): Promise<void> {
    const found = await get();
    if (!found || !signing.value) return;
    saveDocument(`${signing.value.number}-${found.digest.slice(0, 8)}.pdf`, found.bytes);
    read.value = found.digest;
    moved.value = false;
  }

  async function renew(): Promise<void> {
    await reload();
    if (!signing.value?.may_sign) return;
    moved.value = true;
    await get();
  }

  watch(
    () => signing.value?.document,
    (_, before) => {
      if (before && signing.value?.may_sign) moved.value = true;
    },
  );
  return { file, moved, open, renew };
}

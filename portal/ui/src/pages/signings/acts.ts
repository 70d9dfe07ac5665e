// What can be done with a signing beside signing, each by its own route; and the file that is signed.
import { answer, api } from "../../api/client.ts";
import { Submission } from "../../api/submission.ts";
import type { SigningDetail } from "../../api/types.ts";
import type { Bytes } from "../../signing/der.ts";
import type { SigningDone } from "../../signing/document.ts";

export type Act = "decline" | "withdraw";

export function readSigning(signing_id: string): Promise<SigningDetail> {
  return answer(api.GET("/api/signings/{signing_id}", { params: { path: { signing_id } } }));
}

/** Reads the file as it is now. */
export async function readDocument(signing_id: string): Promise<Bytes> {
  const params = { path: { signing_id } };
  const read = api.GET("/api/signings/{signing_id}/document.pdf", { params, parseAs: "arrayBuffer" });
  return new Uint8Array((await answer(read)) as ArrayBuffer);
}

/** Hands the file to the browser to be saved or shown. */
export function saveDocument(name: string, file: Bytes): void {
  const url = URL.createObjectURL(new Blob([file], { type: "application/pdf" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}

/** Gives a function that takes an act once, however often it is sent. */
export function useActs(): (signing_id: string, act: Act, reason: string) => Promise<SigningDone> {
  const submission = new Submission();
  return (signing_id, act, reason) =>
    submission.send({ signing_id, act, reason }, (header) => {
      const sent = { params: { path: { signing_id }, header }, body: { reason } };
      return act === "decline"
        ? answer(api.POST("/api/signings/{signing_id}/refusal", sent))
        : answer(api.POST("/api/signings/{signing_id}/withdrawal", sent));
    });
}

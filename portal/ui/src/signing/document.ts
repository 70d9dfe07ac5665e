// Signing a file together with others: the service prepares, this browser checks and signs, the service puts it in.
import { answer, api, ApiError } from "../api/client.ts";
import type { components } from "../api/schema";
import { Submission } from "../api/submission.ts";
import type { Bytes } from "./der.ts";
import { checkPrepared, MovedOnError } from "./prepared.ts";
import { fromBase64, toBase64, type Signer } from "./signer.ts";

export type SigningDone = components["schemas"]["SigningDone"];

function isMovedOn(error: unknown): boolean {
  return error instanceof ApiError && error.problem.reason === "document-moved-on";
}

/** A signature of one page: when its answer was lost or the service was busy, the same one is sent again. */
export class DocumentSignature {
  #submission = new Submission();
  #made: { preparation_id: string; signature: string } | undefined;

  /** Signs; throws MovedOnError, ForgedError or an ApiError. */
  async give(signing_id: string, file: Bytes, signer: Signer): Promise<SigningDone> {
    const body = (this.#made ??= await this.#prepare(signing_id, file, signer));
    try {
      const done = await this.#submission.send({ signing_id, ...body }, (header) =>
        answer(api.POST("/api/signings/{signing_id}/signature", { params: { path: { signing_id }, header }, body })),
      );
      this.#made = undefined;
      return done;
    } catch (error) {
      if (error instanceof ApiError && error.status >= 400 && error.status < 500) this.#made = undefined;
      throw isMovedOn(error) ? new MovedOnError() : error;
    }
  }

  async #prepare(signing_id: string, file: Bytes, signer: Signer) {
    const body = { certificate: toBase64(signer.certificate), chain: signer.chain.map(toBase64) };
    const params = { path: { signing_id } };
    const prepared = await answer(api.POST("/api/signings/{signing_id}/preparation", { params, body }));
    await checkPrepared(file, prepared);
    const signature = await signer.sign(fromBase64(prepared.to_sign));
    return { preparation_id: prepared.preparation_id, signature: toBase64(signature) };
  }
}

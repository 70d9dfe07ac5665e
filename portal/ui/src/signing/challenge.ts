// Signing a challenge: the one way in which a certificate proves anything here.
import { answer, api } from "../api/client.ts";
import type { components } from "../api/schema";
import { bound, toBase64, type Signer } from "./signer.ts";

export type Purpose = components["schemas"]["Purpose"];
export type Proof = components["schemas"]["ProofIn"];

/**
 * Gets a challenge and signs it. The address is what this page sees itself, not what it was told: a page of somebody
 * else's that passes a challenge on gets a signature for its own address.
 */
export async function prove(signer: Signer, purpose: Purpose, about = ""): Promise<Proof> {
  const asked = await answer(api.POST("/api/session/challenge", { body: { purpose, about } }));
  const parts = [purpose, window.location.origin, asked.binding, asked.issued_at, asked.nonce, about];
  const signature = await signer.sign(bound("zhecai-auth/v1", signer.algorithm, ...parts));
  return {
    nonce: asked.nonce,
    algorithm: signer.algorithm,
    signature: toBase64(signature),
    certificate: toBase64(signer.certificate),
    chain: signer.chain.map(toBase64),
  };
}

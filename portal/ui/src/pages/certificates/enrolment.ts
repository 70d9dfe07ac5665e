// Getting a certificate: a key of this browser, a request for it, the answer kept beside the key.
import { answer, api } from "../../api/client.ts";
import { newKey as newSubmissionKey } from "../../api/submission.ts";
import type { OwnCertificate, Particulars } from "../../api/types.ts";
import { keep, newKey, type StoredCertificate } from "../../signing/keys.ts";
import { requestFor } from "../../signing/request.ts";
import { toBase64 } from "../../signing/signer.ts";

export function kept(certificate: OwnCertificate, organisation: string): StoredCertificate {
  const { fingerprint, der, name, not_after: notAfter } = certificate;
  return { fingerprint, der, name, notAfter, organisation };
}

/**
 * Makes a key, asks for its certificate and keeps both. When the answer is lost on the way the key is there already, and
 * takes its certificate from the list the next time that it is shown.
 */
export async function enrol(particulars: Particulars, replaces: string | null): Promise<OwnCertificate> {
  const { stored, pair } = await newKey();
  const { name, organisation_name: organisation, credit_code: creditCode } = particulars;
  const request = toBase64(await requestFor(pair, { name, organisation, creditCode }));
  const params = { header: { "Idempotency-Key": newSubmissionKey() } };
  const certificate = await answer(api.POST("/api/certificates", { params, body: { request, replaces } }));
  await keep({ ...stored, certificate: kept(certificate, organisation) });
  return certificate;
}

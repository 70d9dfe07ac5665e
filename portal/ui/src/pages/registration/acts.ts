// What can be done with a registration, each by its own route.
import { answer, api } from "../../api/client.ts";
import { Submission } from "../../api/submission.ts";

export type Act = "suspend" | "cancelPlan" | "reinstate" | "deregister" | "withdraw" | "dropChange" | "leave" | "stay";
export const DANGEROUS: readonly Act[] = ["suspend", "deregister", "withdraw", "leave"];
export const REASONED: readonly Act[] = ["suspend", "cancelPlan", "reinstate", "deregister", "leave"];

export interface Said {
  reason: string;
  start: string;
  until: string;
}

/** Gives a function that takes an act once, however often it is sent. */
export function useActs(): (id: string, act: Act, said: Said) => Promise<unknown> {
  const submission = new Submission();
  return (id, act, { reason, start, until }) =>
    submission.send({ id, act, reason, start, until }, (header) => {
      const path = { organisation_id: id };
      switch (act) {
        case "suspend": {
          const body = { reason, start: start || null, until: until || null };
          return answer<unknown>(api.POST("/api/organisations/{organisation_id}/suspension", { params: { header, path }, body }));
        }
        case "cancelPlan":
          return answer<unknown>(
            api.POST("/api/organisations/{organisation_id}/suspension-cancellation", { params: { header, path }, body: { reason } }),
          );
        case "reinstate":
          return answer<unknown>(
            api.POST("/api/organisations/{organisation_id}/reinstatement", { params: { header, path }, body: { reason } }),
          );
        case "deregister":
          return answer<unknown>(
            api.POST("/api/organisations/{organisation_id}/deregistration", { params: { header, path }, body: { reason } }),
          );
        case "leave":
          return answer<unknown>(api.POST("/api/registration/departure", { params: { header }, body: { reason } }));
        case "stay":
          return answer<unknown>(api.DELETE("/api/registration/departure", { params: { header } }));
        case "withdraw":
          return answer<unknown>(api.POST("/api/registration/withdrawal", { params: { header } }));
        case "dropChange":
          return answer<unknown>(api.DELETE("/api/registration/changes", { params: { header } }));
      }
    });
}

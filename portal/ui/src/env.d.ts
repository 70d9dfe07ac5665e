/// <reference types="vite/client" />
import "vue-router";

import type { Role } from "./state/session.ts";

declare module "vue-router" {
  interface RouteMeta {
    /** Message key of the page's title. */
    title: string;
    /** Name of the route above it in the breadcrumb. */
    parent?: string;
    /** The page is about the account itself: also for a session that has not shown enough yet. */
    account?: boolean;
    /** Roles that may open the page; absent means everybody. */
    roles?: readonly Role[];
  }
}

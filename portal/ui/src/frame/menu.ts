// What each role finds in the main menu, in order: route names, which are also the keys of their texts in `frame.nav`.
import type { Role } from "../state/session.ts";

export const MENUS: Readonly<Record<Role, readonly string[]>> = {
  public: ["home", "catalogue", "agreements", "auctions", "organisations"],
  purchaser: ["home", "catalogue", "auctions", "orders", "approvals", "signings", "budget", "agreements"],
  approver: ["home", "approvals", "orders", "signings", "budget", "auctions", "catalogue", "agreements"],
  agency: ["home", "catalogue", "auctions", "agreements"],
  supplier: ["home", "auctions", "orders", "signings", "offers", "catalogue", "agreements"],
  signatory: ["home", "signings", "auctions", "orders", "offers", "catalogue", "agreements"],
  expert: ["home", "auctions", "catalogue", "agreements"],
  supervisor: ["home", "registrations", "auctions", "orders", "budget", "catalogue", "agreements", "access-table"],
  auditor: ["home", "log", "auctions", "orders", "budget", "catalogue", "agreements", "access-table"],
  operator: ["home", "catalogue", "auctions", "agreements", "access-table"],
  administrator: ["home", "organisation", "members", "organisations", "catalogue"],
};

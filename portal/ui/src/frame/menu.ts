// What each role finds in the main menu, in order: route names, which are also the keys of their texts in `frame.nav`.
import type { Role } from "../state/session.ts";

export const MENUS: Readonly<Record<Role, readonly string[]>> = {
  public: ["home", "catalogue", "agreements", "auctions"],
  purchaser: ["home", "catalogue", "auctions", "orders", "budget", "agreements"],
  supplier: ["home", "auctions", "orders", "offers", "catalogue", "agreements"],
  supervisor: ["home", "auctions", "orders", "budget", "catalogue", "agreements"],
  operator: ["home", "catalogue", "auctions", "agreements"],
};

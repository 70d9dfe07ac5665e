import account from "./account.ts";
import admin from "./admin.ts";
import agreements from "./agreements.ts";
import approvals from "./approvals.ts";
import auctions from "./auctions.ts";
import budget from "./budget.ts";
import cart from "./cart.ts";
import catalogue from "./catalogue.ts";
import certificates from "./certificates.ts";
import common from "./common.ts";
import frame from "./frame.ts";
import home from "./home.ts";
import log from "./log.ts";
import offers from "./offers.ts";
import orders from "./orders.ts";
import pictures from "./pictures.ts";
import registration from "./registration.ts";
import security from "./security.ts";
import signings from "./signings.ts";

export default {
  account,
  admin,
  agreements,
  approvals,
  auctions,
  budget,
  cart,
  catalogue,
  certificates,
  common,
  frame,
  home,
  log,
  offers,
  orders,
  pictures,
  registration,
  security,
  signings,
};

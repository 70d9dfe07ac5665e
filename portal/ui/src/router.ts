// Every page is a chunk of its own. Titles and breadcrumbs come from `meta`; who may open a page is checked here only
// to be helpful: the service decides.
import { watchEffect } from "vue";
import { createRouter, createWebHistory, type RouteRecordRaw } from "vue-router";

import { i18n } from "./i18n/index.ts";
import { followArrivals } from "./state/arrival.ts";
import { session } from "./state/session.ts";
import { ownTitle } from "./state/title.ts";

const PARTIES = ["purchaser", "approver", "supplier", "signatory"] as const;
const OVERSEERS = ["supervisor", "auditor"] as const;
const EVERYBODY_KNOWN = [...PARTIES, ...OVERSEERS, "agency", "expert", "operator"] as const;

const routes: RouteRecordRaw[] = [
  { path: "/catalog", redirect: "/catalogue" },
  { path: "/", name: "home", component: () => import("./pages/home/HomePage.vue"), meta: { title: "home" } },
  {
    path: "/login",
    name: "login",
    component: () => import("./pages/account/LoginPage.vue"),
    meta: { title: "login", parent: "home" },
  },
  {
    path: "/account/security",
    name: "security",
    component: () => import("./pages/account/SecurityPage.vue"),
    meta: { title: "security", parent: "home", account: true },
  },
  {
    path: "/catalogue",
    name: "catalogue",
    component: () => import("./pages/catalogue/CataloguePage.vue"),
    meta: { title: "catalogue", parent: "home" },
  },
  {
    path: "/catalogue/compare",
    name: "compare",
    component: () => import("./pages/catalogue/ComparePage.vue"),
    meta: { title: "compare", parent: "catalogue" },
  },
  {
    path: "/catalogue/:id",
    name: "product",
    component: () => import("./pages/catalogue/ProductPage.vue"),
    meta: { title: "product", parent: "catalogue" },
    props: true,
  },
  {
    path: "/catalogue/:id/pictures",
    name: "product-pictures",
    component: () => import("./pages/catalogue/PicturesPage.vue"),
    meta: { title: "productPictures", parent: "catalogue", roles: ["supplier", "operator"] },
    props: true,
  },
  {
    path: "/cart",
    name: "cart",
    component: () => import("./pages/cart/CartPage.vue"),
    meta: { title: "cart", parent: "catalogue", roles: ["purchaser"] },
  },
  {
    path: "/orders",
    name: "orders",
    component: () => import("./pages/orders/OrdersPage.vue"),
    meta: { title: "orders", parent: "home", roles: [...PARTIES, ...OVERSEERS] },
  },
  {
    path: "/orders/:id",
    name: "order",
    component: () => import("./pages/orders/OrderPage.vue"),
    meta: { title: "order", parent: "orders", roles: [...PARTIES, ...OVERSEERS] },
    props: true,
  },
  {
    path: "/approvals",
    name: "approvals",
    component: () => import("./pages/approvals/ApprovalsPage.vue"),
    meta: { title: "approvals", parent: "home", roles: ["purchaser", "approver"] },
  },
  {
    path: "/approvals/:id",
    name: "approval",
    component: () => import("./pages/approvals/ApprovalPage.vue"),
    meta: { title: "approval", parent: "approvals", roles: ["purchaser", "approver"] },
    props: true,
  },
  {
    path: "/organisation/approvals",
    name: "approval-limit",
    component: () => import("./pages/approvals/LimitPage.vue"),
    meta: { title: "approvalLimit", parent: "home", roles: ["purchaser", "approver", "administrator"] },
  },
  {
    path: "/budget",
    name: "budget",
    component: () => import("./pages/budget/BudgetPage.vue"),
    meta: { title: "budget", parent: "home", roles: ["purchaser", "approver", ...OVERSEERS] },
  },
  {
    path: "/budget/:id",
    name: "budget-line",
    component: () => import("./pages/budget/PostingsPage.vue"),
    meta: { title: "budgetLine", parent: "budget", roles: ["purchaser", "approver", ...OVERSEERS] },
    props: true,
  },
  {
    path: "/agreements",
    name: "agreements",
    component: () => import("./pages/agreements/AgreementsPage.vue"),
    meta: { title: "agreements", parent: "home" },
  },
  {
    path: "/agreements/:id",
    name: "agreement",
    component: () => import("./pages/agreements/AgreementPage.vue"),
    meta: { title: "agreement", parent: "agreements" },
    props: true,
  },
  {
    path: "/offers",
    name: "offers",
    component: () => import("./pages/offers/OffersPage.vue"),
    meta: { title: "offers", parent: "home", roles: ["supplier", "signatory"] },
  },
  {
    path: "/auctions",
    name: "auctions",
    component: () => import("./pages/auctions/AuctionsPage.vue"),
    meta: { title: "auctions", parent: "home" },
  },
  {
    path: "/auctions/new",
    name: "new-auction",
    component: () => import("./pages/auctions/WizardPage.vue"),
    meta: { title: "newAuction", parent: "auctions", roles: ["purchaser"] },
  },
  {
    path: "/auctions/:id",
    name: "hall",
    component: () => import("./pages/auctions/HallPage.vue"),
    meta: { title: "hall", parent: "auctions" },
    props: true,
  },
  {
    path: "/auctions/:id/record",
    name: "record",
    component: () => import("./pages/auctions/RecordPage.vue"),
    meta: { title: "record", parent: "auctions" },
    props: true,
  },
  {
    path: "/signings",
    name: "signings",
    component: () => import("./pages/signings/SigningsPage.vue"),
    meta: { title: "signings", parent: "home", roles: [...PARTIES, ...OVERSEERS] },
  },
  {
    path: "/signings/:id",
    name: "signing",
    component: () => import("./pages/signings/SigningPage.vue"),
    meta: { title: "signing", parent: "signings", roles: [...PARTIES, ...OVERSEERS] },
    props: true,
  },
  {
    path: "/certificates",
    name: "certificates",
    component: () => import("./pages/certificates/CertificatesPage.vue"),
    meta: { title: "certificates", parent: "home", roles: EVERYBODY_KNOWN },
  },
  {
    path: "/admin/access",
    name: "access-table",
    component: () => import("./pages/admin/AccessTablePage.vue"),
    meta: { title: "accessTable", parent: "home", roles: [...OVERSEERS, "operator"] },
  },
  {
    path: "/log",
    name: "log",
    component: () => import("./pages/log/LogPage.vue"),
    meta: { title: "log", parent: "home", roles: ["auditor"] },
  },
  {
    path: "/receipts",
    name: "receipts",
    component: () => import("./pages/log/ReceiptPage.vue"),
    meta: { title: "receipts", parent: "home" },
  },
  {
    path: "/organisations",
    name: "organisations",
    component: () => import("./pages/registration/RegisterPage.vue"),
    meta: { title: "organisations", parent: "home" },
  },
  {
    path: "/registration",
    name: "registration-apply",
    component: () => import("./pages/registration/ApplyPage.vue"),
    meta: { title: "registrationApply", parent: "organisations" },
  },
  {
    path: "/registration/progress",
    name: "registration-progress",
    component: () => import("./pages/registration/ProgressPage.vue"),
    meta: { title: "registrationProgress", parent: "organisations" },
  },
  {
    path: "/organisation",
    name: "organisation",
    component: () => import("./pages/registration/RegistrationPage.vue"),
    meta: { title: "organisation", parent: "home", roles: ["administrator"] },
  },
  {
    path: "/organisation/edit",
    name: "registration-edit",
    component: () => import("./pages/registration/EditPage.vue"),
    meta: { title: "registrationEdit", parent: "organisation", roles: ["administrator"] },
  },
  {
    path: "/organisation/members",
    name: "members",
    component: () => import("./pages/registration/MembersPage.vue"),
    meta: { title: "members", parent: "organisation", roles: ["administrator"] },
  },
  {
    path: "/registrations",
    name: "registrations",
    component: () => import("./pages/registration/DeskPage.vue"),
    meta: { title: "registrations", parent: "home", roles: ["supervisor", "auditor"] },
  },
  {
    path: "/registrations/:id",
    name: "registration",
    component: () => import("./pages/registration/RegistrationPage.vue"),
    meta: { title: "registration", parent: "registrations", roles: ["supervisor", "auditor"] },
    props: true,
  },
  {
    path: "/:anything(.*)*",
    name: "not-found",
    component: () => import("./pages/NotFoundPage.vue"),
    meta: { title: "notFound", parent: "home" },
  },
];

export const router = createRouter({
  history: createWebHistory(),
  routes,
  scrollBehavior: (to, from, saved) => saved ?? (to.path === from.path ? undefined : { top: 0 }),
});

router.beforeEach(async (to) => {
  await session.ready();
  const known = session.actor.value ?? (to.meta.account && session.state.value);
  if ((to.meta.roles || to.meta.account) && !known) return { name: "login", query: { next: to.fullPath } };
  const wanted: readonly string[] | undefined = to.meta.roles;
  const held = session.actor.value?.roles.find((role) => wanted?.includes(role));
  if (held && !wanted?.includes(session.role.value)) session.actAs(held); // who opens the page of another own role means it
  return true;
});

router.afterEach((to, from) => {
  if (to.path !== from.path && from.name) document.getElementById("main")?.focus({ preventScroll: true });
});

followArrivals(router);

watchEffect(() => {
  const { t } = i18n.global;
  const title = ownTitle.value || t(`frame.titles.${router.currentRoute.value.meta.title ?? "home"}`);
  document.title = `${title} · ${t("frame.shortSite")}`;
});

// The form of a registration: what it holds, what is wrong with it, what is kept of it, how it is sent.
import type { components } from "../../api/schema";

export type Kind = "purchaser" | "supplier" | "agency";
export type Section = "kind" | "unit" | "contact" | "declare" | "account";
export type ProfileIn = components["schemas"]["ProfileIn"];
export type Registration = components["schemas"]["Registration"];
export type Size = NonNullable<ProfileIn["size"]>;
export type Statement = NonNullable<ProfileIn["declared"]>[number];

export interface ProfileForm {
  kind: Kind;
  name: string;
  region: string;
  legal_representative: string;
  identity: string;
  address: string;
  contact: string;
  phone: string;
  email: string;
  bank_name: string;
  bank_account: string;
  size: Size | "";
  declared: Statement[];
  staff: number;
  venue: string;
}

export interface ApplicationForm extends ProfileForm {
  credit_code: string;
  login: string;
  person: string;
  password: string;
  again: string;
}

export const KINDS: readonly Kind[] = ["supplier", "purchaser", "agency"];
export const SIZES: readonly Size[] = ["large", "medium", "small", "micro"];
export const SECTIONS: readonly Section[] = ["kind", "unit", "contact", "declare", "account"];
export const STATEMENTS: Readonly<Record<Kind, readonly Statement[]>> = {
  purchaser: [],
  supplier: ["liability", "repute", "means", "taxes", "record", "others"],
  agency: ["liability", "control", "premises"],
};
const SECTION_OF: Readonly<Record<string, Section>> = {
  kind: "kind",
  credit_code: "unit",
  name: "unit",
  region: "unit",
  legal_representative: "unit",
  identity: "unit",
  address: "unit",
  size: "unit",
  staff: "unit",
  venue: "unit",
  contact: "contact",
  phone: "contact",
  email: "contact",
  bank_name: "contact",
  bank_account: "contact",
  declared: "declare",
};
const PHONE = /^(1[3-9]\d{9}|0[1-9]\d{1,2}-?[1-9]\d{6,7}(-\d{1,6})?|[48]00-?\d{3}-?\d{4})$/;
const CODE = /^[0-9A-HJ-NPQRTUW-Y]{18}$/;
const STAFF_MIN = 5;
const PASSWORD_MIN = 10;

export function sectionOf(field: string): Section {
  return SECTION_OF[field] ?? "account";
}

export function aForm(): ApplicationForm {
  return {
    kind: "supplier",
    credit_code: "",
    name: "",
    region: "",
    legal_representative: "",
    identity: "",
    address: "",
    contact: "",
    phone: "",
    email: "",
    bank_name: "",
    bank_account: "",
    size: "",
    declared: [],
    staff: 0,
    venue: "",
    login: "",
    person: "",
    password: "",
    again: "",
  };
}

/** What is wrong with what an organisation says of itself, as keys of texts by field. */
export function profileFaults(form: ProfileForm, keepsIdentity = false): Record<string, string> {
  const needed: (keyof ProfileForm)[] = ["name", "region", "legal_representative", "address", "contact", "phone"];
  if (form.kind === "supplier") needed.push("bank_name", "bank_account", "size");
  if (form.kind === "agency" && !keepsIdentity) needed.push("identity");
  const found: Record<string, string> = {};
  for (const field of needed) if (!String(form[field]).trim()) found[field] = "required";
  if (form.phone.trim() && !PHONE.test(form.phone.trim())) found.phone = "phone";
  if (!STATEMENTS[form.kind].every((one) => form.declared.includes(one))) found.declared = "declared";
  if (form.kind === "agency" && form.staff < STAFF_MIN) found.staff = "staff";
  return found;
}

export function applicationFaults(form: ApplicationForm): Record<string, string> {
  const found = profileFaults(form);
  if (!CODE.test(form.credit_code.trim().toUpperCase())) found.credit_code = form.credit_code.trim() ? "code" : "required";
  for (const field of ["login", "person"] as const) if (!form[field].trim()) found[field] = "required";
  if (form.password.length < PASSWORD_MIN) found.password = form.password ? "password" : "required";
  if (form.again !== form.password) found.again = "again";
  return found;
}

/** What goes over the wire: fields that the kind does not have are left empty. */
export function profileIn(form: ProfileForm): ProfileIn {
  const { kind: _kind, size, ...said } = form;
  const agency = form.kind === "agency";
  return {
    name: said.name,
    region: said.region,
    legal_representative: said.legal_representative,
    identity: said.identity,
    address: said.address,
    contact: said.contact,
    phone: said.phone,
    email: said.email,
    bank_name: said.bank_name,
    bank_account: said.bank_account,
    size: form.kind === "supplier" && size ? size : null,
    declared: STATEMENTS[form.kind].filter((one) => said.declared.includes(one)),
    staff: agency ? said.staff : 0,
    venue: agency ? said.venue : "",
  };
}

/** Fills the form with what is registered, or with the change that waits. */
export function formOf(registration: Registration): ProfileForm {
  const { name, region, details } = registration.pending?.profile ?? registration;
  return {
    kind: registration.kind as Kind,
    name,
    region,
    legal_representative: details.legal_representative ?? "",
    identity: "",
    address: details.address ?? "",
    contact: details.contact ?? "",
    phone: details.phone ?? "",
    email: details.email ?? "",
    bank_name: details.bank_name ?? "",
    bank_account: details.bank_account ?? "",
    size: details.size ?? "",
    declared: [...(details.declared ?? [])],
    staff: details.staff ?? 0,
    venue: details.venue ?? "",
  };
}

/** What this browser may keep: no password, no identity card. */
export function keepable(form: ApplicationForm): string {
  return JSON.stringify({ ...form, password: "", again: "", identity: "" });
}

/** Reads what was kept; null for what is none, or is from another version of this page. */
export function keptForm(text: string | null): ApplicationForm | null {
  try {
    const found = JSON.parse(text ?? "null") as Partial<ApplicationForm> | null;
    const usual = aForm();
    if (!found || !Array.isArray(found.declared)) return null;
    return Object.keys(usual).every((name) => name in found) ? { ...usual, ...found } : null;
  } catch {
    return null;
  }
}

// Line drawings for products without a picture, by the first figures of their category (政府采购品目).

interface Drawing {
  hue: "blue" | "green" | "brown" | "grey";
  path: string;
}

const COMPUTER = "M14 16h36v24H14zM26 40v6M38 40v6M20 46h24";
const LAPTOP = "M18 16h28v20H18zM12 42h40l-4-6H16z";
const SERVER = "M18 12h28v12H18zM18 26h28v12H18zM18 40h28v12H18zM24 18h4M24 32h4M24 46h4";
const TABLET = "M22 10h20v44H22zM30 48h4";
const PRINTER = "M20 26V12h24v14M14 26h36v18H14zM20 38h24v14H20zM42 32h4";
const PROJECTOR = "M10 22h44v20H10zM40 32a7 7 0 1 0-14 0 7 7 0 1 0 14 0M16 42v6M48 42v6M16 28h4";
const NETWORK = "M12 36h40v14H12zM20 43h2M28 43h2M36 43h8M22 36c0-14 20-14 20 0M27 36c0-7 10-7 10 0";
const SHIELD = "M32 10l18 6v14c0 12-8 20-18 24-10-4-18-12-18-24V16zM24 31l6 6 11-12";
const FURNITURE = "M12 22h40v6H12zM16 28v24M48 28v24M16 40h32";
const DISPLAY = "M10 14h44v28H10zM32 42v8M22 50h20";
const COPIER = "M16 22h32v28H16zM14 14h36v8H14zM22 30h12M22 50v4M42 50v4M48 34h6v6h-6";
const CHAIR = "M22 10h20v22H22zM18 32h28v6H18zM32 38v8M20 54l12-8 12 8";
const AIR = "M10 18h44v16H10zM16 28h32M18 42c0 4-4 4-4 8M32 42c0 4-4 4-4 8M46 42c0 4-4 4-4 8";
const CAR = "M10 36l6-14h32l6 14v10H10zM20 46a4 4 0 1 0 .1 0M44 46a4 4 0 1 0 .1 0M12 36h40";
const PAPER = "M20 10h18l8 8v36H20zM38 10v8h8M26 28h14M26 36h14M26 44h8";
const SERVICE = "M32 12a10 10 0 1 0 .1 0M14 54c0-22 36-22 36 0z";
const BOX = "M12 22l20-10 20 10v22L32 54 12 44zM12 22l20 10 20-10M32 32v22";

/** Longest prefix wins. */
const DRAWINGS: readonly (readonly [string, Drawing])[] = [
  ["A02010104", { hue: "blue", path: SERVER }],
  ["A02010105", { hue: "blue", path: COMPUTER }],
  ["A02010108", { hue: "blue", path: LAPTOP }],
  ["A02010109", { hue: "blue", path: TABLET }],
  ["A020101", { hue: "blue", path: COMPUTER }],
  ["A020102", { hue: "blue", path: NETWORK }],
  ["A020103", { hue: "blue", path: SHIELD }],
  ["A020105", { hue: "blue", path: SERVER }],
  ["A0201", { hue: "blue", path: COMPUTER }],
  ["A02020200", { hue: "green", path: PROJECTOR }],
  ["A02020100", { hue: "green", path: COPIER }],
  ["A02020400", { hue: "green", path: COPIER }],
  ["A02020800", { hue: "green", path: DISPLAY }],
  ["A02021104", { hue: "green", path: DISPLAY }],
  ["A050103", { hue: "brown", path: CHAIR }],
  ["A0202", { hue: "green", path: PRINTER }],
  ["A0203", { hue: "grey", path: CAR }],
  ["A0206", { hue: "green", path: AIR }],
  ["A05", { hue: "brown", path: FURNITURE }],
  ["A07", { hue: "brown", path: PAPER }],
  ["A08", { hue: "blue", path: PAPER }],
  ["C", { hue: "green", path: SERVICE }],
];
const FALLBACK: Drawing = { hue: "grey", path: BOX };

const DIGEST = /^[0-9a-f]{64}$/;

/** Where a picture is shown from, by its digest; nothing for what is none: never an address somewhere else. */
export function pictureAddress(digest: string | null | undefined, size: "thumbnail" | "whole"): string {
  if (!digest || !DIGEST.test(digest)) return "";
  return `/api/pictures/${digest}${size === "thumbnail" ? "/thumbnail" : ""}`;
}

/** The drawing for a category's code. */
export function drawingFor(categoryCode: string): Drawing {
  const found = DRAWINGS.filter(([prefix]) => categoryCode.startsWith(prefix));
  return found.sort((a, b) => b[0].length - a[0].length)[0]?.[1] ?? FALLBACK;
}

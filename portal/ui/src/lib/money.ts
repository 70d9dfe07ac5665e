// Amounts are whole fen everywhere; yuan exist only in what a person reads or types.

/** The largest amount that is exact in a JavaScript number: about 90 万亿元. */
export const FEN_MAX = Number.MAX_SAFE_INTEGER;

/** Writes fen as yuan with two decimals and thousands separators: 123456 -> "1,234.56". */
export function formatFen(fen: number): string {
  const sign = fen < 0 ? "−" : "";
  const whole = Math.floor(Math.abs(fen) / 100);
  const rest = String(Math.abs(fen) % 100).padStart(2, "0");
  return `${sign}${whole.toLocaleString("en-US")}.${rest}`;
}

/** Writes fen as plain yuan for an input field or a CSV file: 123456 -> "1234.56". */
export function plainFen(fen: number): string {
  return formatFen(fen).replaceAll(",", "").replace("−", "-");
}

/** Reads yuan as typed; null when it is no amount, has more than two decimals or is too large. Never rounds. */
export function parseYuan(text: string): number | null {
  const plain = text.normalize("NFKC").replaceAll(/[,\s¥元]/g, "");
  const match = /^(\d{1,14})(?:\.(\d{0,2}))?$/.exec(plain);
  if (!match) return null;
  const fen = Number(match[1]) * 100 + Number((match[2] ?? "").padEnd(2, "0"));
  return fen <= FEN_MAX ? fen : null;
}

const DIGITS = "零壹贰叁肆伍陆柒捌玖";
const PLACES = ["", "拾", "佰", "仟"];
const GROUPS = ["", "万", "亿", "万亿"];

/** Writes one group of four digits without leading zeros: 1005 -> "壹仟零伍". */
function upperGroup(group: number): string {
  let text = "";
  let gap = false;
  for (let place = 3; place >= 0; place -= 1) {
    const digit = Math.floor(group / 10 ** place) % 10;
    if (digit === 0) {
      gap = text !== "";
      continue;
    }
    text += (gap ? "零" : "") + DIGITS.charAt(digit) + PLACES[place];
    gap = false;
  }
  return text;
}

/** Writes whole yuan; a group that is empty or starts with a zero is bridged by one 零. */
function upperYuan(yuan: number): string {
  let text = "";
  let gap = false;
  for (let index = 3; index >= 0; index -= 1) {
    const group = Math.floor(yuan / 10_000 ** index) % 10_000;
    if (group === 0) {
      gap = text !== "";
      // 壹万亿 stands for 10^12 whether or not the 亿 group follows, so nothing else is lost here.
      continue;
    }
    if (text !== "" && (gap || group < 1000)) text += "零";
    const name = index === 3 && Math.floor(yuan / 10_000 ** 2) % 10_000 !== 0 ? "万" : GROUPS[index];
    text += upperGroup(group) + name;
    gap = false;
  }
  return text;
}

/**
 * Writes an amount in capital characters (人民币大写), as bills ask for it (《支付结算办法》附一).
 *
 * Whole yuan end with 整; so do whole jiao. Zero is 零元整. Returns "" for what is no amount.
 */
export function upperFen(fen: number): string {
  if (!Number.isSafeInteger(fen) || fen < 0) return "";
  if (fen === 0) return "零元整";
  const yuan = Math.floor(fen / 100);
  const jiao = Math.floor(fen / 10) % 10;
  const cents = fen % 10;
  const head = yuan > 0 ? `${upperYuan(yuan)}元` : "";
  if (jiao === 0 && cents === 0) return `${head}整`;
  const middle = jiao > 0 ? `${DIGITS.charAt(jiao)}角` : head && "零";
  return head + middle + (cents > 0 ? `${DIGITS.charAt(cents)}分` : "整");
}

/** The share by which `price` is below `reference`, in per cent with one decimal; negative when above. */
export function belowPercent(price: number, reference: number): number {
  return reference > 0 ? Math.round(((reference - price) / reference) * 1000) / 10 : 0;
}

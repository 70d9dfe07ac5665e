// The server's clock decides. What a person reads is Beijing time.

const ZONE = "Asia/Shanghai";
let offsetMs = 0;

/** Learns how far the server's clock is from this machine's; the hall measures it finely, answers coarsely. */
export function setServerOffset(milliseconds: number): void {
  offsetMs = milliseconds;
}

/** Takes the coarse offset from an answer's Date header; small differences are only its whole seconds. */
export function learnFromDateHeader(header: string | null): void {
  const server = header ? Date.parse(header) : Number.NaN;
  if (Number.isNaN(server)) return;
  const difference = server + 500 - Date.now();
  if (Math.abs(difference - offsetMs) > 1500) offsetMs = difference;
}

/** The server's time now, in milliseconds since 1970 UTC. */
export function serverNow(): number {
  return Date.now() + offsetMs;
}

function parts(at: string | number, options: Intl.DateTimeFormatOptions): Record<string, string> {
  const format = new Intl.DateTimeFormat("en-CA", { timeZone: ZONE, hourCycle: "h23", ...options });
  return Object.fromEntries(format.formatToParts(new Date(at)).map((part) => [part.type, part.value]));
}

/** 2026-11-23 09:00 */
export function formatMinute(at: string | number): string {
  const p = parts(at, { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" });
  return `${p.year}-${p.month}-${p.day} ${p.hour}:${p.minute}`;
}

/** 2026-11-23 09:00:00 */
export function formatSecond(at: string | number): string {
  const p = parts(at, { second: "2-digit", minute: "2-digit" });
  return `${formatMinute(at)}:${(p.second ?? "").padStart(2, "0")}`;
}

/** 2026-11-23; a plain date passes unchanged. */
export function formatDay(at: string | number): string {
  return typeof at === "string" && /^\d{4}-\d{2}-\d{2}$/.test(at) ? at : formatMinute(at).slice(0, 10);
}

/** 09:00:00 */
export function formatClock(at: string | number): string {
  return formatSecond(at).slice(11);
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Time left as days (0 for less than one) and a clock; tenths appear in the last minute. */
export function splitLeft(milliseconds: number): { days: number; clock: string } {
  const left = Math.max(0, milliseconds);
  const two = (value: number) => String(Math.floor(value)).padStart(2, "0");
  if (left < MINUTE) return { days: 0, clock: `00:${(Math.floor(left / 100) / 10).toFixed(1).padStart(4, "0")}` };
  const minutes = `${two((left % HOUR) / MINUTE)}:${two((left % MINUTE) / SECOND)}`;
  const hours = (left % DAY) / HOUR;
  const days = Math.floor(left / DAY);
  return { days, clock: days > 0 || hours >= 1 ? `${two(hours)}:${minutes}` : minutes };
}

// Short notes that an action went well or badly. They are read out by screen readers and go by themselves.
import { ElMessage } from "element-plus";
import "element-plus/es/components/message/style/css";

const SHOWN_MS = 4000;
const ERROR_SHOWN_MS = 8000;
const WAIT_SHOWN_MS = 60_000;
const BELOW_HEADER_PX = 72;

export function noteDone(message: string): void {
  ElMessage({ message, type: "success", duration: SHOWN_MS, showClose: true, grouping: true, offset: BELOW_HEADER_PX });
}

export function noteProblem(message: string): void {
  ElMessage({ message, type: "error", duration: ERROR_SHOWN_MS, showClose: true, grouping: true, offset: BELOW_HEADER_PX });
}

/** Says how long to wait, and stays for as long, within reason. */
export function noteWait(message: string, wait_s: number): void {
  const duration = Math.min(Math.max(wait_s * 1000, SHOWN_MS), WAIT_SHOWN_MS);
  ElMessage({ message, type: "warning", duration, showClose: true, grouping: true, offset: BELOW_HEADER_PX });
}

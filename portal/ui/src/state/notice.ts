// Short notes that an action went well or badly. They are read out by screen readers and go by themselves.
import { ElMessage } from "element-plus";
import "element-plus/es/components/message/style/css";

const SHOWN_MS = 4000;
const ERROR_SHOWN_MS = 8000;
const BELOW_HEADER_PX = 72;

export function noteDone(message: string): void {
  ElMessage({ message, type: "success", duration: SHOWN_MS, showClose: true, grouping: true, offset: BELOW_HEADER_PX });
}

export function noteProblem(message: string): void {
  ElMessage({ message, type: "error", duration: ERROR_SHOWN_MS, showClose: true, grouping: true, offset: BELOW_HEADER_PX });
}

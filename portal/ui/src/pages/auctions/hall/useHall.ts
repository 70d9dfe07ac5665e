// A page's seat in a hall: the client with the browser's socket, clocks and events around it.
import { onBeforeUnmount, shallowRef, type ShallowRef } from "vue";

import { HallClient, type Surroundings, type Wire } from "../../../api/hall.ts";
import { START, type HallState } from "../../../api/hall-state.ts";
import { newKey } from "../../../api/submission.ts";
import { setServerOffset } from "../../../lib/time.ts";

export interface Seat {
  state: ShallowRef<HallState>;
  start: () => void;
  offer: (price_fen: number) => boolean;
  /** Enters anew as a visitor who oversees; the visit outlives a reload of the page, not the tab. */
  oversee: (visitId: string) => void;
}

const visitKey = (auctionId: string) => `zhecai.visit.${auctionId}`;

function surroundings(auctionId: string): Surroundings {
  const base = `${window.location.origin.replace(/^http/, "ws")}/api/auctions/${auctionId}/hall`;
  return {
    connect: (query) => {
      const visit = sessionStorage.getItem(visitKey(auctionId));
      const more = visit ? `${query ? "&" : "?"}visit=${visit}` : "";
      return new WebSocket(base + query + more) as Wire;
    },
    now_ms: () => Date.now(),
    steady_ms: () => performance.now(),
    chance: () => Math.random(),
    later: (call, wait_ms) => {
      const timer = setTimeout(call, wait_ms);
      return () => clearTimeout(timer);
    },
    newKey,
  };
}

/** Takes a seat; `start()` opens the line, leaving the page closes it. */
export function useHall(auctionId: string): Seat {
  const state = shallowRef<HallState>(START);
  const enter = () =>
    new HallClient(surroundings(auctionId), (now) => {
      if (now.clock && now.clock !== state.value.clock) setServerOffset(now.clock.offset_ms);
      state.value = now;
    });
  let client = enter();
  let started = false;

  const back = () => {
    if (started && document.visibilityState === "visible") client.sync();
  };
  const gone = () => client.offline();
  document.addEventListener("visibilitychange", back);
  window.addEventListener("online", back);
  window.addEventListener("offline", gone);
  onBeforeUnmount(() => {
    document.removeEventListener("visibilitychange", back);
    window.removeEventListener("online", back);
    window.removeEventListener("offline", gone);
    client.stop();
  });

  function start(): void {
    if (started) return;
    started = true;
    client.start();
  }

  function oversee(visitId: string): void {
    sessionStorage.setItem(visitKey(auctionId), visitId);
    client.stop();
    client = enter();
    client.start();
  }

  return { state, start, oversee, offer: (price_fen) => client.offer(price_fen) };
}

// The server's clock from questions and answers: of the last few the one with the shortest way tells best.
const SAMPLES = 5;

export interface ClockReading {
  /** Add to this machine's clock to get the server's, in milliseconds. */
  offset_ms: number;
  rtt_ms: number;
}

export class HallClock {
  #samples: ClockReading[] = [];

  /** Takes in an answer: the round trip, the server's time in it and this machine's when it came. */
  learn(rtt_ms: number, server_ms: number, local_ms: number): ClockReading | null {
    if (Number.isNaN(server_ms) || rtt_ms < 0) return this.reading;
    this.#samples.push({ offset_ms: server_ms + rtt_ms / 2 - local_ms, rtt_ms });
    if (this.#samples.length > SAMPLES) this.#samples.shift();
    return this.reading;
  }

  /** Forgets: after standby or a change of network the old answers say nothing. */
  forget(): void {
    this.#samples = [];
  }

  get reading(): ClockReading | null {
    let best: ClockReading | null = null;
    for (const sample of this.#samples) if (!best || sample.rtt_ms < best.rtt_ms) best = sample;
    return best;
  }
}

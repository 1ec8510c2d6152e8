// Joins what clients saw with the access log: each failure needs a cause that Headgate names, or
// the death of a worker.
import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import type { Exchange } from "./connection.ts";
import type { Load } from "./load.ts";

/** Flags of Envoy that say that the upstream, its cluster or a limit was the cause. */
const CAUSES = new Set(["UF", "UC", "UR", "LR", "UT", "UH", "UO", "URX", "UPE"]);
/** Around the moment when main says that a worker has died. */
const DEATH_MS = { before: 1500, after: 1500 };
/** Around the moment when the drain time of what a reload replaced is over. */
const DRAIN_END_MS = 1500;
/**
 * Lines that a worker has not written when it dies are lost: those of the last flush interval (0.5 s)
 * before it got stuck, with three times as much for a machine that is busy.
 */
const UNWRITTEN_MS = 2000;

interface Line {
  readonly code: number;
  readonly flags: string;
  readonly details: string;
}

/** What clients saw: see Load. */
export type Seen = Pick<Load, "kinds" | "endedAtMs" | "failures" | "started">;

export interface Explanation {
  /** Failures by outcome and cause. */
  readonly causes: ReadonlyMap<string, number>;
  readonly unexplained: readonly string[];
  readonly flags: ReadonlyMap<string, number>;
  readonly lines: number;
  /** Requests answered 200 whose line was lost with a worker. */
  readonly linesLost: number;
  readonly abortedWithoutLine: number;
}

function add(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

/** A worker's, in milliseconds since the epoch. */
export interface Death {
  /** When main said so. */
  readonly atMs: number;
  /**
   * When it did its last work: its guest was told then to never return. Not a fixed time before its
   * end: a watchdog that has no CPU itself counts slowly.
   */
  readonly stuckAtMs: number;
}

/** When things happened that end requests, in milliseconds since the epoch. */
export interface Moments {
  readonly deaths: readonly Death[];
  /** The drain time after a reload is over: what is still open is closed then, as by Envoy. */
  readonly drainEnds: readonly number[];
  /** Since when the script may have had what it saw at a time. Default: it sees at once. */
  readonly seenSince?: (atMs: number) => number;
}

class Joiner {
  readonly causes: Map<string, number> = new Map();
  readonly unexplained: string[] = [];
  readonly flags: Map<string, number> = new Map();
  lines: number = 0;
  linesLost: number = 0;
  abortedWithoutLine: number = 0;
  readonly #load: Seen;
  readonly #deaths: readonly Death[];
  readonly #drainEnds: readonly number[];
  readonly #seenSince: (atMs: number) => number;
  /** How often each id was logged. */
  readonly #logged: Uint8Array;
  readonly #failed: Map<number, Line> = new Map();

  constructor(load: Seen, { deaths, drainEnds, seenSince }: Moments) {
    this.#load = load;
    this.#deaths = deaths;
    this.#drainEnds = drainEnds;
    this.#seenSince = seenSince ?? ((atMs): number => atMs);
    this.#logged = new Uint8Array(load.started);
  }

  take(text: string): void {
    this.lines += 1;
    const [idText = "", code = "", flags = "", details = ""] = text.split("|");
    const id = Number(idText);
    const kind = this.#load.kinds[id];
    add(this.flags, flags);
    if (kind === undefined) {
      this.unexplained.push(`a line of nobody: ${text}`);
      return;
    }
    if (this.#logged[id] !== 0) this.unexplained.push(`logged twice: ${text}`);
    this.#logged[id] = 1;
    const line = { code: Number(code), flags, details };
    if (kind === "failed") this.#failed.set(id, line);
    if (kind === "ok" && (line.code !== 200 || (flags !== "-" && flags !== "URX"))) {
      this.unexplained.push(`whole for the client, but logged as ${text}`);
    }
  }

  end(): void {
    for (const [id, kind] of this.#load.kinds.entries()) {
      if (this.#logged[id] !== 0) continue;
      if (kind === "aborted") this.abortedWithoutLine += 1;
      if (kind !== "ok") continue;
      if (this.#isLostLine(id)) this.linesLost += 1;
      else this.unexplained.push(`request ${id} was answered 200 and not logged`);
    }
    for (const failure of this.#load.failures) {
      const cause = this.#causeOf(failure, this.#failed.get(failure.id));
      if (cause === null) this.unexplained.push(this.#describe(failure));
      else add(this.causes, `${failure.outcome} ${failure.status || "-"}: ${cause}`);
    }
  }

  #isLostLine(id: number): boolean {
    const endedAtMs = this.#load.endedAtMs[id] as number;
    const sinceMs = this.#seenSince(endedAtMs);
    return this.#deaths.some(
      ({ atMs, stuckAtMs }) =>
        endedAtMs > stuckAtMs - UNWRITTEN_MS && sinceMs < atMs + DEATH_MS.after,
    );
  }

  #isAtDeath(failure: Exchange): boolean {
    const { before, after } = DEATH_MS;
    const { endedAtMs } = failure;
    const sinceMs = this.#seenSince(endedAtMs);
    return this.#deaths.some(({ atMs }) => endedAtMs > atMs - before && sinceMs < atMs + after);
  }

  #isDrained({ endedAtMs }: Exchange, { details }: Line): boolean {
    if (!details.startsWith("downstream_local_disconnect")) return false;
    const sinceMs = this.#seenSince(endedAtMs);
    return this.#drainEnds.some(
      (at) => endedAtMs > at - DRAIN_END_MS && sinceMs < at + DRAIN_END_MS,
    );
  }

  /**
   * Sent on a connection that was idle when the drain time was over: the two crossed, and it is to be
   * sent again.
   */
  #hasCrossedDrain({ before, sentAtMs, endedAtMs }: Exchange): boolean {
    if (before === 0) return false;
    const sinceMs = this.#seenSince(endedAtMs);
    return this.#drainEnds.some(
      (at) => at > sentAtMs - DRAIN_END_MS && sinceMs < at + DRAIN_END_MS && endedAtMs > at,
    );
  }

  #causeOf(failure: Exchange, line: Line | undefined): string | null {
    const { outcome } = failure;
    if (outcome === "corrupt" || outcome === "timeout") return null;
    if (line !== undefined) {
      if (outcome === "status" && line.code !== failure.status) return null;
      const flags = line.flags.split(",");
      if (flags.some((flag) => CAUSES.has(flag))) return line.flags;
      if (line.details.startsWith("wasm")) return line.details;
      return this.#isDrained(failure, line) ? "drain time over" : null;
    }
    if (outcome === "status") return this.#isLostLine(failure.id) ? "line lost" : null;
    // Pipelined behind an answer that said close, or that failed: never taken, to be sent again.
    if (outcome === "not taken") return "connection closed before it";
    if (this.#isAtDeath(failure)) return "worker died";
    if (outcome === "no answer" && this.#hasCrossedDrain(failure)) return "crossed a drain's end";
    const isAskedFor = outcome === "cut" && failure.describedAs.includes("fault=");
    return isAskedFor && this.#isLostLine(failure.id) ? "line lost" : null;
  }

  #describe(failure: Exchange): string {
    const line = this.#failed.get(failure.id);
    const log = line === undefined ? "no line" : `${line.code} ${line.flags} ${line.details}`;
    const near = this.#deaths.map(({ atMs }) => failure.endedAtMs - atMs);
    const death = near.toSorted((a, b) => Math.abs(a) - Math.abs(b))[0] ?? Number.NaN;
    const tookMs = failure.endedAtMs - failure.sentAtMs;
    const { id, outcome, status, words, before, describedAs } = failure;
    return (
      `request ${id} ${describedAs}: ${outcome} ${status} ${words} after ${tookMs} ms at ` +
      `${new Date(failure.endedAtMs).toISOString()}, ${before} before it; logged: ${log}; ` +
      `${death} ms from a worker's death`
    );
  }
}

export async function explain(
  load: Seen,
  moments: Moments,
  accessLog: string,
): Promise<Explanation> {
  const joiner = new Joiner(load, moments);
  const lines = createInterface({ input: createReadStream(accessLog, "latin1") });
  for await (const line of lines) joiner.take(line);
  joiner.end();
  return joiner;
}

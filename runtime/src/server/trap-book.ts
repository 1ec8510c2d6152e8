// The reports of guests that were stopped, the last ones of each plugin over all workers, and which
// requests stop them again and again. Filled by trap-desk.ts, shown by trap-page.ts.
import { createHash } from "node:crypto";
import type { RequestShape } from "../wasm/request-shape.ts";
import type { GuestTrap } from "../wasm/trap-report.ts";
import type { PlacedFrame } from "./trap-places.ts";

/** A trap with everything that is known of it. */
export interface TrapReport {
  readonly trap: GuestTrap;
  /** Milliseconds since 1970. */
  readonly timeMs: number;
  readonly frames: readonly PlacedFrame[];
  /** The first place that is the guest's own; "" = not known. */
  readonly place: string;
  /** Of the request; "" = it was in none. */
  readonly fingerprint: string;
}

/** Requests of one shape that stopped guests at one place. */
export interface DeadlyQuery {
  readonly fingerprint: string;
  readonly request: RequestShape;
  /** Of the last one. */
  readonly place: string;
  readonly callback: string;
  readonly stop: string;
  readonly count: number;
  readonly firstMs: number;
  readonly lastMs: number;
}

export interface PluginTraps {
  /** Newest first. */
  readonly reports: readonly TrapReport[];
  readonly reportsDropped: number;
  /** The deadliest first. */
  readonly queries: readonly DeadlyQuery[];
  readonly queriesDropped: number;
}

/** So often a request stops guests before it is said to do so. */
export const DEADLY_FROM = 3;
/** Reports of a plugin: some 8 KiB each. */
export const REPORTS_KEPT = 20;
const QUERIES_KEPT = 64;
const PLUGINS_KEPT = 256;

/** Frames of standard libraries: a report is about the guest's own. */
const LIBRARY = /(^|\/)(rustc|library\/(core|std|alloc))\/|^~lib\//;

class PluginBook {
  readonly reports: TrapReport[] = [];
  reportsDropped: number = 0;
  /** By fingerprint, the one that came last at the end. */
  readonly queries: Map<string, DeadlyQuery> = new Map();
  queriesDropped: number = 0;
}

export class TrapBook {
  readonly #onDropped: () => void;
  /** By name, the one that trapped last at the end. */
  readonly #plugins: Map<string, PluginBook>;

  /** `onDropped` is told of each report and each kind of request that is forgotten. */
  constructor(onDropped: () => void) {
    this.#onDropped = onDropped;
    this.#plugins = new Map();
  }

  /** The report, and the request's record when this was the time to speak of it. */
  add(
    trap: GuestTrap,
    frames: readonly PlacedFrame[],
    timeMs: number,
  ): { readonly report: TrapReport; readonly deadly: DeadlyQuery | null } {
    const request = trap.stream?.request ?? null;
    const place = headlineOf(frames);
    const fingerprint = request === null ? "" : fingerprintOf(request, trap, frames);
    const report: TrapReport = { trap, timeMs, frames, place, fingerprint };
    const book = this.#bookOf(trap.plugin);
    book.reports.push(report);
    if (book.reports.length > REPORTS_KEPT) {
      book.reports.shift();
      book.reportsDropped += 1;
      this.#onDropped();
    }
    const query = request === null ? null : this.#count(book, request, report);
    return { report, deadly: query?.count === DEADLY_FROM ? query : null };
  }

  /** Null = none of its guests was stopped. */
  of(plugin: string): PluginTraps | null {
    const book = this.#plugins.get(plugin);
    if (book === undefined) return null;
    return {
      reports: book.reports.toReversed(),
      reportsDropped: book.reportsDropped,
      queries: [...book.queries.values()].sort((a, b) => b.count - a.count),
      queriesDropped: book.queriesDropped,
    };
  }

  #bookOf(plugin: string): PluginBook {
    const book = this.#plugins.get(plugin) ?? new PluginBook();
    this.#plugins.delete(plugin);
    this.#plugins.set(plugin, book);
    for (const oldest of this.#plugins.keys()) {
      if (this.#plugins.size <= PLUGINS_KEPT) break;
      this.#plugins.delete(oldest);
      this.#onDropped();
    }
    return book;
  }

  #count(book: PluginBook, request: RequestShape, report: TrapReport): DeadlyQuery {
    const { fingerprint, place, timeMs, trap } = report;
    const known = book.queries.get(fingerprint);
    const query: DeadlyQuery = {
      fingerprint,
      request,
      place,
      callback: trap.callback,
      stop: trap.stop,
      count: (known?.count ?? 0) + 1,
      firstMs: known?.firstMs ?? timeMs,
      lastMs: timeMs,
    };
    book.queries.delete(fingerprint);
    book.queries.set(fingerprint, query);
    for (const oldest of book.queries.keys()) {
      if (book.queries.size <= QUERIES_KEPT) break;
      book.queries.delete(oldest);
      book.queriesDropped += 1;
      this.#onDropped();
    }
    return query;
  }
}

function headlineOf(frames: readonly PlacedFrame[]): string {
  const placed = frames.filter(({ place }) => place !== "");
  const own = placed.find(({ place }) => !LIBRARY.test(place));
  return (own ?? placed[0])?.place ?? "";
}

/** By the function and not by its address: another build of the module shall know the request. */
function fingerprintOf(
  { method, path, headerNames }: RequestShape,
  { callback, stop }: GuestTrap,
  [top]: readonly PlacedFrame[],
): string {
  const where = top === undefined ? "" : top.name || String(top.index);
  const parts = JSON.stringify([method, path, headerNames, callback, stop, where]);
  return createHash("sha256").update(parts).digest("hex").slice(0, 12);
}

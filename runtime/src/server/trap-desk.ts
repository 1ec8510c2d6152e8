// Takes what workers tell of guests that were stopped: finds the places in their sources, logs
// them, and keeps the reports. Made by server.ts.
import { LogLevel } from "../core/logger.ts";
import type { Logger } from "../core/logger.ts";
import type { StatsStore } from "../stats/store.ts";
import type { GuestTrap } from "../wasm/trap-report.ts";
import { type DeadlyQuery, type PluginTraps, TrapBook, type TrapReport } from "./trap-book.ts";
import {
  type ModuleFinder,
  type NotKept,
  type PlacedFrame,
  placedText,
  TrapPlaces,
} from "./trap-places.ts";

/** Reports whose sources are being read; the next ones are counted only. */
const PENDING_MAX = 64;

export class TrapDesk {
  readonly #logger: Logger;
  readonly #stats: StatsStore;
  readonly #places: TrapPlaces;
  readonly #book: TrapBook;
  #pending: number = 0;

  constructor(logger: Logger, stats: StatsStore, find: ModuleFinder) {
    this.#logger = logger;
    this.#stats = stats;
    const countNotKept = (what: NotKept): void => stats.counter(`wasm.${what}_not_kept`).inc();
    this.#places = new TrapPlaces(logger, find, countNotKept);
    this.#book = new TrapBook(() => this.#onDropped());
  }

  #onDropped(): void {
    this.#stats.counter("wasm.trap_reports_dropped").inc();
  }

  /** Resolves when it is in the book, with where it was. */
  async take(trap: GuestTrap, timeMs: number = Date.now()): Promise<readonly PlacedFrame[]> {
    if (this.#pending >= PENDING_MAX) {
      this.#onDropped();
      return [];
    }
    this.#pending += 1;
    let frames: PlacedFrame[] = [];
    try {
      frames = await this.#places.framesOf(trap);
    } finally {
      this.#pending -= 1;
    }
    const { report, deadly } = this.#book.add(trap, frames, timeMs);
    this.#log(report);
    if (deadly !== null) this.#logDeadly(trap, deadly);
    return frames;
  }

  /** Null = none of its guests was stopped. */
  of(plugin: string): PluginTraps | null {
    return this.#book.of(plugin);
  }

  /** See TrapPlaces. */
  keepMap(sha256: string, map: Uint8Array): string {
    return this.#places.keepMap(sha256, map);
  }

  /** Where a guest of that version was stopped last; "" = not, or it is not known. */
  placeOf(plugin: string, version: string): string {
    const reports = this.#book.of(plugin)?.reports ?? [];
    return reports.find(({ trap }) => trap.version === version)?.place ?? "";
  }

  /** The worker has logged the trap itself: this adds places. */
  #log({ trap, frames }: TrapReport): void {
    const lines = placedText(frames);
    if (lines === "") return;
    const what = `wasm vm of plugin ${trap.plugin} failed in its sources`;
    this.#logger.log(LogLevel.Error, `${what}, module ${trap.moduleName}${lines}`);
  }

  #logDeadly({ plugin }: GuestTrap, { request, count, fingerprint, place }: DeadlyQuery): void {
    const who = `requests like ${request.method} ${request.path}`;
    const what = `${who} stop plugin ${plugin} again and again`;
    const where = place === "" ? "" : `, at ${place}`;
    const page = `/wasm/plugins/${encodeURIComponent(plugin)}/traps`;
    const text = `wasm ${what}: ${count} times${where}; ${page} counts them as ${fingerprint}`;
    this.#logger.log(LogLevel.Warning, text);
  }
}

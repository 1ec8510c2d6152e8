// Keeps a VM to what its policy lets it make the host hold. Asked by hostcalls and root contexts.
import type { WasmLimits } from "../config/wasm-policy.ts";
import type { Clock } from "../core/clock.ts";
import { LogLevel } from "../core/logger.ts";
import type { HeaderMap } from "../core/header-map.ts";
import type { StatMaker } from "../stats/store.ts";
import type { GuestLog } from "./guest-log.ts";
import type { PluginIdentity } from "./plugin-identity.ts";

/** Last words of the counters `wasm.<plugin>.limit.<word>`, as --wasm-policy has them. */
const words: Readonly<Record<keyof WasmLimits, string>> = {
  calloutsPending: "callouts_pending",
  calloutBytes: "callout_bytes",
  logLinesPerSecond: "log_lines_per_second",
  traceLinesPerSecond: "trace_lines_per_second",
  metrics: "metrics",
  bodyBytes: "body_bytes",
  headerBytes: "header_bytes",
  streamProperties: "stream_properties",
  fileBytes: "file_bytes",
  openFiles: "open_files",
  shadowBytes: "shadow_bytes",
};

/** A map is measured when it has grown by so many entries, or by a long one. */
const ENTRIES_UNMEASURED = 64;
const LONG_ENTRY_BYTES = 4096;
/** What an entry takes beside its texts, as HTTP/2 counts it. */
const ENTRY_BYTES = 32;
const LOG_WINDOW_MS = 1000;

export class GuestLimits {
  readonly max: WasmLimits;
  /** Callouts of all root contexts that wait for an answer, and the bytes that they hold. */
  calloutsPending: number = 0;
  calloutBytes: number = 0;
  readonly #clock: Clock;
  readonly #stats: StatMaker;
  readonly #log: GuestLog;
  /** The first time of each is told: a guest that tries again and again shall not fill the log. */
  readonly #told: Set<string>;
  #logWindowStartMs: number = 0;
  #logLines: number = 0;

  constructor(max: WasmLimits, clock: Clock, stats: StatMaker, log: GuestLog) {
    this.max = max;
    this.#clock = clock;
    this.#stats = stats;
    this.#log = log;
    this.#told = new Set();
    this.#logWindowStartMs = clock.nowMs;
  }

  /** Whether `value` is within the limit; if not, it is counted. */
  allows(name: keyof WasmLimits, value: number, plugin: PluginIdentity | null): boolean {
    if (value <= this.max[name]) return true;
    this.#exceeded(name, plugin);
    return false;
  }

  /** Whether another line may be logged in this second. */
  allowsLine(plugin: PluginIdentity | null): boolean {
    const { nowMs } = this.#clock;
    if (nowMs - this.#logWindowStartMs >= LOG_WINDOW_MS) {
      this.#logWindowStartMs = nowMs;
      this.#logLines = 0;
    }
    this.#logLines += 1;
    return this.allows("logLinesPerSecond", this.#logLines, plugin);
  }

  /** Whether an entry of `bytes` may come to the map; to within 64 entries of 4 KiB. */
  allowsEntry(map: HeaderMap, bytes: number, plugin: PluginIdentity | null): boolean {
    const isMeasured = bytes > LONG_ENTRY_BYTES || map.size % ENTRIES_UNMEASURED === 0;
    if (!isMeasured) return true;
    const held = map.byteSize + map.size * ENTRY_BYTES + bytes;
    return this.allows("headerBytes", held, plugin);
  }

  #exceeded(name: keyof WasmLimits, plugin: PluginIdentity | null): void {
    this.refused(words[name], this.max[name], plugin);
  }

  /** A wish above a limit that is the same for all was refused: it is counted. */
  refused(word: string, max: number, plugin: PluginIdentity | null): void {
    const owner = plugin?.name ?? "unknown";
    const counter = `wasm.${owner}.limit.${word}`;
    this.#stats.counter(counter).inc();
    if (this.#told.has(word)) return;
    this.#told.add(word);
    const what = `plugin ${owner} is above its limit ${word} (${max})`;
    this.#log.host(LogLevel.Warning, `wasm ${what}; later ones are counted in ${counter}`);
  }
}

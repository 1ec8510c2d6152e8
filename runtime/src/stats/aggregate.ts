// All threads' stats as the main thread sees them: sums over shared memory, by name. Used by the
// admin interface; sources are added and removed by server/ as workers come and go.
import { assert } from "../core/assert.ts";
import { HISTOGRAM_SLOTS } from "./histogram.ts";
import type { HistogramSlots } from "./histogram.ts";
import { StatKind, StatsStore } from "./store.ts";
import type { StatDefinition } from "./store.ts";

/** Stats that are made when they are asked for: their names come and go. */
export interface StatsProvider {
  scalars(): readonly ScalarStat[];
  /** Counters stand at 0 from now on. */
  resetCounters(): void;
}

/** Names that begin so are for `/clusters` only: "@host.<cluster>|<address>|<counter>". */
const HIDDEN_MARK = "@";

/** One thread's memory; a handle for define() and removeSource(). */
export interface StatsSource {
  readonly values: Float64Array;
}

/** A counter or gauge of the process. */
export interface ScalarStat {
  readonly name: string;
  readonly kind: typeof StatKind.Counter | typeof StatKind.Gauge;
  readonly value: number;
  /** The whole of a gauge that a double cannot hold; null = `value` is. */
  readonly wide: bigint | null;
  /** It was written since start, as far as can be told: it is or was seen different from 0. */
  readonly isUsed: boolean;
}

/** A histogram of the process. */
export interface HistogramStat {
  readonly name: string;
  /** Since the process' start. */
  readonly cumulative: HistogramSlots;
  /** Of the last flush interval; count 0 before the first. */
  readonly interval: HistogramSlots;
}

interface Part {
  readonly source: StatsSource;
  readonly slot: number;
}

interface ScalarEntry {
  readonly name: string;
  readonly kind: typeof StatKind.Counter | typeof StatKind.Gauge;
  parts: Part[];
  /** What dead workers had counted, less what was there at the last reset. */
  base: number;
  isUsed: boolean;
}

interface HistogramEntry {
  readonly name: string;
  parts: Part[];
  /** Of dead workers; null = none. */
  base: HistogramSlots | null;
  /** Sum at the last flush, and what the interval before it brought; null = nothing yet. */
  flushed: HistogramSlots | null;
  interval: HistogramSlots | null;
}

const emptyHistogram: HistogramSlots = new Float64Array(HISTOGRAM_SLOTS);

export class StatsAggregate {
  /** The main thread's own stats: one of the sources. */
  readonly store: StatsStore;
  readonly #scalars: Map<string, ScalarEntry>;
  readonly #histograms: Map<string, HistogramEntry>;
  readonly #textReadouts: Map<string, string>;
  readonly #wideGauges: Map<string, bigint>;
  readonly #providers: StatsProvider[];
  #sortedScalars: ScalarEntry[] | null = null;
  #sortedHistograms: HistogramEntry[] | null = null;

  constructor(slotsMax?: number) {
    this.#scalars = new Map();
    this.#histograms = new Map();
    this.#textReadouts = new Map();
    this.#wideGauges = new Map();
    this.#providers = [];
    let own: StatsSource | null = null;
    this.store = new StatsStore({
      ...(slotsMax === undefined ? {} : { slotsMax }),
      onDefine: (definition) => {
        assert(own !== null);
        this.define(own, [definition]);
      },
    });
    own = this.addSource(this.store.memory);
  }

  /** A worker is there; its stats follow by define(). */
  addSource(memory: SharedArrayBuffer): StatsSource {
    return { values: new Float64Array(memory) };
  }

  /** What it says is among counters and gauges. */
  addProvider(provider: StatsProvider): void {
    this.#providers.push(provider);
  }

  /** Stats that the thread of `source` made. Slots outside its memory are a fault of ours. */
  define(source: StatsSource, definitions: readonly StatDefinition[]): void {
    for (const { name, kind, slot } of definitions) {
      assert(slot >= 0);
      assert(slot + (kind === StatKind.Histogram ? HISTOGRAM_SLOTS : 1) <= source.values.length);
      const part: Part = { source, slot };
      if (kind === StatKind.Histogram) this.#histogramEntry(name).parts.push(part);
      else this.#scalarEntry(name, kind).parts.push(part);
    }
  }

  /** The worker is dead: what it counted stays, its gauges are gone. */
  removeSource(source: StatsSource): void {
    for (const entry of this.#scalars.values()) {
      for (const part of entry.parts) {
        if (part.source !== source) continue;
        if (entry.kind === StatKind.Counter) entry.base += valueOf(part);
        else if (valueOf(part) !== 0) entry.isUsed = true;
      }
      entry.parts = entry.parts.filter((part) => part.source !== source);
    }
    for (const entry of this.#histograms.values()) {
      for (const part of entry.parts) {
        if (part.source !== source || valueOf(part) === 0) continue;
        entry.base ??= new Float64Array(HISTOGRAM_SLOTS);
        addHistogram(entry.base, part);
      }
      entry.parts = entry.parts.filter((part) => part.source !== source);
    }
  }

  /** A counter's or gauge's value by full name, hidden ones too; 0 when there is none. */
  value(name: string): number {
    const entry = this.#scalars.get(name);
    return entry === undefined ? 0 : sumOf(entry);
  }

  /** Sets a gauge of the main thread that may need all of 64 bits (a hash). */
  setWideGauge(name: string, value: bigint): void {
    this.store.gauge(name).set(Number(value));
    this.#wideGauges.set(name, value);
  }

  /** Sets a text readout ("control_plane.identifier"). */
  setTextReadout(name: string, text: string): void {
    this.#textReadouts.set(name, text);
  }

  /** Name and text, sorted by name. */
  textReadouts(): (readonly [string, string])[] {
    return [...this.#textReadouts].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  /** Counters and gauges together, sorted by name as bytes; without hidden ones. */
  scalars(): ScalarStat[] {
    this.#sortedScalars ??= sortedVisible(this.#scalars);
    const kept = this.#sortedScalars.map((entry): ScalarStat => {
      const value = sumOf(entry);
      if (value !== 0) entry.isUsed = true;
      const wide = this.#wideGauges.get(entry.name) ?? null;
      return { name: entry.name, kind: entry.kind, value, wide, isUsed: entry.isUsed };
    });
    const provided = this.#providers.flatMap((provider) => provider.scalars());
    if (provided.length === 0) return kept;
    return kept.concat(provided).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Sorted by name. The arrays are the caller's to read, until the next flush. */
  histograms(): HistogramStat[] {
    this.#sortedHistograms ??= sortedVisible(this.#histograms);
    return this.#sortedHistograms.map((entry) => ({
      name: entry.name,
      cumulative: countOf(entry) === 0 ? emptyHistogram : mergeOf(entry),
      interval: entry.interval ?? emptyHistogram,
    }));
  }

  /** All counters stand at 0. Values in shared memory are written by their owners only. */
  resetCounters(): void {
    for (const provider of this.#providers) provider.resetCounters();
    for (const entry of this.#scalars.values()) {
      if (entry.kind !== StatKind.Counter || entry.name.startsWith(HIDDEN_MARK)) continue;
      const value = sumOf(entry);
      if (value !== 0) entry.isUsed = true;
      entry.base -= value;
    }
  }

  /** Ends the interval of histograms; called each stats_flush_interval (default 5 s). */
  flushHistograms(): void {
    for (const entry of this.#histograms.values()) {
      const before = entry.flushed;
      if (countOf(entry) === (before === null ? 0 : (before[0] as number))) {
        entry.interval = null;
        continue;
      }
      const now = mergeOf(entry);
      const interval = new Float64Array(HISTOGRAM_SLOTS);
      for (let i = 0; i < HISTOGRAM_SLOTS; i += 1) {
        interval[i] = (now[i] as number) - (before === null ? 0 : (before[i] as number));
      }
      entry.interval = interval;
      entry.flushed = now;
    }
    for (const entry of this.#scalars.values()) {
      if (!entry.isUsed && sumOf(entry) !== 0) entry.isUsed = true;
    }
  }

  #scalarEntry(name: string, kind: ScalarEntry["kind"]): ScalarEntry {
    const known = this.#scalars.get(name);
    if (known !== undefined) return known;
    const entry: ScalarEntry = { name, kind, parts: [], base: 0, isUsed: false };
    this.#scalars.set(name, entry);
    this.#sortedScalars = null;
    return entry;
  }

  #histogramEntry(name: string): HistogramEntry {
    const known = this.#histograms.get(name);
    if (known !== undefined) return known;
    const entry: HistogramEntry = { name, parts: [], base: null, flushed: null, interval: null };
    this.#histograms.set(name, entry);
    this.#sortedHistograms = null;
    return entry;
  }
}

function sortedVisible<T extends { readonly name: string }>(entries: ReadonlyMap<string, T>): T[] {
  const visible = [...entries.values()].filter((entry) => !entry.name.startsWith(HIDDEN_MARK));
  return visible.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function valueOf(part: Part): number {
  return part.source.values[part.slot] as number;
}

function sumOf(entry: ScalarEntry): number {
  let sum = entry.base;
  for (const part of entry.parts) sum += valueOf(part);
  return sum;
}

function countOf(entry: HistogramEntry): number {
  let count = entry.base === null ? 0 : (entry.base[0] as number);
  for (const part of entry.parts) count += valueOf(part);
  return count;
}

/**
 * The sum of all parts. Workers write meanwhile, so the count is made from the buckets: quantiles
 * walk the buckets up to it.
 */
function mergeOf(entry: HistogramEntry): HistogramSlots {
  const merged =
    entry.base === null ? new Float64Array(HISTOGRAM_SLOTS) : new Float64Array(entry.base);
  for (const part of entry.parts) if (valueOf(part) !== 0) addHistogram(merged, part);
  let count = 0;
  for (let i = 2; i < HISTOGRAM_SLOTS; i += 1) count += merged[i] as number;
  merged[0] = count;
  return merged;
}

function addHistogram(target: HistogramSlots, part: Part): void {
  const values = part.source.values;
  for (let i = 0; i < HISTOGRAM_SLOTS; i += 1) {
    target[i] = (target[i] as number) + (values[part.slot + i] as number);
  }
}

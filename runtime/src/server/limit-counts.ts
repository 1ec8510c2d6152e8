// How often a worker met limits at which nothing is lost or refused, as stats: what meets them only
// counts, so that no caller waits for a stat. Called by worker.ts.
import type { Http1Shared } from "../codec/http1/shared.ts";
import { blockPool } from "../core/block-pool.ts";
import { lentRoom } from "../core/lent-room.ts";
import { regexCounts } from "../core/regex.ts";
import { coarseTickMs, intervalTicks } from "../core/timer-wheel.ts";
import { UringEngine } from "../engine-uring/uring-engine.ts";
import type { NetworkEngine } from "../engine/network-engine.ts";
import type { Counter, StatsStore } from "../stats/store.ts";

export function countLimits(engine: NetworkEngine, http1: Http1Shared, stats: StatsStore): void {
  // The simulation's: it has a time of its own.
  if (engine.limits === undefined) return;
  const counts = new LimitCounts(engine, http1, stats);
  // With the wheel's tick, so that nobody wakes up for it.
  intervalTicks.start(coarseTickMs, () => counts.update());
}

export class LimitCounts {
  readonly #engine: NetworkEngine;
  readonly #http1: Http1Shared;
  readonly #readsHeld: Counter;
  readonly #gathersFull: Counter;
  readonly #batchesFull: Counter;
  readonly #blocks: Counter;
  readonly #compactions: Counter;
  readonly #lentRoom: Counter;
  readonly #headerMaps: Counter;
  readonly #regexAnswers: Counter;
  readonly #ring: RingCounts | null;

  constructor(engine: NetworkEngine, http1: Http1Shared, stats: StatsStore) {
    this.#engine = engine;
    this.#http1 = http1;
    this.#readsHeld = stats.counter("engine.reads_held");
    this.#gathersFull = stats.counter("engine.gathers_full");
    this.#batchesFull = stats.counter("engine.batches_full");
    this.#blocks = stats.counter("memory.body_blocks_not_kept");
    this.#compactions = stats.counter("memory.bodies_moved_together");
    this.#lentRoom = stats.counter("memory.lent_room_full");
    this.#headerMaps = stats.counter("memory.header_maps_not_kept");
    this.#regexAnswers = stats.counter("memory.regex_answers_forgotten");
    this.#ring = engine instanceof UringEngine ? new RingCounts(engine, stats) : null;
  }

  update(): void {
    const { limits } = this.#engine;
    follow(this.#readsHeld, limits?.readsHeld ?? 0);
    follow(this.#gathersFull, limits?.gathersFull ?? 0);
    follow(this.#batchesFull, limits?.batchesFull ?? 0);
    follow(this.#blocks, blockPool.refused);
    follow(this.#compactions, blockPool.compactions);
    follow(this.#lentRoom, lentRoom.refused);
    follow(this.#headerMaps, this.#http1.refused);
    follow(this.#regexAnswers, regexCounts.forgotten);
    this.#ring?.update();
  }
}

class RingCounts {
  readonly #engine: UringEngine;
  readonly #buffersShort: Counter;
  readonly #arenaFull: Counter;
  readonly #overflows: Counter;

  constructor(engine: UringEngine, stats: StatsStore) {
    this.#engine = engine;
    this.#buffersShort = stats.counter("io_uring.read_buffers_short");
    this.#arenaFull = stats.counter("io_uring.send_arena_full");
    this.#overflows = stats.counter("io_uring.completions_overflow");
  }

  update(): void {
    const { limits } = this.#engine;
    follow(this.#buffersShort, limits.readBuffersShort);
    follow(this.#arenaFull, limits.sendArenaFull);
    follow(this.#overflows, limits.completionsOverflow);
  }
}

function follow(counter: Counter, count: number): void {
  if (counter.value !== count) counter.add(count - counter.value);
}

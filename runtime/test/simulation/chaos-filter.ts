// A filter that pauses, holds, changes and answers at random, within the rules of the contract: what a guest could do.
// It knows the exchange, so that both ends know what to expect.
import type { BufferQueue } from "../../src/core/buffer-queue.ts";
import type { Clock } from "../../src/core/clock.ts";
import type { HeaderMap } from "../../src/core/header-map.ts";
import { TimerEntry, type TimerWheel } from "../../src/core/timer-wheel.ts";
import type { Dice } from "../../src/engine-sim/dice.ts";
import {
  FilterDataStatus,
  FilterHeadersStatus,
  FilterTrailersStatus,
} from "../../src/filter/filter-status.ts";
import type {
  FilterChainFactory,
  HttpFilter,
  HttpFilterCallbacks,
  LocalReply,
} from "../../src/filter/http-filter.ts";
import { type Exchange, tailByte } from "./exchange.ts";

export interface ChaosContext {
  readonly clock: Clock;
  readonly timers: TimerWheel;
  readonly findExchange: (id: string | null) => Exchange | undefined;
  readonly fail: (message: string) => never;
  readonly mayReply: boolean;
  /** Filters behind the router are told the end of a body apart from its last bytes. */
  readonly doEndsComeApart: boolean;
  /** Filters that were made and not destroyed. */
  live: number;
}

const headersHolds = [
  FilterHeadersStatus.StopIteration,
  FilterHeadersStatus.StopAllIterationAndBuffer,
  FilterHeadersStatus.StopAllIterationAndWatermark,
];
const dataHolds = [
  FilterDataStatus.StopIterationAndBuffer,
  FilterDataStatus.StopIterationAndWatermark,
];

/** One direction of one stream. Its timer lets a held message go on. */
class Direction extends TimerEntry {
  readonly #filter: ChaosFilter;
  readonly isDecode: boolean;
  /** Chance to hold at each callback. */
  holdChance: number;
  shift: number;
  tail: number;
  isHolding: boolean;

  constructor(filter: ChaosFilter, isDecode: boolean) {
    super();
    this.#filter = filter;
    this.isDecode = isDecode;
    this.holdChance = 0;
    this.shift = 0;
    this.tail = 0;
    this.isHolding = false;
  }

  override onDeadline(): void {
    this.isHolding = false;
    this.#filter.goOn(this.isDecode);
  }
}

export class ChaosFilter implements HttpFilter {
  readonly wants: number = 63;
  readonly #context: ChaosContext;
  readonly #dice: Dice;
  /** Behind the router: nobody logs there. */
  readonly #isUpstream: boolean;
  readonly #decode: Direction;
  readonly #encode: Direction;
  #callbacks: HttpFilterCallbacks | null;
  #position: number;
  #exchange: Exchange | null;
  #replyChance: number;
  #isLogged: boolean;
  #isDestroyed: boolean;

  constructor(context: ChaosContext, dice: Dice, isUpstream: boolean) {
    this.#context = context;
    this.#dice = dice;
    this.#isUpstream = isUpstream;
    this.#decode = new Direction(this, true);
    this.#encode = new Direction(this, false);
    this.#callbacks = null;
    this.#position = -1;
    this.#exchange = null;
    this.#replyChance = 0;
    this.#isLogged = false;
    this.#isDestroyed = false;
    context.live += 1;
  }

  attach(callbacks: HttpFilterCallbacks, position: number): void {
    this.#callbacks = callbacks;
    this.#position = position;
  }

  decodeHeaders(headers: HeaderMap, end: boolean): FilterHeadersStatus {
    this.#enter();
    const exchange = this.#context.findExchange(headers.get("x-sim-id") ?? null) ?? null;
    this.#exchange = exchange;
    this.#choose();
    if (exchange !== null) this.#plan(exchange, headers, end);
    return this.#headers(this.#decode);
  }

  decodeData(data: BufferQueue, end: boolean): FilterDataStatus {
    return this.#data(this.#decode, data, end);
  }

  decodeTrailers(_trailers: HeaderMap): FilterTrailersStatus {
    return this.#trailers(this.#decode);
  }

  encodeHeaders(headers: HeaderMap, end: boolean): FilterHeadersStatus {
    this.#enter();
    const isOfUpstream = headers.get("x-sim-id") !== undefined;
    if (!isOfUpstream || this.#exchange?.isBodiless === true || end) {
      this.#encode.shift = 0;
      this.#encode.tail = 0;
    }
    if (this.#encode.tail > 0) headers.remove("content-length");
    return this.#headers(this.#encode);
  }

  encodeData(data: BufferQueue, end: boolean): FilterDataStatus {
    return this.#data(this.#encode, data, end);
  }

  encodeTrailers(_trailers: HeaderMap): FilterTrailersStatus {
    return this.#trailers(this.#encode);
  }

  onLog(): void {
    if (this.#isLogged || this.#isDestroyed) this.#context.fail("onLog twice or after onDestroy");
    if (this.#isUpstream) this.#context.fail("onLog behind the router");
    this.#isLogged = true;
  }

  onDestroy(): void {
    if (this.#isDestroyed) this.#context.fail("onDestroy twice");
    if (!this.#isLogged && !this.#isUpstream) this.#context.fail("onDestroy without onLog");
    this.#isDestroyed = true;
    this.#context.live -= 1;
    this.#context.timers.cancel(this.#decode);
    this.#context.timers.cancel(this.#encode);
  }

  /** The pause is over: goes on, or answers, or breaks off. */
  goOn(isDecode: boolean): void {
    this.#enter();
    const callbacks = this.#callbacks as HttpFilterCallbacks;
    if (this.#replies()) return;
    if (isDecode) callbacks.continueDecoding(this.#position);
    else callbacks.continueEncoding(this.#position);
  }

  // ---- What it does in this stream.

  #choose(): void {
    const dice = this.#dice;
    this.#decode.holdChance = dice.pick([0, 0, 0.1, 0.4]);
    this.#encode.holdChance = dice.pick([0, 0, 0.1, 0.4]);
    this.#replyChance = this.#context.mayReply ? dice.pick([0, 0, 0.02, 0.1]) : 0;
  }

  /** Changes to bodies are written into the exchange, on top of what other filters planned. */
  #plan(exchange: Exchange, headers: HeaderMap, end: boolean): void {
    const dice = this.#dice;
    const before = exchange.filter;
    // Bytes behind the end can be added by one filter only: the next would shift them.
    const isFirst =
      before.requestTail + before.responseTail + before.requestShift + before.responseShift === 0;
    if (exchange.attempts > 0 || !isFirst) return;
    this.#decode.shift = dice.chance(0.2) ? dice.between(1, 255) : 0;
    this.#encode.shift = dice.chance(0.2) ? dice.between(1, 255) : 0;
    if (
      !end &&
      exchange.request.framing === "chunked" &&
      !exchange.request.hasTrailers &&
      dice.chance(0.2)
    ) {
      this.#decode.tail = dice.spread(1, 5000);
      headers.remove("content-length");
    }
    const { answer } = exchange;
    // A body that a reset cuts short may pass for whole (see sim-client.ts), and the tail would follow.
    if (
      answer.framing !== "close" &&
      !answer.hasTrailers &&
      !exchange.isBodiless &&
      answer.bodyBytes > 0 &&
      dice.chance(0.2)
    ) {
      this.#encode.tail = dice.spread(1, 5000);
    }
    exchange.filter = {
      requestShift: this.#decode.shift,
      responseShift: this.#encode.shift,
      requestTail: this.#decode.tail,
      responseTail: this.#encode.tail,
    };
  }

  #headers(direction: Direction): FilterHeadersStatus {
    if (this.#replies()) return FilterHeadersStatus.StopIteration;
    if (!this.#holds(direction)) return FilterHeadersStatus.Continue;
    return this.#dice.pick(headersHolds);
  }

  #data(direction: Direction, data: BufferQueue, end: boolean): FilterDataStatus {
    this.#enter();
    if (direction.shift !== 0) shiftAll(data, direction.shift);
    if (end && direction.tail > 0) data.append(Buffer.alloc(direction.tail, tailByte));
    // The client may have all bytes already and go on: what becomes of the end is not this exchange's.
    const isBareEnd = end && data.length === 0 && this.#context.doEndsComeApart;
    if (isBareEnd && !direction.isHolding) return FilterDataStatus.Continue;
    if (this.#replies()) return FilterDataStatus.StopIterationNoBuffer;
    if (direction.isHolding) return this.#dice.pick(dataHolds);
    return this.#holds(direction) ? this.#dice.pick(dataHolds) : FilterDataStatus.Continue;
  }

  #trailers(direction: Direction): FilterTrailersStatus {
    this.#enter();
    if (this.#replies()) return FilterTrailersStatus.StopIteration;
    if (direction.isHolding) return FilterTrailersStatus.StopIteration;
    return this.#holds(direction)
      ? FilterTrailersStatus.StopIteration
      : FilterTrailersStatus.Continue;
  }

  /** Starts a pause by chance; the timer ends it. */
  #holds(direction: Direction): boolean {
    if (direction.isHolding) return true;
    if (!this.#dice.chance(direction.holdChance)) return false;
    direction.isHolding = true;
    const { clock, timers } = this.#context;
    timers.schedule(direction, clock.nowMs + this.#dice.spread(0, 120));
    return true;
  }

  #replies(): boolean {
    if (!this.#dice.chance(this.#replyChance)) return false;
    const callbacks = this.#callbacks as HttpFilterCallbacks;
    this.#exchange?.excuses.add("filter");
    if (this.#dice.chance(0.2)) callbacks.resetStream("chaos_reset");
    else callbacks.sendLocalReply(this.#reply());
    return true;
  }

  #reply(): LocalReply {
    const body = this.#dice.chance(0.3) ? "" : "chaos".repeat(this.#dice.spread(1, 3000));
    return {
      status: this.#dice.pick([403, 418, 503]),
      body,
      headers: null,
      grpcStatus: -1,
      details: "chaos reply",
      responseFlags: 0,
    };
  }

  #enter(): void {
    if (this.#isDestroyed) this.#context.fail("a filter was called after onDestroy");
  }
}

function shiftAll(data: BufferQueue, shift: number): void {
  for (const chunk of data.chunks) {
    for (let i = 0; i < chunk.length; i += 1) chunk[i] = ((chunk[i] as number) + shift) & 255;
  }
}

/** Some filters that misbehave, in front of those that are configured. */
export function withChaos(
  filters: FilterChainFactory | null,
  chaos: () => ChaosContext,
  dice: Dice,
  isUpstream: boolean,
): FilterChainFactory {
  return {
    createFilters: (overrides, info, headers, room) => {
      const own = Array.from(
        { length: dice.below(4) },
        () => new ChaosFilter(chaos(), dice.fork(), isUpstream),
      );
      return [...own, ...(filters?.createFilters(overrides, info, headers, room) ?? [])];
    },
  };
}

// The clients of the soak run: what they ask for, how they behave, and a record of every request.
import { CLUSTERS } from "./config.ts";
import type { ClusterName } from "./config.ts";
import { ClientConnection } from "./connection.ts";
import type { Exchange, Outcome } from "./connection.ts";
import { BODY_BYTES_MAX, content } from "./content.ts";
import { Random } from "./random.ts";

/** What a client's connection is for. */
type Manner = "kept" | "fresh" | "pipelined" | "aborting" | "slow reader";
/** How many clients of each there are. */
const MANNERS: readonly (readonly [Manner, number])[] = [
  ["kept", 60],
  ["fresh", 24],
  ["pipelined", 8],
  ["aborting", 6],
  ["slow reader", 4],
];
const FAULTS = ["reset", "garbage", "close", "middle", "cut", "last"] as const;
const FAULT_PROBABILITY = 0.02;
const SLOW_PROBABILITY = 0.05;
/** Now and then longer than the route's timeout. */
const SLOW_MS_MAX = 1200;
const STUCK_MS = 6000;
const LATENCY_BUCKETS_MS = 60_000;

/** What a request came to; those that were ordered to fail are not judged. */
export type Kind = "none" | "failed" | "ok" | "aborted" | "ordered";

export class Load {
  readonly outcomes: Map<Outcome, number> = new Map();
  /** Every request that did not end as wanted; aborted ones are not among them. */
  readonly failures: Exchange[] = [];
  /** By id: how it ended, and when. */
  readonly kinds: Kind[] = [];
  readonly endedAtMs: number[] = [];
  started = 0;
  /** Of requests that were answered 200: how many took so many milliseconds. */
  readonly latencies: Uint32Array = new Uint32Array(LATENCY_BUCKETS_MS);
  readonly #ports: readonly number[];
  readonly #random: Random;
  readonly #meanPauseMs: number;
  readonly #clients: Promise<void>[] = [];
  readonly #open: Set<ClientConnection> = new Set();
  #isStopping = false;

  constructor(ports: readonly number[], requestsPerSecond: number, seed: number) {
    this.#ports = ports;
    this.#random = new Random(seed);
    const clients = MANNERS.reduce((sum, [, count]) => sum + count, 0);
    this.#meanPauseMs = (clients / requestsPerSecond) * 1000;
  }

  start(): void {
    for (const [manner, count] of MANNERS) {
      for (let i = 0; i < count; i += 1) this.#clients.push(this.#run(manner));
    }
  }

  /** Waits for what is under way. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#clients);
    for (const connection of this.#open) connection.close();
  }

  /** A request that tells the filter to trap, or never to return. */
  order(order: "trap" | "loop"): void {
    const port = this.#random.pick(this.#ports);
    const exchange = this.#exchange("static", `x-soak: ${order}\r\n`, true);
    const connection = this.#connect(port, () => connection.close());
    this.kinds[exchange.id] = "ordered";
    connection.send(exchange);
  }

  /** Milliseconds, of requests that were answered 200. */
  percentile(share: number): number {
    const total = this.latencies.reduce((sum, count) => sum + count, 0);
    let seen = 0;
    return this.latencies.findIndex((count) => {
      seen += count;
      return seen >= total * share;
    });
  }

  async #run(manner: Manner): Promise<void> {
    let connection: ClientConnection | null = null;
    let onFree = (): void => {};
    while (!this.#isStopping) {
      const count = manner === "pipelined" ? this.#random.between(2, 6) : 1;
      await this.#pause(count);
      if (this.#isStopping) break;
      if (connection === null || !connection.isUsable || this.#random.chance(0.03)) {
        connection?.close();
        connection = this.#connect(this.#random.pick(this.#ports), () => onFree());
      }
      const own = connection;
      const free = new Promise<void>((resolve) => {
        onFree = resolve;
      });
      this.#ask(own, manner, count);
      await free;
      if (manner !== "kept" && manner !== "pipelined") {
        own.close();
        connection = null;
      }
    }
    connection?.close();
  }

  #ask(connection: ClientConnection, manner: Manner, count: number): void {
    if (manner === "slow reader") {
      const cluster = this.#random.pick(["static", "eds", "dns"] as const);
      const length = this.#random.between(BODY_BYTES_MAX / 4, BODY_BYTES_MAX);
      connection.send(this.#download(cluster, length, "/patient", ""));
      connection.readSlowly(this.#random.between(20, 120));
      return;
    }
    for (let i = 0; i < count; i += 1) connection.send(this.#any(manner));
    if (manner === "aborting") {
      const isReset = this.#random.chance(0.5);
      setTimeout(() => connection.abort(isReset), this.#random.between(1, 60));
    }
  }

  #any(manner: Manner): Exchange {
    // The one with few connections gets few requests, so that it is not full all the time.
    const cluster = this.#random.chance(0.03)
      ? "tight"
      : this.#random.pick(CLUSTERS.filter((name) => name !== "tight"));
    let query = "";
    if (this.#random.chance(FAULT_PROBABILITY)) query += `&fault=${this.#random.pick(FAULTS)}`;
    if (this.#random.chance(SLOW_PROBABILITY) || cluster === "tight") {
      query += `&slow=${this.#random.between(1, SLOW_MS_MAX)}`;
    } else if (this.#random.chance(0.001)) {
      query += `&slow=${STUCK_MS}`;
    }
    if (this.#random.chance(0.3)) query += "&chunked=1";
    const isUpload = manner !== "pipelined" && this.#random.chance(0.3);
    const length = this.#length(manner);
    return isUpload
      ? this.#upload(cluster, length, query)
      : this.#download(cluster, length, "", query);
  }

  /** Mostly small, up to 1 MiB. */
  #length(manner: Manner): number {
    const most = manner === "pipelined" ? 14 : manner === "aborting" ? 20 : 16;
    const isLarge = this.#random.chance(0.01);
    const bits = this.#random.next() * (isLarge ? 20 : most);
    return this.#random.chance(0.03) ? 0 : Math.floor(2 ** bits);
  }

  #download(cluster: ClusterName, length: number, sub: string, query: string): Exchange {
    const offset = this.#random.between(0, 4095);
    const path = `${sub}/down?o=${offset}&n=${length}${query}`;
    return this.#exchange(cluster, "", true, path, content(offset, length));
  }

  #upload(cluster: ClusterName, length: number, query: string): Exchange {
    const body = content(this.#random.between(0, 4095), length);
    const chunkBytes = this.#random.chance(0.5) ? this.#random.between(100, 40_000) : 0;
    const framing = chunkBytes > 0 ? "transfer-encoding: chunked" : `content-length: ${length}`;
    const path = `/echo?${query.slice(1)}`;
    return this.#exchange(cluster, `${framing}\r\n`, false, path, body, chunkBytes);
  }

  #exchange(
    cluster: ClusterName,
    lines: string,
    isGet: boolean,
    path = "/down?n=100",
    expected: Buffer = content(0, 100),
    chunkBytes = 0,
  ): Exchange {
    const id = this.started;
    this.started += 1;
    this.kinds.push("none");
    this.endedAtMs.push(0);
    const method = isGet ? "GET" : "POST";
    const target = `/${cluster}${path}`;
    return {
      id,
      head: `${method} ${target} HTTP/1.1\r\nhost: soak\r\nx-soak-id: ${id}\r\n${lines}\r\n`,
      body: isGet ? null : expected,
      chunkBytes,
      expected,
      describedAs: `${method} ${target}`,
      sentAtMs: 0,
      endedAtMs: 0,
      status: 0,
      outcome: null,
      words: "",
      before: 0,
    };
  }

  #connect(port: number, onFree: () => void): ClientConnection {
    const connection: ClientConnection = new ClientConnection(
      port,
      (exchange) => this.#onEnd(exchange),
      () => {
        if (!connection.isUsable) this.#open.delete(connection);
        onFree();
      },
    );
    this.#open.add(connection);
    return connection;
  }

  #onEnd(exchange: Exchange): void {
    const outcome = exchange.outcome as Outcome;
    this.endedAtMs[exchange.id] = exchange.endedAtMs;
    if (this.kinds[exchange.id] === "ordered") return;
    this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1);
    if (outcome === "ok") {
      const tookMs = Math.min(exchange.endedAtMs - exchange.sentAtMs, LATENCY_BUCKETS_MS - 1);
      this.latencies[tookMs] = (this.latencies[tookMs] ?? 0) + 1;
      this.kinds[exchange.id] = "ok";
    } else if (outcome === "aborted") {
      this.kinds[exchange.id] = "aborted";
    } else {
      this.kinds[exchange.id] = "failed";
      this.failures.push(exchange);
    }
  }

  /** Times between requests are exponential, so that they come in bunches, too. */
  #pause(requests: number): Promise<void> {
    const ms = -Math.log(1 - this.#random.next()) * this.#meanPauseMs * requests;
    return new Promise((resolve) => setTimeout(resolve, ms));
  }
}

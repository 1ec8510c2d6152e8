// One run: the proxy with real configuration, its network, its clients and its upstreams, all from one seed. run() plays
// it to the end and returns what happened; what must not happen throws SimulationFailure.
import { StatKind } from "../../src/stats/store.ts";
import { Dice } from "../../src/engine-sim/dice.ts";
import { calmNetwork } from "../../src/engine-sim/fault-profile.ts";
import { SimEngine } from "../../src/engine-sim/sim-engine.ts";
import type { SimIo } from "../../src/engine-sim/sim-io.ts";
import type { SimLoop } from "../../src/engine-sim/sim-loop.ts";
import { SimNetwork } from "../../src/engine-sim/sim-network.ts";
import type { SimSocket } from "../../src/engine-sim/sim-socket.ts";
import type { IoEvents, IoHandle } from "../../src/engine/network-engine.ts";
import type { FilterChainFactory } from "../../src/filter/http-filter.ts";
import type { WorkerServer } from "../../src/server/worker.ts";
import { staticMembership } from "../../src/upstream/dns-resolver.ts";
import { emptyYaml, proxyPort, rawHost, tunnelHost, upstreams } from "./bootstrap-yaml.ts";
import { type ChaosContext, withChaos } from "./chaos-filter.ts";
import { Casualties } from "./casualties.ts";
import type { ConfigSource } from "./config-source.ts";
import { describe, type Exchange } from "./exchange.ts";
import { latecomers } from "./latecomers.ts";
import { fieldOf, type Head } from "./message-reader.ts";
import { judge, judgeEnd, judgeTimers } from "./judge.ts";
import { LogFile } from "./log-file.ts";
import { drawManners, planStrays, secureClient, secureServer } from "./secure-peers.ts";
import type { Party, PeerIo } from "./party.ts";
import { checkConnections, judgeAnswer, planOverloads, Storms } from "./overload-storm.ts";
import { RunPlan } from "./plan.ts";
import { type ClientPlan, SimClient } from "./sim-client.ts";
import { judgeTunnels, Tunnel, TunnelHost } from "./sim-tunnel.ts";
import { hostsOf, type ProcessWorld, SimProcess } from "./sim-process.ts";
import type { SimWorker } from "./sim-worker.ts";
import { SimUpstream } from "./sim-upstream.ts";
import { SlowReader } from "./slow-reader.ts";
import { isTimeout, WatchedLoop, withinTime } from "./watch.ts";

const connectOptions = { bindAddress: null, keepAlive: null };
/** Virtual time in which every client must have come to its end; a byte at a time takes long. */
const runMsMax = 6 * 3_600_000;
/** What pipes of these moods carry within some minutes, if it is a byte at a time. */
const tunnelBytesMax = { calm: 300_000, narrow: 20_000, choppy: 4000, broken: 4000 } as const;
/** ... and every downstream connection that was left. */
const restMsMax = 150_000;

/** The run found something that must not be. */
export class SimulationFailure extends Error {
  override readonly name = "SimulationFailure";
}

export interface RunResult {
  readonly seed: number;
  readonly steps: number;
  readonly virtualMs: number;
  readonly digest: string;
  readonly plan: RunPlan;
  readonly exchanges: readonly Exchange[];
}

export interface RunOptions {
  /** Gets each event; for people. */
  readonly onLine?: (line: string) => void;
}

/** Plays the seed. Throws SimulationFailure, or what the product threw. */
export function run(seed: number, configs: ConfigSource, options: RunOptions = {}): RunResult {
  const simulation = new Simulation(seed, configs, options);
  let result: RunResult | null = null;
  try {
    withinTime(() => {
      result = simulation.run();
    });
  } catch (error) {
    if (!isTimeout(error)) throw error;
    throw new SimulationFailure(`the run hangs: ${simulation.loop.describe()}`);
  }
  return result as unknown as RunResult;
}

export class Simulation implements Party, ProcessWorld {
  readonly seed: number;
  readonly plan: RunPlan;
  readonly loop: SimLoop;
  readonly network: SimNetwork;
  readonly process: SimProcess;
  readonly log: LogFile;
  readonly storms: Storms;
  readonly exchanges: Map<number, Exchange>;
  /** Connections that upstreams closed or lost although a request may have been on its way. */
  idleCloses: number;
  downstreamFaults: number;
  /** Refused connections that no broken exchange was charged with yet. */
  refusalsLeft: number;
  readonly #dice: Dice;
  /** Not the run's: requests shall be the same whoever reads slowly. */
  readonly #slowDice: Dice;
  readonly #tlsDice: Dice;
  readonly #configs: ConfigSource;
  readonly #clientEngine: SimEngine;
  readonly #clients: SimClient[];
  readonly #upstreams: SimUpstream[];
  readonly #tunnels: Map<number, Tunnel>;
  readonly #casualties: Casualties;
  /** When each client asked for the connection that it has. */
  readonly #connectMs: Map<IoEvents, number>;
  #isClosing: boolean;

  constructor(seed: number, configs: ConfigSource, options: RunOptions) {
    const dice = new Dice(seed);
    this.seed = seed;
    this.#dice = dice;
    this.#slowDice = new Dice(seed ^ 0x736c6f77);
    this.#tlsDice = new Dice(seed ^ 0x746c7332);
    this.#configs = configs;
    this.plan = new RunPlan(seed, dice.fork());
    this.loop = new WatchedLoop(dice.fork());
    this.loop.trace.onLine = options.onLine ?? null;
    this.network = new SimNetwork(this.loop, dice.fork());
    this.network.onFault = (_kind, socket) => this.#noteFault(socket);
    this.log = new LogFile();
    this.exchanges = new Map();
    this.idleCloses = 0;
    this.downstreamFaults = 0;
    this.refusalsLeft = 0;
    this.#clients = [];
    this.#upstreams = [];
    this.#tunnels = new Map();
    this.#casualties = new Casualties();
    this.#connectMs = new Map();
    this.storms = new Storms();
    this.#isClosing = false;
    this.process = new SimProcess(this, dice.u32());
    this.#clientEngine = new SimEngine(this.network, this.plan.downstreamProfile);
  }

  run(): RunResult {
    this.#startUpstreams();
    this.process.apply(this.#configs.load(this.plan, 0));
    this.#startClients();
    this.#startTunnels();
    this.#planChanges();
    this.#playClients();
    this.#comeToRest();
    return {
      seed: this.seed,
      steps: this.loop.steps,
      virtualMs: this.loop.nowMs,
      digest: this.loop.trace.digest,
      plan: this.plan,
      exchanges: [...this.exchanges.values()],
    };
  }

  // ---- Party.

  connect(port: number, events: IoEvents): PeerIo {
    this.#connectMs.set(events, this.loop.nowMs);
    const io = this.#connectPlainly(port, events);
    const { tls } = this.plan;
    if (!tls.downstream || port !== proxyPort) return io;
    return secureClient(io, events, drawManners(this.#tlsDice, tls, false));
  }

  accept(io: SimIo): PeerIo {
    const { tls } = this.plan;
    return tls.upstream ? secureServer(io, drawManners(this.#tlsDice, tls, true)) : io;
  }

  get nowMs(): number {
    return this.loop.nowMs;
  }

  later(delayMs: number, kind: string, subject: number, callback: () => void): void {
    this.loop.after(delayMs, kind, subject, callback);
  }

  answered(client: IoEvents, exchange: Exchange, head: Head): void {
    if (this.plan.overload === null) return;
    judgeAnswer(this, exchange, {
      connectMs: this.#connectMs.get(client) as number,
      saysClose: fieldOf(head, "connection") === "close",
      isLocal: fieldOf(head, "x-sim-id") === null,
    });
  }

  settled(exchange: Exchange): void {
    exchange.endedMs = this.loop.nowMs;
    this.loop.trace.note(this.loop.nowMs, exchange.outcome, exchange.id, exchange.status);
  }

  fail(message: string, exchange?: Exchange): never {
    const about = exchange === undefined ? "" : `\n  exchange ${describe(exchange)}`;
    throw new SimulationFailure(`${message}${about}`);
  }

  /** Clients with a connection who have wanted nothing since then, for people. */
  idleClients(sinceMs: number): string[] {
    const idle = this.#clients.filter(
      (client) => client.io !== null && client.isIdleSince(sinceMs),
    );
    return idle.map((client) => client.describe());
  }

  findExchange(id: string | null): Exchange | undefined {
    return id === null ? undefined : this.exchanges.get(Number(id));
  }

  get mayFailToConnect(): boolean {
    const { plan } = this;
    // Who turns a connection away does so in the handshake.
    const mayFailToSecure =
      plan.overload !== null || plan.has("newVersions") || plan.hasDeaths || plan.isChoppy;
    return (
      plan.downstream === "broken" || this.#isClosing || (plan.tls.downstream && mayFailToSecure)
    );
  }

  get hasSurplus(): boolean {
    return this.plan.has("upstreamSurplus");
  }

  noteIdleClose(): void {
    this.idleCloses += 1;
  }

  readSlowly(subject: number, io: IoHandle, isThere: () => boolean): void {
    const dice = this.#slowDice;
    if (!dice.chance(this.plan.slowShare)) return;
    new SlowReader(this, dice.fork(), subject, io, isThere).start();
  }

  noteSent(exchange: Exchange, socket: SimSocket | null): void {
    exchange.sentMs = this.loop.nowMs;
    if (this.plan.hasDeaths) this.#casualties.noteSent(exchange, socket);
  }

  // ---- ProcessWorld.

  newChaos(worker: WorkerServer): ChaosContext {
    const { clock, timers } = worker.contextForTest;
    return {
      clock,
      timers,
      findExchange: (id) => this.findExchange(id),
      fail: (message) => this.fail(message),
      mayReply: this.plan.has("filterReplies"),
      doEndsComeApart: this.plan.hasUpstreamFilters,
      live: 0,
    };
  }

  wrapFilters(filters: FilterChainFactory, chaos: () => ChaosContext): FilterChainFactory {
    if (!this.plan.has("filters")) return filters;
    return withChaos(filters, chaos, this.#dice.fork(), false);
  }

  wrapUpstreamFilters(
    filters: FilterChainFactory | null,
    chaos: () => ChaosContext,
  ): FilterChainFactory | null {
    if (!this.plan.hasUpstreamFilters) return filters;
    // Dice of their own: runs without them are what they were.
    return withChaos(filters, chaos, new Dice(this.plan.seed ^ 0x75706673), true);
  }

  onDeath(worker: SimWorker): void {
    this.#casualties.onDeath(worker, this.log);
  }

  // ---- The parts of a run.

  #connectPlainly(port: number, events: IoEvents): SimIo {
    const address = { address: "127.0.0.1", port, family: "ipv4" } as const;
    return this.#clientEngine.connect(address, connectOptions, events);
  }

  #startUpstreams(): void {
    for (const address of Object.values(upstreams).flat()) {
      // What upstreams do on their own connections is in the exchanges; they make none.
      const engine = new SimEngine(this.network, calmNetwork);
      const host = new SimUpstream(
        engine,
        this,
        this.#dice.fork(),
        address,
        this.plan.has("idleCloses"),
      );
      host.listen();
      this.#upstreams.push(host);
    }
  }

  #startClients(): void {
    const dice = this.#dice.fork();
    let id = 0;
    for (let i = 1; i <= this.plan.clients; i += 1) {
      const exchanges: Exchange[] = [];
      for (let count = dice.between(1, 12); count > 0; count -= 1) {
        id += 1;
        const exchange = this.plan.newExchange(id, dice);
        this.exchanges.set(id, exchange);
        exchanges.push(exchange);
      }
      const client = new SimClient(
        i,
        this,
        dice.fork(),
        this.#clientPlan(dice, exchanges.length),
        exchanges,
      );
      this.#clients.push(client);
      this.later(dice.spread(0, 800), "client", i, () => client.start());
    }
  }

  #startTunnels(): void {
    const { plan } = this;
    if (plan.tunnels === 0) return;
    // Not the run's: requests shall not depend on tunnels.
    const dice = new Dice(this.seed ^ 0x74756e6f);
    new TunnelHost(this, dice.fork(), this.#tunnels, false).listen(this.#tunnelEngine(), rawHost);
    new TunnelHost(this, dice.fork(), this.#tunnels, true).listen(this.#tunnelEngine(), tunnelHost);
    const bytesMax = Math.min(tunnelBytesMax[plan.downstream], tunnelBytesMax[plan.upstream]);
    for (let id = 1; id <= plan.tunnels; id += 1) {
      const tunnel = new Tunnel(id, this, dice.fork(), bytesMax);
      this.#tunnels.set(id, tunnel);
      this.later(dice.spread(0, 800), "tunnel", id, () => tunnel.start());
    }
  }

  #tunnelEngine(): SimEngine {
    return new SimEngine(this.network, calmNetwork);
  }

  #clientPlan(dice: Dice, requests: number): ClientPlan {
    const { plan } = this;
    const endings = {
      none: 8,
      reset: plan.has("clientAborts") ? 2 : 0,
      close: plan.has("clientAborts") ? 2 : 0,
      "half-close": plan.has("clientHalfCloses") ? 2 : 0,
    };
    const stalls = plan.has("stalledClients") ? 1 : 0;
    const mayIdle = plan.has("idleClients") || plan.overload?.reducesTimeouts === true;
    return {
      depth: plan.has("pipelining") ? dice.between(1, 4) : 1,
      ending: dice.weighted(endings),
      endingAfterMs: dice.spread(0, 400),
      garbageAt: plan.has("clientGarbage") && dice.chance(0.3) ? dice.below(requests) : -1,
      isSlowReader: plan.has("slowReaders") && dice.chance(0.4),
      isSlowSender: plan.has("slowSenders") && dice.chance(0.4),
      stalls: dice.weighted({ none: 8, "in-head": stalls, "in-body": stalls, reading: stalls }),
      isDeaf: plan.has("deafClients") && dice.chance(0.5),
      saysClose: dice.chance(0.3),
      staysIdle: mayIdle && dice.chance(0.3),
    };
  }

  #planChanges(): void {
    const { plan } = this;
    const dice = this.#dice.fork();
    if (plan.has("newVersions")) {
      for (let edition = 1; edition <= dice.between(1, 4); edition += 1) {
        this.later(dice.spread(1, 3000), "version", edition, () => {
          if (!this.#isClosing) this.process.apply(this.#configs.load(plan, edition));
        });
      }
    }
    if (plan.overload !== null) planOverloads(this, plan.overload);
    if (plan.hasDeaths) this.#planDeaths();
    if (plan.tls.downstream && plan.tls.hasTroubles) {
      const connect = (events: IoEvents): SimIo => this.#connectPlainly(proxyPort, events);
      planStrays(this, this.#tlsDice.fork(), connect);
    }
    if (plan.has("memberships")) this.#planMembership(dice);
    if (plan.has("hostsDown")) this.#planOutage(dice);
    if (plan.has("healthcheckFail")) {
      const [from, ms] = [dice.spread(1, 2000), dice.spread(10, 1000)];
      const tell = (isFailed: boolean): void =>
        this.process.broadcast("healthcheck", () => ({ type: "healthcheck", isFailed }));
      this.later(from, "hc-fail", 0, () => tell(true));
      this.later(from + ms, "hc-ok", 0, () => tell(false));
      if (dice.chance(0.3)) this.later(dice.spread(1, 4000), "drain", 0, () => this.#drain());
    }
  }

  /** Workers die; one is always left. */
  #planDeaths(): void {
    const dice = new Dice(this.seed ^ 0x64656164);
    for (let i = dice.between(1, 4); i > 0; i -= 1) {
      this.later(dice.spread(1, 2500), "death", i, () => {
        const up = this.process.living.filter(({ isUp }) => isUp);
        if (up.length > 1 && !this.#isClosing) this.process.kill(dice.pick(up));
      });
    }
  }

  #drain(): void {
    const startMs = this.loop.nowMs;
    this.process.broadcast("drain", () => {
      return { type: "drain", inboundOnly: false, elapsedMs: this.loop.nowMs - startMs };
    });
  }

  #planMembership(dice: Dice): void {
    const { clusters } = this.#configs.load(this.plan, 0).snapshot;
    for (let i = 0; i < 6; i += 1) {
      const cluster = dice.pick(clusters);
      this.later(dice.spread(1, 3000), "hosts", i, () => {
        const all = staticMembership(cluster);
        const hosts = all.hosts.filter(() => dice.chance(0.7));
        // Somebody must be left, or every answer is 503.
        const membership = { ...all, hosts: hosts.length > 0 ? hosts : all.hosts };
        if (this.#isClosing) return;
        this.process.broadcast(hostsOf(cluster.name), () => ({ type: "membership", membership }));
      });
    }
  }

  #planOutage(dice: Dice): void {
    for (let i = 0; i < 3; i += 1) {
      const host = dice.pick(this.#upstreams);
      const [from, ms] = [dice.spread(1, 1500), dice.spread(1, 500)];
      this.later(from, "down", i, () => host.goDown());
      this.later(from + ms, "up", i, () => host.listen());
    }
  }

  #playClients(): void {
    const endMs = this.loop.nowMs + runMsMax;
    const isOpen = (party: { readonly isDone: boolean }): boolean => !party.isDone;
    while (this.#clients.some(isOpen) || [...this.#tunnels.values()].some(isOpen)) {
      if (this.plan.overload !== null) checkConnections(this, this.plan.overload);
      if (!this.loop.step() || this.loop.nowMs > endMs) {
        const open = this.#clients
          .filter((client) => !client.isDone)
          .map((client) => client.describe());
        this.fail(`clients wait for ever:\n  ${open.join("\n  ")}`);
      }
    }
  }

  /** Until no downstream connection is left, which timeouts see to. */
  #awaitStreams(): void {
    const endMs = this.loop.nowMs + restMsMax;
    while (this.stat("http.main.downstream_cx_active") > 0) {
      this.loop.step();
      if (this.loop.nowMs > endMs) this.fail("downstream connections do not end");
    }
  }

  /** Nobody asks for anything any more: everything must go, in the time that timeouts give. */
  #comeToRest(): void {
    this.#awaitStreams();
    // So long a closed connection watches how its last bytes leave; ticks may be late.
    // A TCP proxy's connection does for its idle timeout.
    this.loop.pass(this.#tunnels.size > 0 ? 130_000 : 1800);
    judgeTimers(this);
    this.loop.pass(150_000);
    judge(this);
    const { downstream, upstream } = this.plan;
    judgeTunnels(this.#tunnels.values(), downstream === "broken" || upstream === "broken");
    this.#isClosing = true;
    const dice = new Dice(this.seed ^ 0x6c617465);
    const stopsFirst = dice.chance(0.5);
    if (stopsFirst) this.#stopInService(dice);
    this.process.apply(this.#configs.empty(emptyYaml));
    this.loop.pass(150_000);
    if (!stopsFirst) this.process.stop();
    this.loop.pass(1000);
    judgeEnd(this);
  }

  /** With its listeners; what is left of its clusters goes later. */
  #stopInService(dice: Dice): void {
    const connect = (events: IoEvents): SimIo => this.#connectPlainly(proxyPort, events);
    const late = latecomers(this, dice, connect);
    this.process.stop();
    this.loop.pass(10_000);
    for (const latecomer of late) latecomer.judge();
  }

  #noteFault(socket: SimSocket): void {
    const client = this.#clients.find(({ io }) => io !== null && io.socket === socket);
    if (client !== undefined) client.excuse("network");
    const isDownstream = socket.remote.port !== 80;
    if (isDownstream) this.downstreamFaults += 1;
  }

  /** The value of a counter or gauge; 0 when it is not there. */
  stat(name: string): number {
    return this.process.stats.value(name);
  }

  /** Name and value of all counters, or of all gauges, that are not 0. */
  statsOf(kind: StatKind): Map<string, number> {
    const found = this.process.stats.scalars().filter((stat) => stat.kind === kind);
    return new Map(
      found.filter(({ value }) => value !== 0).map(({ name, value }) => [name, value]),
    );
  }
}

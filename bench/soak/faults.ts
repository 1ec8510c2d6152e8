// What goes wrong in a soak run, and what is changed: one thing every few seconds, chosen by the
// seed.
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import type { DnsServer } from "../../runtime/src/upstream/dns-server-for-test.ts";
import { assignment, bootstrap, discovery, DNS_NAME, routes } from "./config.ts";
import type { Places } from "./config.ts";
import type { Load } from "./load.ts";
import { Random } from "./random.ts";
import type { Upstream } from "./upstreams.ts";

const EVERY_MS = { least: 2000, most: 6000 };
/** A worker that is killed again and again is replaced later and later. */
const LOOP_EVERY_MS = 40_000;
const BAD_MODULE_MS = 1500;
const LOOP = "a guest that never returns";

export interface World {
  readonly places: Places;
  readonly upstreams: readonly Upstream[];
  readonly edsPorts: readonly number[];
  readonly dns: DnsServer;
  readonly load: Load;
  readonly module: string;
  readonly headgate: number;
}

export interface Event {
  readonly atMs: number;
  readonly what: string;
}

/** A module of other bytes that does the same: a custom section says which it is. */
function moduleOf(bytes: Buffer, round: number): Buffer {
  const name = "soak";
  const payload = Buffer.from(`${String.fromCharCode(name.length)}${name}${round}`, "latin1");
  return Buffer.concat([bytes, Buffer.from([0, payload.length]), payload]);
}

export class Faults {
  readonly events: Event[] = [];
  readonly #world: World;
  readonly #random: Random;
  readonly #haste: number;
  #timer: NodeJS.Timeout | null = null;
  #round = 0;
  #loopedAtMs = 0;

  /** `haste`: how many times as often as usual. */
  constructor(world: World, seed: number, haste: number) {
    this.#world = world;
    this.#haste = haste;
    this.#random = new Random(seed + 1);
  }

  start(): void {
    this.#loopedAtMs = Date.now();
    this.#next();
  }

  /** When the guest was told to never return of which a worker died at that time. */
  stuckAtMs(diedAtMs: number): number | null {
    const order = this.events.findLast(({ what, atMs }) => what === LOOP && atMs < diedAtMs);
    return order?.atMs ?? null;
  }

  /** No new ones; everything works again. */
  async stop(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    const { upstreams, edsPorts, dns } = this.#world;
    for (const upstream of upstreams) await upstream.heal();
    dns.reactions.set(DNS_NAME, ["127.0.0.2", "127.0.0.3"]);
    this.#putHosts(edsPorts);
  }

  #next(): void {
    const wait = this.#random.between(EVERY_MS.least, EVERY_MS.most) / this.#haste;
    this.#timer = setTimeout(() => {
      this.#round += 1;
      this.events.push({ atMs: Date.now(), what: this.#one() });
      this.#next();
    }, wait);
  }

  #one(): string {
    if (Date.now() - this.#loopedAtMs > LOOP_EVERY_MS / this.#haste) {
      this.#loopedAtMs = Date.now();
      this.#world.load.order("loop");
      return LOOP;
    }
    const faults = [
      () => this.#killUpstream(),
      () => this.#killUpstream(),
      () => this.#stopUpstream(),
      () => this.#trap(),
      () => this.#reload(),
      () => this.#reload(),
      () => this.#changeHosts(),
      () => this.#changeHosts(),
      () => this.#changeNames(),
      () => this.#changeNames(),
      () => this.#changeRoutes(),
      () => this.#changeModule(),
    ];
    return this.#random.pick(faults)();
  }

  #killUpstream(): string {
    const downMs = this.#random.between(300, 4000);
    this.#random.pick(this.#world.upstreams).killFor(downMs);
    return "upstream killed";
  }

  #stopUpstream(): string {
    this.#random.pick(this.#world.upstreams).stopFor(this.#random.between(500, 6000));
    return "upstream stopped";
  }

  #trap(): string {
    this.#world.load.order("trap");
    return "a guest that traps";
  }

  #reload(): string {
    const isBad = this.#random.chance(0.2);
    const { places, headgate } = this.#world;
    const config = JSON.stringify(bootstrap(places, this.#round));
    this.#put("envoy.yaml", isBad ? config.replace('"STATIC"', '"STATIK"') : config);
    process.kill(headgate, "SIGHUP");
    return isBad ? "reload of a bad bootstrap" : "reload";
  }

  #changeHosts(): string {
    const [first = 0, second = 0] = this.#world.edsPorts;
    // Of the last, nothing listens there.
    const choices = [[first], [second], [first, second], [first, 1], []];
    const weighed = [...choices.slice(0, 3), ...choices.slice(0, 3), ...choices];
    this.#putHosts(this.#random.pick(weighed));
    return "hosts by EDS";
  }

  #putHosts(ports: readonly number[]): void {
    this.#put("eds.yaml", discovery("eds", this.#round, assignment("service", ports)));
  }

  #changeNames(): string {
    const both = ["127.0.0.2", "127.0.0.3"];
    const good = [["127.0.0.2"], ["127.0.0.3"], both, both.toReversed()];
    // Nothing listens on the last.
    const bad = ["servfail", "silence", "nxdomain", ["127.0.0.2", "127.0.0.9"]] as const;
    const reaction = this.#random.chance(0.6) ? this.#random.pick(good) : this.#random.pick(bad);
    this.#world.dns.reactions.set(DNS_NAME, reaction);
    return typeof reaction === "string" ? "DNS fails" : "hosts by DNS";
  }

  #changeRoutes(): string {
    const isBad = this.#random.chance(0.2);
    this.#put("rds.yaml", isBad ? "{ no" : discovery("rds", this.#round, routes(this.#round)));
    return isBad ? "bad routes by RDS" : "routes by RDS";
  }

  #changeModule(): string {
    const isBad = this.#random.chance(0.2);
    const bytes = readFileSync(this.#world.module);
    const good = moduleOf(bytes, this.#round);
    this.#put("filter.wasm", isBad ? bytes.subarray(0, 1000) : good);
    // As long as a bad one is there, reloads are refused, too.
    if (isBad) setTimeout(() => this.#put("filter.wasm", good), BAD_MODULE_MS);
    return isBad ? "a bad module" : "another module";
  }

  /** Moved into its place: nobody sees half of it. */
  #put(name: string, bytes: string | Buffer): void {
    const path = `${this.#world.places.folder}/${name}`;
    writeFileSync(`${path}.next`, bytes);
    renameSync(`${path}.next`, path);
  }
}

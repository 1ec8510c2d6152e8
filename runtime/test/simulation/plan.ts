// What a run does, drawn from its seed: which kinds of trouble are on (a random subset, so that each also runs without
// the others), and what each request and answer looks like.
import { Dice } from "../../src/engine-sim/dice.ts";
import {
  brokenNetwork,
  calmNetwork,
  choppyNetwork,
  type FaultProfile,
  narrowNetwork,
} from "../../src/engine-sim/fault-profile.ts";
import { readAreaBytesMax } from "../../src/engine-sim/sim-core.ts";
import { type AnswerKind, type AnswerPlan, Exchange, type RequestPlan } from "./exchange.ts";
import { newTlsPlan, type TlsPlan } from "./secure-peers.ts";
import { newOverloadPlan, type OverloadPlan } from "./overload-storm.ts";

/** Where the close is the end, only a reset can break the body. */
const breaksBody: ReadonlySet<AnswerKind> = new Set(["close-in-body", "garbage-chunk"]);

const inBody: ReadonlySet<AnswerKind> = new Set([...breaksBody, "reset-in-body"]);

const featureNames = [
  "pipelining",
  "trailers",
  "bigBodies",
  "interim",
  "expectContinue",
  "headRequests",
  "upgrades",
  "oddPaths",
  "clientAborts",
  "clientHalfCloses",
  "clientGarbage",
  "slowReaders",
  "slowSenders",
  "stalledClients",
  "deafClients",
  "idleClients",
  "upstreamResets",
  "upstreamGarbage",
  "upstreamSurplus",
  "upstreamSilence",
  "earlyAnswers",
  "untilClose",
  "idleCloses",
  "hostsDown",
  "filters",
  "filterReplies",
  "wasm",
  "wasmTraps",
  "smallBuffers",
  "smallBreakers",
  "shortLives",
  "newVersions",
  "memberships",
  "healthcheckFail",
] as const;
export type Feature = (typeof featureNames)[number];

export type NetworkMood = "calm" | "narrow" | "choppy" | "broken";

const profiles: Readonly<Record<NetworkMood, FaultProfile>> = {
  calm: calmNetwork,
  narrow: narrowNetwork,
  choppy: choppyNetwork,
  broken: brokenNetwork,
};

export class RunPlan {
  readonly seed: number;
  readonly features: ReadonlySet<Feature>;
  readonly downstream: NetworkMood;
  readonly upstream: NetworkMood;
  readonly clients: number;
  readonly bufferBytes: number;
  /** What the wasm guest does, as guests/assembly/script.ts wants it; "" = there is none. */
  readonly guestScript: string;
  /** Tunnels and TCP proxy streams beside the requests; filters would change their bytes. */
  readonly tunnels: number;
  /** Filters behind the router, too; only where there are some in front. */
  readonly hasUpstreamFilters: boolean;
  /** What one read of the proxy brings at the most. */
  readonly readBytesMax: number;
  /** How many upstreams and tunnels read slowly; for clients there is a feature. */
  readonly slowShare: number;
  /** Null = there are no overloads. With tunnels there are none: they have no word for being refused. */
  readonly overload: OverloadPlan | null;
  readonly workers: number;
  /** Workers die and are replaced. */
  readonly hasDeaths: boolean;
  readonly tls: TlsPlan;

  constructor(seed: number, dice: Dice) {
    this.seed = seed;
    const share = dice.pick([0, 0.15, 0.3, 0.5, 0.8]);
    this.features = new Set(featureNames.filter(() => dice.chance(share)));
    this.downstream = dice.weighted({ calm: 4, narrow: 3, choppy: 3, broken: 2 });
    this.upstream = dice.weighted({ calm: 5, choppy: 4, broken: 2 });
    this.clients = dice.between(4, 24);
    this.guestScript = this.has("wasm") ? guestScript(dice, this.has("wasmTraps")) : "";
    this.bufferBytes = this.has("smallBuffers") ? dice.spread(1024, 32_768) : 1 << 20;
    // Dice of their own: runs without tunnels are what they were before there were any.
    const own = new Dice(seed ^ 0x74756e6e);
    this.tunnels = !this.has("filters") && own.chance(0.4) ? own.between(1, 8) : 0;
    this.hasUpstreamFilters = this.has("filters") && own.chance(0.6);
    this.readBytesMax = own.chance(0.5) ? readAreaBytesMax : own.spread(256, readAreaBytesMax);
    this.slowShare = own.pick([0, 0.2, 0.6]);
    const storms = new Dice(seed ^ 0x6f766c64);
    const hasStorms = storms.chance(0.3) && this.tunnels === 0;
    this.overload = hasStorms ? newOverloadPlan(storms, this.clients) : null;
    const threads = new Dice(seed ^ 0x74687264);
    this.workers = threads.chance(0.35) ? threads.between(2, 3) : 1;
    // Tunnels have no word for it.
    this.hasDeaths = this.workers > 1 && this.tunnels === 0 && threads.chance(0.6);
    this.tls = newTlsPlan(new Dice(seed ^ 0x746c7331));
  }

  has(feature: Feature): boolean {
    return this.features.has(feature);
  }

  /** Bytes of clients come late, or not at all. */
  get isChoppy(): boolean {
    return this.downstream === "choppy" || this.downstream === "broken";
  }

  get downstreamProfile(): FaultProfile {
    return profiles[this.downstream];
  }

  get upstreamProfile(): FaultProfile {
    return profiles[this.upstream];
  }

  /** For people. */
  toString(): string {
    const networks = `downstream ${this.downstream}, upstream ${this.upstream}`;
    const reads = `reads of ${this.readBytesMax} bytes, ${this.slowShare} of upstreams slow`;
    const overload = this.overload === null ? "" : `overloads ${JSON.stringify(this.overload)}, `;
    const workers = `${this.workers} workers${this.hasDeaths ? " that die" : ""}`;
    const { downstream, upstream, hasTroubles, inspects } = this.tls;
    const where = Object.entries({ downstream, upstream, hasTroubles, inspects });
    const tls = where.flatMap(([name, isOn]) => (isOn ? [name] : [])).join(" ");
    const isSecure = downstream || upstream;
    return `${networks}, ${isSecure ? `TLS ${tls}, ` : ""}${workers}, ${this.clients} clients, ${reads}, ${overload}${[...this.features].join(" ") || "no features"}`;
  }

  newExchange(id: number, dice: Dice): Exchange {
    const request = this.#request(dice);
    return new Exchange(id, request, this.#answer(dice, request));
  }

  #request(dice: Dice): RequestPlan {
    const heads = this.has("headRequests") ? 3 : 0;
    const method = dice.weighted({ GET: 6, POST: 6, PUT: 2, DELETE: 1, HEAD: heads });
    const mayHaveBody =
      method === "POST" || method === "PUT" || (method === "DELETE" && dice.chance(0.3));
    const framing = mayHaveBody ? dice.pick(["length", "chunked"] as const) : "none";
    const isUpgrade = framing === "none" && this.has("upgrades") && dice.chance(0.15);
    return {
      method,
      path: this.#path(dice),
      bodyBytes: framing === "none" ? 0 : this.#size(dice),
      framing,
      hasTrailers: framing === "chunked" && this.has("trailers") && dice.chance(0.4),
      expectsContinue: framing !== "none" && this.has("expectContinue") && dice.chance(0.3),
      isUpgrade,
    };
  }

  #path(dice: Dice): string {
    const odd = this.has("oddPaths") ? 1 : 0;
    return dice.weighted({
      "/a": 6,
      "/b": 4,
      "/c": 3,
      "/direct": odd,
      "/redirect": odd,
      "/nowhere": odd,
      "/lost": odd,
    });
  }

  #size(dice: Dice): number {
    if (dice.chance(0.1)) return 0;
    // Through a narrow pipe more would take longer than timeouts allow.
    if (this.downstream === "narrow") return dice.spread(0, 8000);
    return dice.spread(0, this.has("bigBodies") ? 400_000 : 9000);
  }

  #answer(dice: Dice, request: RequestPlan): AnswerPlan {
    const status = dice.weighted({
      "200": 12,
      "201": 1,
      "204": 1,
      "304": 1,
      "404": 1,
      "500": 1,
      "503": 1,
    });
    const close = this.has("untilClose") ? 2 : 0;
    const framing = dice.weighted({ length: 5, chunked: 5, close });
    const interim = [100, 102, 103].filter(() => this.has("interim") && dice.chance(0.15));
    const kind = this.#kind(dice, request);
    return {
      kind: framing === "close" && breaksBody.has(kind) ? "reset-in-body" : kind,
      status: Number(status),
      // What breaks in the middle has one.
      bodyBytes: Math.max(this.#size(dice), inBody.has(kind) ? 2 : 0),
      framing,
      hasTrailers: framing === "chunked" && this.has("trailers") && dice.chance(0.4),
      interim,
      delayMs: dice.chance(0.5) ? 0 : dice.spread(0, 150),
      pieceDelayMs: dice.chance(0.7) ? 0 : dice.spread(1, 30),
      says: framing !== "close" && dice.chance(0.08) ? "close" : "",
    };
  }

  #kind(dice: Dice, request: RequestPlan): AnswerKind {
    const resets = this.has("upstreamResets") ? 1 : 0;
    const garbage = this.has("upstreamGarbage") ? 1 : 0;
    return dice.weighted({
      normal: 20,
      early: this.has("earlyAnswers") && request.framing !== "none" ? 6 : 0,
      silent: this.has("upstreamSilence") ? 1 : 0,
      "reset-at-head": resets,
      "close-at-head": resets,
      "reset-before-answer": resets,
      "close-before-answer": resets,
      "reset-in-body": resets,
      "close-in-body": resets,
      "garbage-head": garbage,
      "garbage-chunk": garbage,
      surplus: this.has("upstreamSurplus") ? 3 : 0,
    });
  }
}

/** Looks at everything and adds headers; with traps it also fails and answers, now and then. */
function guestScript(dice: Dice, hasTraps: boolean): string {
  const lines = [
    "request_headers add_header_map_value 0 x-guest request",
    "request_body get_buffer_bytes 0 0 16",
    "response_headers add_header_map_value 2 x-guest response",
    "response_body get_buffer_bytes 1 0 16",
    "request_trailers get_header_map_size 1",
    "response_trailers get_header_map_size 3",
    "log get_header_map_value 0 x-sim-id",
  ];
  if (!hasTraps) return lines.join("\n");
  const where = ["request_headers", "request_body", "response_headers", "response_body", "log"];
  lines.push(`${dice.pick(where)}#${dice.between(1, 30)} trap`);
  lines.push(
    `${dice.pick(where.slice(0, 4))}#${dice.between(1, 30)} send_local_response 403 guest no ~ -1`,
  );
  return lines.join("\n");
}

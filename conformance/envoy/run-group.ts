// Starts a target with the configuration of a group and plays its cases, one after the other.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bootstrapText, fillPlaceholders, logPath, type Places } from "./bootstrap.ts";
import type { Case, ConfigCase, Connection, Group, Modules } from "./case.ts";
import { type CertificateSet, certificateSet } from "./certificates.ts";
import type { DialContext } from "./dial.ts";
import { type GrpcCall, GrpcUpstream } from "./grpc-upstream.ts";
import { Normaliser } from "./normalise.ts";
import { apart, readableGuestLine } from "./guest-lines.ts";
import { freePort } from "./ports.ts";
import { type ConnectionResult, playConnection, type Waits } from "./raw-client.ts";
import type {
  CaseResult,
  GroupResult,
  NormalConnection,
  NormalMessage,
  NormalStream,
  NormalUpstreamRequest,
} from "./result.ts";
import { Target, type TargetSpec, type Validate, type Validation } from "./target.ts";
import { UpstreamRecorder, type UpstreamStream } from "./upstream-recorder.ts";
import type { Message } from "./wire.ts";

const UPSTREAMS = ["up", "other", "third"];
/** What is compared of `/stats`; bytes depend on dates and ids, membership never moves. */
const STATS = "http\\.|cluster\\.";
const STATS_IGNORED =
  /^(http|listener)\.admin\.|_bytes_|_active$|\.assignment_|_time_ms|\.http1\..*_cx_/;
/** Each library chooses its own; and where no case is about TLS, nothing of it. */
const TLS_CHOICES = /\.ssl\.(ciphers|curves|sigalgs|versions|certificate)\./;
const TLS_STATS = /\.ssl\./;
const ACTIVE = /^((http|tcp)\.[^.]+\.downstream|cluster\.[^.]+\.upstream)_(cx|rq)_active$/;

const LOG_MS_MAX = 1_500;
/** For what a golden says will come, and never does. */
const HANG_MS_MAX = 30_000;
/** For the same, where it is known to differ. */
const DIFFERENCE_MS_MAX = 3_000;
/** So long a connection must stay before it counts as open. */
const CLOSE_MS = 400;
const LOG_QUIET_MS = 30;
const GUEST_QUIET_MS = 300;
const IDLE_MS_MAX = 1_000;

/** What is known of a case before it runs: with a golden, waits can be short. */
export interface Expectation {
  readonly fates: readonly string[];
  readonly logLines: number;
}

/** Options of a run. */
export interface RunOptions {
  readonly spec: TargetSpec;
  /** Golden results by case id; without them every case waits as long as a recording does. */
  readonly expected?: GroupResult | undefined;
  /** Whether the case is known to differ in this from its golden: it may never come. */
  readonly mayDiffer?: (caseId: string, aspect: "fate" | "log" | "guests") => boolean;
  /** Only these cases. */
  readonly only?: RegExp | undefined;
  /** Called with the configuration before the start. */
  readonly onConfig?: (text: string) => void;
}

/** Results by case id, or why the target did not start. */
export type GroupRun =
  | { readonly results: GroupResult }
  | { readonly results: GroupResult; readonly failure: string };

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** How long a stream may stay as it is where no golden says that it will end. */
const STREAM_END_MS = 150;

async function choosePlaces(
  group: Pick<Group, "sites" | "upstreams" | "certificates" | "grpc" | "modules">,
  folder: string,
): Promise<Places> {
  const sitePorts: Record<string, number> = {};
  const upstreamPorts: Record<string, number> = {};
  for (const name of Object.keys(group.sites)) sitePorts[name] = await freePort();
  const upstreams = [...UPSTREAMS, ...Object.keys(group.upstreams ?? {}), "dead"];
  if (group.grpc === true) upstreams.push("grpc");
  for (const name of upstreams) upstreamPorts[name] = await freePort();
  const certificates = group.certificates === true ? await certificateSet() : null;
  const modules = await builtModules(group.modules ?? {});
  return { adminPort: await freePort(), sitePorts, upstreamPorts, folder, certificates, modules };
}

async function builtModules(all: Modules): Promise<Record<string, string>> {
  const built = Object.entries(all).map(async ([name, build]) => [name, await build()] as const);
  return Object.fromEntries(await Promise.all(built));
}

function writeFiles(
  folder: string,
  files: Iterable<readonly [string, string]>,
  certificates: CertificateSet | null,
): void {
  for (const [name, content] of files) writeFileSync(join(folder, name), content);
  for (const [name, content] of certificates?.files ?? [])
    writeFileSync(join(folder, name), content);
}

/** The parts of a run that all its cases use. */
class GroupRunner {
  readonly #group: Group;
  readonly #target: Target;
  readonly #recorder: UpstreamRecorder;
  readonly #grpc: GrpcUpstream | null;
  readonly #places: Places;
  readonly #options: RunOptions;
  readonly #statNames: RegExp;
  #stats: Map<string, number>;
  #guestsSeen = 0;
  readonly #logOffsets: Map<string, number>;

  constructor(
    group: Group,
    target: Target,
    recorder: UpstreamRecorder,
    grpc: GrpcUpstream | null,
    places: Places,
    options: RunOptions,
  ) {
    this.#group = group;
    this.#target = target;
    this.#recorder = recorder;
    this.#grpc = grpc;
    this.#places = places;
    this.#options = options;
    this.#statNames = new RegExp(
      `^(${STATS}${group.stats === undefined ? "" : `|${group.stats}`})`,
    );
    this.#stats = new Map();
    this.#logOffsets = new Map();
  }

  async play(one: Case): Promise<CaseResult> {
    const golden = this.#options.expected?.[one.id];
    this.#recorder.script(one.replies ?? [], one.streams);
    this.#grpc?.script(one.grpc ?? []);
    if (one.adminPost !== undefined) await this.#target.admin(one.adminPost, "POST");
    const connections = await this.#playConnections(one, golden);
    await this.#recorder.tunnelsEnded();
    const streams = await this.#settledStreams(golden);
    await this.#recorder.closeConnections();
    this.#grpc?.closeConnections();
    const lines = await this.#readLogs(one, golden?.log.length);
    await this.#waitIdle();
    const guests =
      this.#group.guests !== undefined ? await this.#readGuests(one, golden) : undefined;
    const normaliser = new Normaliser(this.#places, JSON.stringify(one.connections));
    const fill = (message: Message): NormalMessage => normalMessage(message, normaliser);
    return {
      connections: connections.map((result) => normalConnection(result, normaliser)),
      upstream: renamed(
        one,
        maskRetries(
          this.#recorder.requests().map((request) => ({
            upstream: request.upstream,
            connection: request.connection,
            ...(request.tls === undefined ? {} : { tls: request.tls }),
            ...fill(request.message),
            ...(request.tunnel === undefined ? {} : { tunnel: normaliser.body(request.tunnel) }),
          })),
        ),
      ),
      ...(streams.length === 0 ? {} : { streams: normalStreams(streams, normaliser) }),
      ...(this.#grpc === null ? {} : { grpc: normalCalls(this.#grpc.calls(), normaliser) }),
      log: lines.map((line) => normaliser.text(line)),
      ...(guests === undefined
        ? {}
        : { guests: guests.map((line) => normaliser.text(readableGuestLine(line))) }),
      stats: await this.#statsDelta(one, normaliser),
    };
  }

  async start(): Promise<void> {
    this.#guestsSeen = this.#guestLines().length;
    this.#stats = await this.#readStats();
  }

  async #playConnections(one: Case, golden: CaseResult | undefined): Promise<ConnectionResult[]> {
    const playing: Promise<ConnectionResult>[] = [];
    const context: DialContext = { certificates: this.#places.certificates, sessions: [] };
    for (const [at, connection] of one.connections.entries()) {
      const port = this.#places.sitePorts[connection.site ?? "main"];
      if (port === undefined) throw new Error(`${one.id}: no site ${connection.site}`);
      const filled = this.#fill(connection);
      const wait = waits(golden?.connections[at], this.#hangMs(one, "fate"));
      const play = playConnection(port, filled, wait, context, at);
      playing.push(play);
      if (one.parallel === true) await delay(40);
      else await play;
    }
    return Promise.all(playing);
  }

  #hangMs(one: Case, aspect: "fate" | "log" | "guests"): number {
    return this.#options.mayDiffer?.(one.id, aspect) === true ? DIFFERENCE_MS_MAX : HANG_MS_MAX;
  }

  /** Placeholders stand in bytes and addresses. */
  #fill(connection: Connection): Connection {
    const fill = (text: string): string =>
      text.includes("$") ? fillPlaceholders(text, this.#places) : text;
    const fillAll = (fields: Readonly<Record<string, string>> = {}): Record<string, string> =>
      Object.fromEntries(Object.entries(fields).map(([name, text]) => [name, fill(text)]));
    return {
      ...connection,
      send: connection.send.map((piece) => (typeof piece === "string" ? fill(piece) : piece)),
      to: fillAll(connection.to),
      from: fillAll(connection.from),
    };
  }

  /** Gives the proxy time to end what it will end by itself; a golden says whether it will. */
  async #settledStreams(golden: CaseResult | undefined): Promise<readonly UpstreamStream[]> {
    const wanted = golden?.streams?.length ?? 0;
    const isSettled = (): boolean => {
      const streams = this.#recorder.streams();
      if (streams.length < wanted) return false;
      return streams.every(
        ({ end }, at) => end !== "open" || golden?.streams?.[at]?.end === "open",
      );
    };
    const until = Date.now() + (golden === undefined ? 2 * STREAM_END_MS : HANG_MS_MAX);
    while (!isSettled() && Date.now() < until) await delay(5);
    if (golden?.streams?.some(({ end }) => end === "open") === true) await delay(STREAM_END_MS);
    return this.#recorder.streams();
  }

  /** New lines of the sites this case talked to; waits for as many as the golden has. */
  async #readLogs(one: Case, wanted: number | undefined): Promise<string[]> {
    const sites = [...new Set(one.connections.map((connection) => connection.site ?? "main"))];
    const until = Date.now() + (wanted === undefined ? LOG_MS_MAX : this.#hangMs(one, "log"));
    let lines = this.#newLines(sites);
    let quietSince = Date.now();
    while (Date.now() < until) {
      const isEnough = wanted !== undefined && lines.length >= wanted;
      const quietMs = wanted === undefined ? 250 : LOG_QUIET_MS;
      if ((wanted === undefined || isEnough) && Date.now() - quietSince > quietMs) break;
      await delay(5);
      const now = this.#newLines(sites);
      if (now.length !== lines.length) quietSince = Date.now();
      lines = now;
    }
    for (const site of sites) this.#logOffsets.set(site, this.#readLog(site).length);
    return lines;
  }

  #readLog(site: string): string {
    try {
      return readFileSync(logPath(this.#places, site), "latin1");
    } catch {
      return "";
    }
  }

  #newLines(sites: readonly string[]): string[] {
    return sites.flatMap((site) => {
      const text = this.#readLog(site).slice(this.#logOffsets.get(site) ?? 0);
      const masks = this.#group.sites[site]?.logMasks ?? [];
      const lines = text.split("\n").filter((line) => line !== "");
      const masked = lines.map((line) =>
        masks.reduce((text, [pattern, by]) => text.replace(pattern, by), line),
      );
      return this.#group.sites[site]?.joinsLogLines === true ? joined(masked) : masked;
    });
  }

  #guestLines(): readonly string[] {
    const { ignoredGuestLines } = this.#group;
    const { guestLines } = this.#target;
    if (ignoredGuestLines === undefined) return guestLines;
    const ignored = new RegExp(ignoredGuestLines);
    return guestLines.filter((line) => !ignored.test(line));
  }

  /** What guests said since the last case; waits for as many lines as the golden has. */
  async #readGuests(one: Case, golden: CaseResult | undefined): Promise<readonly string[]> {
    const wanted = one.fewerGuestLines === true ? undefined : golden?.guests?.length;
    const until = Date.now() + (wanted === undefined ? LOG_MS_MAX : this.#hangMs(one, "guests"));
    let guestLines = this.#guestLines();
    let count = guestLines.length;
    let quietSince = Date.now();
    while (Date.now() < until) {
      const isEnough = wanted === undefined || count - this.#guestsSeen >= wanted;
      const quietMs = wanted === undefined ? GUEST_QUIET_MS : LOG_QUIET_MS;
      if (isEnough && Date.now() - quietSince > quietMs) break;
      await delay(5);
      guestLines = this.#guestLines();
      if (guestLines.length !== count) quietSince = Date.now();
      count = guestLines.length;
    }
    const lines = guestLines.slice(this.#guestsSeen, count);
    this.#guestsSeen = count;
    return this.#group.guests === "apart" ? apart(lines) : lines;
  }

  async #waitIdle(): Promise<void> {
    const until = Date.now() + IDLE_MS_MAX;
    while (Date.now() < until) {
      const active = await this.#target.stats(ACTIVE);
      const busy = [...active].filter(([name, n]) => n > 0 && !name.startsWith("http.admin."));
      if (busy.length === 0) return;
      await delay(5);
    }
  }

  async #readStats(): Promise<Map<string, number>> {
    const stats = await this.#target.stats(this.#statNames);
    if (this.#group.hosts !== true) return stats;
    return new Map([...stats, ...(await this.#target.hostStats())]);
  }

  async #statsDelta(one: Case, normaliser: Normaliser): Promise<Record<string, number>> {
    const now = await this.#readStats();
    const delta: Record<string, number> = {};
    const tlsIgnored = this.#group.certificates === true ? TLS_CHOICES : TLS_STATS;
    for (const [name, value] of [...now].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const change = value - (this.#stats.get(name) ?? 0);
      const isLeftOut = STATS_IGNORED.test(name) || tlsIgnored.test(name);
      if (change !== 0 && !isLeftOut) delta[normaliser.text(name)] = change;
    }
    this.#stats = now;
    return one.ignoreStats === true ? {} : delta;
  }
}

/** A retry tells the upstream what is left of the time, which depends on the back-off. */
function maskRetries(requests: readonly NormalUpstreamRequest[]): NormalUpstreamRequest[] {
  const seen = new Set<string>();
  return requests.map((request) => {
    const id = request.headers.find((line) => line.startsWith("x-request-id:"));
    const isRetry = id !== undefined && seen.has(id);
    if (id !== undefined) seen.add(id);
    if (!isRetry) return request;
    const headers = request.headers.map((line) =>
      line.replace(/^(x-envoy-expected-rq-timeout-ms: )(14\d{3}|15000)$/, "$1{what is left}"),
    );
    return { ...request, headers };
  });
}

/** Calls upstreams by what a case promises of them, where it does not promise which is which. */
function renamed(one: Case, requests: readonly NormalUpstreamRequest[]): NormalUpstreamRequest[] {
  if (one.namesByOrder !== true && one.namesByLoad !== true) return [...requests];
  const counts = new Map<string, number>();
  for (const { upstream } of requests) counts.set(upstream, (counts.get(upstream) ?? 0) + 1);
  const seen = [...counts];
  if (one.namesByLoad === true) seen.sort((a, b) => b[1] - a[1]);
  const names = new Map(seen.map(([name], at) => [name, `number ${at + 1}`]));
  const named = requests.map((each) => ({ ...each, upstream: names.get(each.upstream) ?? "" }));
  if (one.namesByOrder === true) return named;
  const sorted = named.toSorted((a, b) => (a.upstream < b.upstream ? -1 : 1));
  const withoutId = (line: string): boolean => !line.startsWith("x-request-id:");
  return sorted.map((each) => ({
    ...each,
    connection: 0,
    headers: each.headers.filter(withoutId),
  }));
}

/** What a recording has never seen is waited for as long as the recording waits for a close. */
function waits(golden: NormalConnection | undefined, hangMs: number): Waits {
  if (golden === undefined) return { responseMs: 4_000, closeMs: CLOSE_MS };
  const hasBytes = golden.responses.length > 0 || golden.rest !== undefined;
  const hasEnd = golden.fate === "closed" || golden.fate === "reset";
  return {
    responseMs: golden.fate === "silent" ? 3_000 : HANG_MS_MAX,
    closeMs: hasEnd ? hangMs : 40,
    textMs: hasBytes || hasEnd ? HANG_MS_MAX : CLOSE_MS,
    endMs: hasEnd ? hangMs : CLOSE_MS,
  };
}

function normalConnection(result: ConnectionResult, normaliser: Normaliser): NormalConnection {
  return {
    responses: result.messages.map((message) => normalMessage(message, normaliser)),
    ...(result.rest === "" ? {} : { rest: normaliser.body(result.rest) }),
    fate: result.fate,
    ...(result.tls === undefined ? {} : { tls: result.tls }),
  };
}

function normalStreams(streams: readonly UpstreamStream[], normaliser: Normaliser): NormalStream[] {
  return streams.map((stream) => ({ ...stream, bytes: normaliser.body(stream.bytes) }));
}

function normalCalls(calls: readonly GrpcCall[], normaliser: Normaliser): GrpcCall[] {
  return calls.map((call) => ({
    ...call,
    headers: call.headers.map((line) => normaliser.header(line)),
  }));
}

function normalMessage(message: Message, normaliser: Normaliser): NormalMessage {
  return {
    start: normaliser.text(message.start),
    headers: message.headers.map((line) => normaliser.header(line)),
    framing: message.framing,
    ...(message.body === "" ? {} : { body: normaliser.body(message.body) }),
    ...(message.trailers.length === 0 ? {} : { trailers: message.trailers }),
    ...(message.isComplete ? {} : { isCut: true as const }),
  };
}

/** Runs the cases of a group in one process of the target. */
export async function runGroup(group: Group, options: RunOptions): Promise<GroupRun> {
  const cases = group.cases.filter((one) => options.only?.test(one.id) ?? true);
  if (cases.length === 0) return { results: {} };
  const folder = mkdtempSync(join(tmpdir(), "headgate-compare-"));
  const places = await choosePlaces(group, folder);
  const { certificates } = places;
  const { dead: _dead, grpc: grpcPort, ...listening } = places.upstreamPorts;
  const recorder = await UpstreamRecorder.start(listening, {
    secure: group.upstreams,
    certificates,
  });
  const grpc = grpcPort === undefined ? null : await GrpcUpstream.start(grpcPort);
  const results: Record<string, CaseResult> = {};
  let target: Target | undefined;
  try {
    const text = bootstrapText(group, places);
    options.onConfig?.(text);
    const file = join(folder, "bootstrap.yaml");
    writeFileSync(file, text);
    writeFiles(folder, Object.entries(group.files ?? {}), certificates);
    const more = group.guests !== undefined ? ["--component-log-level", "wasm:info"] : [];
    target = await Target.start(options.spec, file, places.adminPort, more);
    const runner = new GroupRunner(group, target, recorder, grpc, places, options);
    await runner.start();
    for (const one of cases) results[one.id] = await runner.play(one);
    return { results };
  } catch (error) {
    const output = target === undefined || target.isRunning ? "" : `\n${target.output}`;
    return {
      results,
      failure: `${error instanceof Error ? error.message : String(error)}${output}`,
    };
  } finally {
    await target?.stop();
    await recorder.stop();
    await grpc?.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Whether `validate` takes a configuration; the reason is for people, not compared. */
export async function runConfigCase(one: ConfigCase, validate: Validate): Promise<Validation> {
  const folder = mkdtempSync(join(tmpdir(), "headgate-compare-"));
  try {
    const group = { ...one, sites: { main: one.site ?? {} } };
    const places = await choosePlaces(group, folder);
    writeFiles(folder, [], places.certificates);
    const text =
      one.yaml === undefined ? bootstrapText(group, places) : fillPlaceholders(one.yaml, places);
    const file = join(folder, "bootstrap.yaml");
    writeFileSync(file, text);
    const { isAccepted, output } = await validate(file);
    return { isAccepted, output: new Normaliser(places).text(output) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Lines that stand there several times behind one another, once. */
function joined(lines: readonly string[]): string[] {
  return lines.flatMap((line, at) => {
    if (line === lines[at - 1]) return [];
    return line === lines[at + 1] ? `${line} (2 or more)` : line;
  });
}

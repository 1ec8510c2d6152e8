// Plays cases on one process of a host. A host that refuses to start, or ends, costs the cases that made it do
// so, and no others: these are played again without them.
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Case } from "../abi/case.ts";
import { judge } from "../abi/judge.ts";
import { REPORT_MARK } from "../abi/report-code.ts";
import { Seen } from "../abi/seen.ts";
import { freePort } from "../envoy/ports.ts";
import type { CalloutServers } from "./callout-servers.ts";
import {
  accessLogPath,
  configText,
  DEFAULT_PLUGIN_NAME,
  listenersPath,
  listenersText,
  modulePath,
  type Places,
} from "./envoy-config.ts";
import { HostProcess, page } from "./host-process.ts";
import { type HostView, NetworkPlayer } from "./network-player.ts";
import { caseOf, place, type Placed } from "./placed.ts";
import type { LogLevel, NetworkTarget } from "./targets.ts";

export interface Result {
  readonly case: Case;
  /** [] = it holds. */
  readonly problems: readonly string[];
  readonly seen: Seen | null;
  readonly ms: number;
  /** Streams of one plugin came to several VMs: to several threads, or one after the other. */
  readonly isApart: boolean;
  /** Of the first try, where there was a second one. */
  readonly firstProblems?: readonly string[];
  /** The host's own trace of the calls, where it was asked for one. */
  readonly trace?: readonly string[];
}

/** Cases that may share a process, and how it is started. */
export interface Batch {
  readonly cases: readonly Case[];
  readonly level: LogLevel;
  /** Whether plugins can be taken away. */
  readonly isDynamic: boolean;
  readonly concurrency: number;
  /** How much longer than usual everything is waited for. */
  readonly patience: number;
  /** The plugin whose calls the host logs. */
  readonly tracePlugin?: string;
}

const BATCH_CASES_MAX = 60;
/** Of hosts whose cases need several. */
const THREADS = 2;
/** Cases that are played at a time. */
const LANES = 12;
/** For what has not come when the moves are over. */
const JUDGE_MS_MAX = 1_500;
/** What holds must still hold then: nothing must come that is not expected. */
const QUIET_MS = 40;

const PORT_TAKEN = /address (already )?in use|EADDRINUSE/i;

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Groups cases by what their host must be started with. */
export function batchesOf(
  cases: readonly Case[],
  options: Pick<Batch, "concurrency" | "patience">,
): readonly Batch[] {
  const groups = new Map<string, Case[]>();
  for (const [at, one] of cases.entries()) {
    const { needs, scene } = one;
    const isAlone = scene.isRefused === true || scene.isAlone === true;
    const hasThreads = needs.includes("threads");
    // A case may stand there several times.
    const alone = isAlone ? `${one.id} ${at}` : "";
    const key = [levelOf(one), needs.includes("drain"), hasThreads, alone].join();
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  return [...groups.values()].flatMap((group) => {
    const [first] = group as [Case];
    const pieces: Batch[] = [];
    for (let at = 0; at < group.length; at += BATCH_CASES_MAX) {
      const part = group.slice(at, at + BATCH_CASES_MAX);
      const isDynamic = first.needs.includes("drain");
      const concurrency = first.needs.includes("threads")
        ? Math.max(THREADS, options.concurrency)
        : options.concurrency;
      const level = levelOf(first);
      pieces.push({ cases: part, level, isDynamic, ...options, concurrency });
    }
    return pieces;
  });
}

function levelOf({ needs }: Case): LogLevel {
  if (needs.includes("trace log")) return "trace";
  return needs.includes("error log") ? "error" : "warning";
}

/** Plays a batch, and what is left of it when the host ended. */
export async function playBatch(
  batch: Batch,
  target: NetworkTarget,
  callouts: CalloutServers,
  onResult: (result: Result) => void,
): Promise<void> {
  const run = new BatchRun(batch, target, callouts);
  const left = await run.play(onResult);
  if (left.length === 0) return;
  const halves = left.map((cases) => ({ ...batch, cases }));
  for (const half of halves) await playBatch(half, target, callouts, onResult);
}

/** Plays a case once more, alone, for what the host's own trace says of it. */
export async function hostTraceOf(
  one: Case,
  target: NetworkTarget,
  callouts: CalloutServers,
  concurrency: number,
): Promise<readonly string[]> {
  const tracePlugin = one.scene.plugin?.name ?? DEFAULT_PLUGIN_NAME;
  const isDynamic = one.needs.includes("drain");
  const level = levelOf(one);
  const batch = { cases: [one], level, isDynamic, concurrency, patience: 1, tracePlugin };
  const run = new BatchRun(batch, target, callouts);
  await run.play(() => undefined);
  return run.trace;
}

class BatchRun {
  /** Lines of the host's own trace, without those of reports. */
  readonly trace: string[];
  readonly #batch: Batch;
  readonly #target: NetworkTarget;
  readonly #callouts: CalloutServers;
  readonly #lines: Map<string, string[]>;
  /** Lines of guests that are no reports. */
  readonly #plain: string[];
  #drained: Set<string>;
  #version: number;

  constructor(batch: Batch, target: NetworkTarget, callouts: CalloutServers) {
    this.trace = [];
    this.#batch = batch;
    this.#target = target;
    this.#callouts = callouts;
    this.#lines = new Map();
    this.#plain = [];
    this.#drained = new Set();
    this.#version = 1;
  }

  /** Cases that must be played again, in lists for a process each. */
  async play(onResult: (result: Result) => void): Promise<readonly (readonly Case[])[]> {
    const folder = mkdtempSync(join(tmpdir(), "conformance-"));
    const places: Places = {
      folder,
      adminPort: await freePort(),
      probePort: await freePort(),
      calloutPorts: this.#callouts.ports,
    };
    const placed: Placed[] = [];
    for (const one of this.#batch.cases) placed.push(await place(one));
    try {
      return await this.#playIn(places, placed, onResult);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  async #playIn(
    places: Places,
    placed: readonly Placed[],
    onResult: (result: Result) => void,
  ): Promise<readonly (readonly Case[])[]> {
    const configFile = this.#writeFiles(places, placed);
    let host: HostProcess | null = null;
    const view = this.#view(places, placed, () => host === null || host.exit === null);
    const { level, concurrency, patience, tracePlugin } = this.#batch;
    const players = placed.map((one) => new NetworkPlayer(one, view, patience));
    const started = await HostProcess.start(
      this.#target,
      {
        configFile,
        level,
        concurrency,
        tracePlugin,
        limitsFile: this.#writeLimits(places, placed),
        probePort: places.probePort,
      },
      (line) => this.#note(line),
    );
    try {
      if (typeof started === "string") return this.#refused(started, placed, onResult);
      host = started;
      return await this.#playAll(started, placed, players, onResult);
    } finally {
      await host?.stop();
      await Promise.all(players.map((player) => player.stop()));
    }
  }

  #refused(
    refusal: string,
    placed: readonly Placed[],
    onResult: (result: Result) => void,
  ): readonly (readonly Case[])[] {
    const { cases } = this.#batch;
    // Somebody else was faster: another try has other ports.
    if (PORT_TAKEN.test(refusal)) return [cases];
    const [only] = placed;
    if (cases.length === 1 && only !== undefined) {
      const nothing = { exchanges: [], connections: [], logs: [], metrics: new Map() };
      const seen = new Seen({ guest: only.guest, reports: [], ...nothing, refusal });
      const problems = judge(only.case, seen);
      onResult({ case: only.case, problems, seen, ms: 0, isApart: false });
      return [];
    }
    const half = Math.ceil(cases.length / 2);
    return [cases.slice(0, half), cases.slice(half)];
  }

  async #playAll(
    host: HostProcess,
    placed: readonly Placed[],
    players: readonly NetworkPlayer[],
    onResult: (result: Result) => void,
  ): Promise<readonly (readonly Case[])[]> {
    const suspects: Case[] = [];
    const waiting: number[] = [...placed.keys()];
    const lane = async (): Promise<void> => {
      for (let at = waiting.shift(); at !== undefined; at = waiting.shift()) {
        if (host.exit !== null) {
          waiting.unshift(at);
          return;
        }
        const one = (placed[at] as Placed).case;
        const player = players[at] as NetworkPlayer;
        const result = await playOne(one, player, host, this.#batch.patience);
        if (result !== null) onResult(result);
        else suspects.push(one);
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    const rest = waiting.map((at) => (placed[at] as Placed).case);
    if (placed.length === 1 && suspects.length === 1) {
      const [only] = suspects as [Case];
      const problems = [`the host ${host.exit ?? "ended"}\n${host.tail}`];
      const seen = (await players[0]?.seen()) ?? null;
      onResult({ case: only, problems, seen, ms: 0, isApart: false });
      return [];
    }
    return [...suspects.map((one) => [one]), ...(rest.length === 0 ? [] : [rest])];
  }

  #writeFiles(places: Places, placed: readonly Placed[]): string {
    const { isDynamic } = this.#batch;
    for (const { bytes, tag } of placed.flatMap((one) => [one.guest, ...one.behind])) {
      writeFileSync(modulePath(places, tag), bytes);
    }
    if (isDynamic) {
      mkdirSync(dirname(listenersPath(places)));
      writeFileSync(listenersPath(places), listenersText(placed, places, 1));
    }
    const file = join(places.folder, "config.yaml");
    writeFileSync(file, configText(placed, places, isDynamic));
    return file;
  }

  /** Undefined = no case has any, or the host knows none. */
  #writeLimits(places: Places, placed: readonly Placed[]): string | undefined {
    const limits = new Map(
      placed.flatMap((one) => {
        const own = one.case.scene.plugin?.limits;
        return own === undefined ? [] : [[one.tag, own] as const];
      }),
    );
    if (limits.size === 0 || this.#target.limitsText === undefined) return undefined;
    const file = join(places.folder, "limits.yaml");
    writeFileSync(file, this.#target.limitsText(limits));
    return file;
  }

  #note(line: string): void {
    const traced = this.#target.traceLine?.exec(line)?.[1];
    if (traced !== undefined) {
      if (!traced.includes(REPORT_MARK)) this.trace.push(traced);
      return;
    }
    const at = line.indexOf(REPORT_MARK);
    if (at < 0) {
      if (this.#target.logLine?.test(line) === true) this.#plain.push(line);
      return;
    }
    const from = at + REPORT_MARK.length;
    const key = caseOf(line.slice(from, line.indexOf(":", from)));
    const lines = this.#lines.get(key);
    if (lines === undefined) this.#lines.set(key, [line]);
    else lines.push(line);
  }

  #view(places: Places, placed: readonly Placed[], isRunning: () => boolean): HostView {
    return {
      // A prefix names the vm_id, which is the tag.
      linesOf: (tag) => [
        ...(this.#lines.get(caseOf(tag)) ?? []),
        ...this.#plain.filter((line) => line.includes(` ${tag}:`)),
      ],
      logLine: this.#target.logLine,
      accessLog: accessLogPath(places),
      metrics: (prefix) => metricsOf(places.adminPort, prefix),
      drain: ({ tag }) => this.#drain(tag, places, placed),
      isRunning,
    };
  }

  /** Writes the listeners anew, without that of a case. */
  #drain(tag: string, places: Places, placed: readonly Placed[]): void {
    this.#drained.add(tag);
    this.#version += 1;
    const left = placed.filter((one) => !this.#drained.has(one.tag));
    const file = listenersPath(places);
    writeFileSync(`${file}.next`, listenersText(left, places, this.#version));
    renameSync(`${file}.next`, file);
  }
}

/** null: the host ended meanwhile. */
async function playOne(
  one: Case,
  player: NetworkPlayer,
  host: HostProcess,
  patience: number,
): Promise<Result | null> {
  const from = Date.now();
  await player.play();
  const until = Date.now() + JUDGE_MS_MAX * patience;
  for (;;) {
    const first = judge(one, await player.seen());
    if (first.length === 0) await delay(QUIET_MS);
    const seen = await player.seen();
    const problems = judge(one, seen);
    if (host.exit !== null) return null;
    if (problems.length === 0 || Date.now() > until) {
      const { isApart } = seen;
      return { case: one, problems, seen, ms: Date.now() - from, isApart };
    }
    await delay(20);
  }
}

/** Guests' metrics as Envoy's admin page tells them. */
async function metricsOf(adminPort: number, prefix: string): Promise<ReadonlyMap<string, number>> {
  const text = (await page(adminPort, `/stats?filter=wasmcustom.${prefix}`)) ?? "";
  const found = new Map<string, number>();
  for (const line of text.split("\n")) {
    const [, name = "", value = ""] = /^wasmcustom\.(\S+): (\d+)$/.exec(line) ?? [];
    if (name !== "") found.set(name, Number(value));
  }
  return found;
}

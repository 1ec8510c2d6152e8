// Starts what is measured, reads its CPU and memory from /proc, and ends all of it in any case.
import { type ChildProcess, type ChildProcessByStdio, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import net from "node:net";
import type { Readable } from "node:stream";

/** USER_HZ: what /proc/PID/stat counts in on Linux, whatever the kernel's own tick is. */
const TICKS_PER_SECOND = 100;

const START_MS_MAX = 20_000;
const PORT_FIRST = 20_000;
const PORT_LAST = 32_000;
const PAGE_BYTES = 4096;

interface Stat {
  readonly parent: number;
  /** User and system ticks of all threads, and of children that have ended. */
  readonly ticks: number;
  readonly residentBytes: number;
}

/** The fields we use of /proc/PID/stat; the name in brackets may hold blanks and brackets. */
export function parseStat(text: string): Stat {
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const field = (number: number): number => Number(fields[number - 3]);
  return {
    parent: field(4),
    ticks: field(14) + field(15) + field(16) + field(17),
    residentBytes: field(24) * PAGE_BYTES,
  };
}

/**
 * Nanoseconds on a processor of all threads of a process, as the scheduler counts them: ticks of 10 ms
 * tell too little of a short run. NaN where the kernel does not tell. Each is noted in `threads`.
 */
function cpuNsOf(pid: number, threads: Map<number, number>): number {
  try {
    let all = 0;
    for (const task of readdirSync(`/proc/${pid}/task`)) {
      const ns = Number(
        readFileSync(`/proc/${pid}/task/${task}/schedstat`, "latin1").split(" ")[0],
      );
      threads.set(Number(task), ns);
      all += ns;
    }
    return all;
  } catch {
    return Number.NaN;
  }
}

function statOf(pid: number | string): Stat | undefined {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return undefined;
  }
}

/** Of a process and all that descend from it. */
export interface Usage {
  readonly cpuNs: number;
  readonly residentBytes: number;
  /** Of cpuNs, by threads; empty where the scheduler tells nothing. */
  readonly threads: ReadonlyMap<number, number>;
}

/** Nanoseconds of the thread that had most in between; NaN where the scheduler tells nothing. */
export function busiestNs(before: Usage, after: Usage): number {
  const each = [...after.threads].map(([thread, ns]) => ns - (before.threads.get(thread) ?? 0));
  return each.length === 0 ? Number.NaN : Math.max(...each);
}

const NS_PER_TICK = 1e9 / TICKS_PER_SECOND;

/** Threads that have ended are only counted where the scheduler tells nothing. */
export function usageOf(root: number): Usage {
  const children = new Map<number, number[]>();
  const stats = new Map<number, Stat>();
  for (const name of readdirSync("/proc")) {
    const stat = /^\d+$/.test(name) ? statOf(name) : undefined;
    if (stat === undefined) continue;
    stats.set(Number(name), stat);
    children.set(stat.parent, [...(children.get(stat.parent) ?? []), Number(name)]);
  }
  let cpuNs = 0;
  let residentBytes = 0;
  const threads = new Map<number, number>();
  const left = [root];
  for (let pid = left.pop(); pid !== undefined; pid = left.pop()) {
    const ns = cpuNsOf(pid, threads);
    cpuNs += Number.isNaN(ns) ? (stats.get(pid)?.ticks ?? 0) * NS_PER_TICK : ns;
    residentBytes += stats.get(pid)?.residentBytes ?? 0;
    left.push(...(children.get(pid) ?? []));
  }
  return { cpuNs, residentBytes, threads };
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host: "127.0.0.1" }, () => server.close(() => resolve(true)));
  });
}

/** A port nobody listens on, outside the range of outgoing connections. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = PORT_FIRST + Math.floor(Math.random() * (PORT_LAST - PORT_FIRST));
    if (await isFree(port)) return port;
  }
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: "127.0.0.1" });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

/** A child whose output can be read. */
export type OwnedProcess = ChildProcessByStdio<null, Readable, Readable>;

const children = new Set<ChildProcess>();

/** Each child leads a group of its own: what it started (nginx: workers) ends with it. */
function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // The group has ended by itself.
  }
}

function killAll(): void {
  for (const child of children) killGroup(child);
}

/** Starts a child that ends at the latest with this process. */
export function spawnOwned(command: readonly string[]): OwnedProcess {
  const [binary = "", ...args] = command;
  const child = spawn(binary, args, { stdio: ["ignore", "pipe", "pipe"], detached: true });
  children.add(child);
  child.on("exit", () => {
    killGroup(child);
    children.delete(child);
  });
  return child;
}

process.on("exit", killAll);
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(signal, () => process.exit(130));
}

/** A started process that answers on its port. */
export interface Started {
  readonly pid: number;
  stop(): Promise<void>;
}

/** Starts a command and waits until its port takes connections; throws with its output. */
export async function start(command: readonly string[], port: number): Promise<Started> {
  const child = spawnOwned(command);
  let output = "";
  let ended: string | undefined;
  const keep = (part: Buffer): void => {
    output = (output + part.toString("latin1")).slice(-4096);
  };
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  child.on("error", (error) => {
    ended = error.message;
  });
  child.on("exit", (code, signal) => {
    ended = `exit ${code ?? signal}`;
  });
  const stop = async (): Promise<void> => {
    if (ended !== undefined) return;
    child.kill("SIGTERM");
    for (let waited = 0; ended === undefined && waited < 2000; waited += 20) await delay(20);
    if (ended === undefined) killGroup(child);
  };
  for (const until = Date.now() + START_MS_MAX; Date.now() < until; await delay(20)) {
    if (ended !== undefined) break;
    if (await canConnect(port)) return { pid: child.pid ?? 0, stop };
  }
  await stop();
  throw new Error(`${command[0]} did not start (${ended ?? "no answer"}): ${output.trim()}`);
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

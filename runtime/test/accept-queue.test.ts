// Connections in the accept queue of a worker that dies or of a process that is taken over: with
// net.ipv4.tcp_migrate_req=1 none is lost. The setting belongs to a network namespace, so the
// scenario runs in one of its own.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

/** For machines with other things to do: 10 s alone. */
const TEST_MS_MAX = 120_000;

const namespace = process.getuid?.() === 0 ? ["-n"] : ["-U", "-r", "-n"];
const setUp = "ip link set lo up && test -e /proc/sys/net/ipv4/tcp_migrate_req";
const canRun = spawnSync("unshare", [...namespace, "sh", "-c", setUp]).status === 0;
if (!canRun) {
  process.stderr.write(
    "accept-queue.test.ts is skipped: it needs Linux 5.14, unshare, ip, and the right to make a " +
      "network namespace\n",
  );
}

interface Result {
  /** Connections that had no answer, for each worker that died. */
  readonly lost: readonly number[];
  /** In takeovers. */
  readonly failures: readonly string[];
  /** What the log says about the setting. */
  readonly told: string;
}

type Engine = "node" | "io_uring";

async function run(
  migrate: 0 | 1,
  crashes: number,
  takeovers: number,
  engine: Engine,
): Promise<Result> {
  const scenario = fileURLToPath(new URL("accept-queue-scenario.ts", import.meta.url));
  const command = `ip link set lo up && exec "$0" "$@"`;
  const child = spawn(
    "unshare",
    [
      ...namespace,
      "sh",
      "-c",
      command,
      process.execPath,
      scenario,
      `${migrate}`,
      `${crashes}`,
      `${takeovers}`,
      engine,
    ],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  let output = "";
  let errors = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  const [code] = (await once(child, "close")) as [number | null];
  expect([code, errors]).toEqual([0, ""]);
  return JSON.parse(output) as Result;
}

/** Where the kernel refuses io_uring, the node engine serves, and is tried twice. */
test.runIf(canRun).each<Engine>(["node", "io_uring"])(
  "nothing is lost with tcp_migrate_req=1, on %s: workers die, processes follow",
  async (engine) => {
    const { lost, failures, told } = await run(1, 2, 1, engine);
    expect(lost).toEqual([0, 0]);
    expect(failures).toEqual([]);
    expect(told).toBe("net.ipv4.tcp_migrate_req=1");
  },
  TEST_MS_MAX,
);

test.runIf(canRun)(
  "a dead worker's queue is lost without it, and the log says so",
  async () => {
    const { lost, told } = await run(0, 1, 0, "node");
    expect(lost[0]).toBeGreaterThan(0);
    expect(told).toContain("net.ipv4.tcp_migrate_req=0: a worker that ends loses");
  },
  TEST_MS_MAX,
);

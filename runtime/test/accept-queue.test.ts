// Connections in the accept queue of a worker that dies or of a process that is taken over: with
// net.ipv4.tcp_migrate_req=1 none is lost.
import { expect, test } from "vitest";
import { canHaveNamespace, runInNamespace } from "./network-namespace.ts";

/** For machines with other things to do: 10 s alone. */
const TEST_MS_MAX = 120_000;

const canRun = canHaveNamespace("accept-queue.test.ts");

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
  const args = [migrate, crashes, takeovers, engine];
  return (await runInNamespace("accept-queue-scenario.ts", args)) as Result;
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

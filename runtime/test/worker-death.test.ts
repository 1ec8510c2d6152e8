// What the death of a worker costs, request by request: those that it had in flight, and none else.
import { expect, test } from "vitest";
import { canHaveNamespace, runInNamespace } from "./network-namespace.ts";
import type { Death } from "./worker-death-scenario.ts";

/** For machines with other things to do: 10 s alone. */
const TEST_MS_MAX = 120_000;

/** As many as connect at a time: the ring accepts ahead of a guest that never returns. */
const UNTOLD_MAX = 16;

const canRun = canHaveNamespace("worker-death.test.ts");

const cases = [
  { engine: "node", manner: "throw", kills: 2 },
  { engine: "node", manner: "stuck", kills: 1 },
  { engine: "io_uring", manner: "throw", kills: 2 },
  { engine: "io_uring", manner: "stuck", kills: 1 },
];

/** Where the kernel refuses io_uring, the node engine serves, and is tried twice. */
test.runIf(canRun).each(cases)(
  "each request that is lost was the dead worker's: $engine, $manner",
  async ({ engine, manner, kills }) => {
    const args = [1, engine, manner, kills];
    const deaths = (await runInNamespace("worker-death-scenario.ts", args)) as Death[];
    expect(deaths).toHaveLength(kills);
    for (const { untold, others, unknown } of deaths) {
      expect({ others, unknown }).toEqual({ others: [], unknown: 0 });
      expect(untold).toBeLessThanOrEqual(UNTOLD_MAX);
    }
    // Else nothing was shown.
    const lost = deaths.reduce((sum, { inFlight, accepted }) => sum + inFlight + accepted, 0);
    expect(lost).toBeGreaterThan(0);
  },
  TEST_MS_MAX,
);

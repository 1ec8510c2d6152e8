// Every rung of the Node engine against the cases of all engines.
import { describe } from "vitest";
import { Clock } from "../../runtime/src/core/clock.ts";
import { createNodeEngine } from "../../runtime/src/engine-node/node-engine.ts";
import { connectionCases } from "./connection-cases.ts";
import { flowCases } from "./flow-cases.ts";

describe.each(["handle", "socket-handle", "socket"] as const)("rung %s", (rung) => {
  const engine = createNodeEngine({ clock: new Clock(), rung });
  const core = engine.coreForTest;
  connectionCases(engine, () => core.openConnections);
  flowCases(engine, core);
});

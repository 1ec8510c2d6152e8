// The simulated engine against the cases of all engines: what the simulation proves of the rooms above holds for real
// engines only as far as both keep the same contract. What has no meaning without a kernel is left out: files of unix
// sockets, Duplexes (node:tls, node:http2), and what certificates prove.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Dice } from "../../runtime/src/engine-sim/dice.ts";
import {
  calmNetwork,
  choppyNetwork,
  type FaultProfile,
} from "../../runtime/src/engine-sim/fault-profile.ts";
import { SimEngine } from "../../runtime/src/engine-sim/sim-engine.ts";
import { SimLoop } from "../../runtime/src/engine-sim/sim-loop.ts";
import { SimNetwork } from "../../runtime/src/engine-sim/sim-network.ts";
import { connectionCases } from "./connection-cases.ts";
import { flowCases } from "./flow-cases.ts";
import { greatReadCases } from "./great-read-cases.ts";
import { listenCases } from "./listen-cases.ts";
import { readingCases } from "./reading-cases.ts";
import { connectPair, settle } from "./recorder.ts";
import { tlsByteCases, tlsEndCases, tlsFlowCases } from "./tls-cases.ts";
import { tlsBrokenHandshakeCases } from "./tls-handshake-cases.ts";

/** Small messages arrive in one read, as over loopback. */
const smooth: FaultProfile = {
  ...calmNetwork,
  latencyMs: [0, 0],
  kernelBytes: [65_536, 65_536],
  shortReadChance: 0,
  shortWriteChance: 0,
};

function newWorld(profile: FaultProfile, seed: number): { engine: SimEngine; loop: SimLoop } {
  const dice = new Dice(seed);
  const loop = new SimLoop(dice.fork());
  const engine = new SimEngine(new SimNetwork(loop, dice.fork()), profile);
  return { engine, loop };
}

/** The cases wait with promises: the loop's events run between them. */
function drive(loop: SimLoop): void {
  let next: NodeJS.Immediate | null = null;
  const run = (): void => {
    for (let i = 0; i < 20 && loop.waiting > 0; i += 1) loop.step();
    next = setImmediate(run);
  };
  beforeAll(run);
  afterAll(() => clearImmediate(next ?? undefined));
}

describe("a smooth network", () => {
  const { engine, loop } = newWorld(smooth, 1);
  const { core } = engine;
  const openConnections = (): number => core.openConnections;
  drive(loop);
  connectionCases(engine, openConnections);
  readingCases(engine, openConnections);
  greatReadCases(engine, openConnections, false);
  flowCases(engine, core);
  listenCases(engine, openConnections, false);
  tlsByteCases(engine);
  tlsFlowCases(engine);
  tlsEndCases(engine, openConnections);
  tlsBrokenHandshakeCases(engine);

  test("bytes that a receiver kept are spoilt when its turn is over", async () => {
    const { client, server } = await connectPair(engine);
    let kept: Buffer = Buffer.alloc(0);
    server.events.whenRead = (buffer, length): void => {
      kept = buffer.subarray(0, length);
      expect(kept.toString()).toBe("lent");
    };
    client.io.writeText("lent");
    await server.events.until(() => kept.length > 0);
    await settle(engine);
    expect(kept.toString("latin1")).toBe("\xdb\xdb\xdb\xdb");
    client.io.reset();
    server.io.reset();
  });

  test("bytes that change after they were given away are a fault of the caller", async () => {
    const { client, server } = await connectPair(engine);
    const given = Buffer.from("given");
    const turn = (): void => {
      client.io.write(given);
      given.fill("x");
    };
    engine.runTurn(turn);
    const go = (): void => {
      while (loop.waiting > 0) loop.step();
    };
    expect(go).toThrow("bytes changed after they were given");
    client.io.reset();
    server.io.reset();
  });
});

describe("a choppy network", () => {
  const { engine, loop } = newWorld({ ...choppyNetwork, kernelBytes: [20, 2000] }, 2);
  drive(loop);

  test("carries everything in order, in pieces", async () => {
    const { client, server } = await connectPair(engine);
    const text = Array.from({ length: 20_000 }, (_, i) => String(i)).join(",");
    client.io.writeText(text);
    client.io.shutdownWrite();
    await server.events.until(() => server.events.hasEnded);
    expect(server.events.text).toBe(text);
    expect(server.events.reads.length).toBeGreaterThan(50);
    client.io.reset();
    server.io.reset();
  });
});

describe("determinism", () => {
  /** Echoes over connections that misbehave in every way; returns what happened. */
  function run(seed: number): string {
    const { engine, loop } = newWorld(
      { ...choppyNetwork, cutChance: 0.3, cutAfterMs: [0, 50] },
      seed,
    );
    const address = { address: "127.0.0.1", port: 80, family: "ipv4" } as const;
    const options = { reusePort: false, backlog: 0, ipv4Compat: false, mode: 0 };
    const quiet = { onConnect() {}, onWritable() {}, onEnd() {}, onClose() {} };
    engine.listen(address, options, {
      onListening() {},
      onError() {},
      onAccept: (io) => ({ ...quiet, onRead: (buffer, n) => void io.writeLent(buffer, 0, n) }),
    });
    for (let i = 0; i < 20; i += 1) {
      const io = engine.connect(
        address,
        { bindAddress: null, keepAlive: null },
        { ...quiet, onRead() {} },
      );
      io.writeText("x".repeat(10_000));
    }
    loop.pass(10_000);
    expect(loop.steps).toBeGreaterThan(500);
    return loop.trace.digest;
  }

  test("the same seed does the same, another seed something else", () => {
    expect(run(7)).toBe(run(7));
    expect(run(8)).not.toBe(run(7));
  });
});

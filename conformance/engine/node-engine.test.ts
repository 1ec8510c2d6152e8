// Every rung of the Node engine against the cases of all engines, and what only rungs have.
import { execFileSync } from "node:child_process";
import { writeSync } from "node:fs";
import net from "node:net";
import { describe, expect, test, vi } from "vitest";
import { blockPool } from "../../runtime/src/core/block-pool.ts";
import { Clock } from "../../runtime/src/core/clock.ts";
import { CloseReason } from "../../runtime/src/engine/network-engine.ts";
import { createNodeEngine, type NodeEngine } from "../../runtime/src/engine-node/node-engine.ts";
import { connectionCases } from "./connection-cases.ts";
import { detachCases } from "./detach-cases.ts";
import { flowCases } from "./flow-cases.ts";
import { greatReadCases } from "./great-read-cases.ts";
import { listenCases } from "./listen-cases.ts";
import { machineCases } from "./machine-cases.ts";
import { connectMany, endAll, useAll } from "./many-connections.ts";
import { readingCases } from "./reading-cases.ts";
import { connectPair, listen, type Recorder, settle, type Side } from "./recorder.ts";
import { tlsCases } from "./tls-cases.ts";

const rungs = ["handle", "socket-handle", "socket"] as const;

describe.each(rungs)("rung %s", (rung) => {
  const engine = createNodeEngine({ clock: new Clock(), rung });
  const core = engine.coreForTest;
  const openConnections = (): number => core.openConnections;
  connectionCases(engine, openConnections);
  readingCases(engine, openConnections);
  greatReadCases(engine, openConnections, rung === "handle");
  flowCases(engine, core);
  listenCases(engine, openConnections, true);
  detachCases(engine, openConnections);
  tlsCases(engine, openConnections);
  manyCases(engine, openConnections);
  machineCases(engine, rung);
});

describe.each(["handle", "socket-handle"] as const)("rung %s, writes through handles", (rung) => {
  handleCases(createNodeEngine({ clock: new Clock(), rung }));
});

function manyCases(engine: NodeEngine, openConnections: () => number): void {
  /** Node forgets a handle some rounds of the loop after it was closed. */
  async function closed(): Promise<void> {
    for (let round = 0; round < 10; round += 1) {
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }

  test("1,000 connections opened, used and closed leave nothing behind", async () => {
    const handles = (): number =>
      process.getActiveResourcesInfo().filter((name) => /TCP|Pipe/.test(name)).length;
    await closed();
    const before = handles();
    const many = await connectMany(engine);
    expect(openConnections()).toBe(2000);
    expect(handles()).toBeGreaterThanOrEqual(before + 2000);
    await useAll(many);
    await endAll(engine, many);
    await closed();
    expect(openConnections()).toBe(0);
    expect(handles()).toBe(before);
  });

  test("idle connections have no buffers of their own", async () => {
    const before = process.memoryUsage().arrayBuffers;
    const { sides, close } = await connectMany(engine);
    const perConnection = (process.memoryUsage().arrayBuffers - before) / sides.length;
    expect(perConnection).toBeLessThan(2048);
    for (const { io } of sides) io.reset();
    close();
  });
}

function handleCases(engine: NodeEngine): void {
  const core = engine.coreForTest;

  /** Writes behind the engine's back until the kernel takes no more. */
  function fillKernel(side: Side): number {
    const { fd } = (side.io as unknown as { handle: { fd: number } }).handle;
    const zeros = Buffer.alloc(65_536);
    let filled = 0;
    for (;;) {
      try {
        filled += writeSync(fd, zeros);
      } catch (error) {
        if (Reflect.get(error as Error, "code") === "EAGAIN") return filled;
        throw error;
      }
    }
  }

  test("a chunk too large to be copied leaves with its frame and what is before it in one", async () => {
    const { client, server } = await connectPair(engine);
    const [calls, whole] = [core.writeCalls, core.lentWhole];
    const lent = Buffer.alloc(40_000, "lent ");
    const sent = `head ${lent.toString()} end`;
    engine.runTurn(() => {
      client.io.writeText("he");
      client.io.writeFramed("ad ", lent, 0, lent.length, " end");
      lent.fill(0);
    });
    expect([core.writeCalls, core.lentWhole]).toEqual([calls + 1, whole + 1]);
    await server.events.until(() => server.events.bytes === sent.length);
    expect(server.events.text === sent).toBe(true);
    client.io.reset();
    server.io.reset();
  });

  test.each(["plain", "framed"])(
    "EAGAIN: %s, the rest is copied, queued and arrives",
    async (kind) => {
      const { client, server } = await connectPair(engine);
      server.io.readDisable(true);
      const refused = core.lentRefused;
      const filled = fillKernel(client);
      const lent = Buffer.from("lent bytes ".repeat(2000));
      const expected = kind === "plain" ? lent.toString() : `<${lent.toString()}>`;
      const write =
        kind === "plain"
          ? (): boolean => client.io.writeLent(lent, 0, lent.length)
          : (): boolean => client.io.writeFramed("<", lent, 0, lent.length, ">");
      expect(write()).toBe(false);
      expect(core.lentRefused).toBe(refused + 1);
      expect(client.io.writeQueueBytes).toBe(expected.length);
      lent.fill(0);
      let seen = "";
      server.events.keepsText = false;
      server.events.whenRead = (buffer, length): void => {
        const at = server.events.bytes - length;
        if (at + length > filled)
          seen += buffer.toString("latin1", Math.max(0, filled - at), length);
      };
      server.io.readDisable(false);
      await server.events.until(() => server.events.bytes === filled + expected.length);
      expect(seen === expected).toBe(true);
      await client.events.until(() => client.events.count("writable") === 1);
      expect(client.io.writeQueueBytes).toBe(0);
      client.io.reset();
      server.io.reset();
    },
  );

  test("what the kernel does not take of lent bytes waits in blocks that are used again", async () => {
    const lent = Buffer.from("lent bytes".repeat(15_000));
    const taken: number[] = [];
    for (let round = 0; round < 3; round += 1) {
      const { client, server } = await connectPair(engine);
      server.io.readDisable(true);
      server.events.keepsText = false;
      const filled = fillKernel(client);
      const before = blockPool.freeBytes;
      client.io.writeLent(lent, 0, lent.length);
      taken.push(before - blockPool.freeBytes);
      let isRight = true;
      server.events.whenRead = (buffer, length): void => {
        const at = server.events.bytes - length - filled;
        for (let i = Math.max(0, -at); i < length; i += 1) {
          isRight &&= buffer[i] === lent[at + i];
        }
      };
      server.io.readDisable(false);
      await server.events.until(() => server.events.bytes === filled + lent.length);
      expect(isRight).toBe(true);
      await client.events.until(() => client.events.count("writable") === 1);
      client.io.reset();
      server.io.reset();
    }
    // The first round may make them.
    expect(taken.slice(1)).toEqual([3 * 64 * 1024, 3 * 64 * 1024]);
  });

  test("blocks of a connection that is reset are given back", async () => {
    const { client, server } = await connectPair(engine);
    server.io.readDisable(true);
    fillKernel(client);
    const lent = Buffer.alloc(150_000);
    client.io.writeLent(lent, 0, lent.length);
    const free = blockPool.freeBytes;
    client.io.reset();
    server.io.reset();
    await vi.waitFor(() => expect(blockPool.freeBytes).toBe(free + 3 * 64 * 1024));
  });

  test("a lent write of which the kernel takes a part, with a head in front", async () => {
    const { client, server } = await connectPair(engine);
    const upstream = await connectPair(engine);
    const partial = core.lentPartial;
    const head = "h".repeat(1000);
    upstream.server.events.keepsText = false;
    upstream.server.io.readDisable(true);
    let expected = "";
    // The peer does not read: one of these lent writes is cut in two, the later ones are queued.
    server.events.keepsText = false;
    server.events.whenRead = (buffer, length): void => {
      if (core.lentPartial > partial) return;
      upstream.client.io.writeText(head);
      upstream.client.io.writeLent(buffer, 0, length);
      expected += head + buffer.toString("latin1", 0, length);
    };
    const bytes = Buffer.alloc(65_536, "0123456789abcdef");
    let sent = 0;
    while (core.lentPartial === partial && sent < 64_000_000) {
      client.io.write(bytes);
      sent += bytes.length;
      await server.events.until(() => server.events.bytes === sent);
    }
    expect(core.lentPartial).toBe(partial + 1);
    let seen = "";
    upstream.server.events.whenRead = (buffer, length): void => {
      seen += buffer.toString("latin1", 0, length);
    };
    upstream.server.io.readDisable(false);
    await upstream.server.events.until(() => seen.length >= expected.length);
    expect(seen === expected).toBe(true);
    for (const side of [client, server, upstream.client, upstream.server]) side.io.reset();
  });

  test("a big response that was just read leaves with its new head in one write", async () => {
    const { client, server } = await connectPair(engine);
    client.events.keepsText = false;
    server.events.keepsText = false;
    const counts: number[] = [];
    server.events.whenRead = (buffer, length): void => {
      const calls = core.writeCalls;
      engine.runTurn(() => {
        server.io.writeText("HTTP/1.1 200 OK\r\n\r\n");
        server.io.writeLent(buffer, 0, length);
      });
      counts.push(core.writeCalls - calls);
    };
    client.io.write(Buffer.alloc(65_000));
    await server.events.until(() => server.events.bytes === 65_000);
    await client.events.until(() => client.events.bytes === 65_000 + counts.length * 19);
    expect(new Set(counts)).toEqual(new Set([1]));
    client.io.reset();
    server.io.reset();
  });

  test("an early answer of a peer that closes is read although our write fails", async () => {
    const listening = await listen(engine);
    const socket = net.connect(listening.handle.localAddress.port, "127.0.0.1");
    socket.on("error", () => undefined);
    await listening.events.until(() => listening.events.accepted.length === 1);
    const { io, events } = listening.events.accepted[0] as { io: Side["io"]; events: Recorder };
    io.readDisable(true);
    await new Promise<void>((resolve) => socket.write("413 too large", () => resolve()));
    await new Promise<void>((resolve) => socket.end(() => resolve()));
    socket.destroy();
    await settle(engine);
    // The first meets a closed peer, which answers with a reset; the second fails.
    io.readDisable(false);
    io.writeText("more body");
    io.writeText("and more");
    await events.until(() => events.isClosed || events.hasEnded);
    expect(events.text).toBe("413 too large");
    if (!events.isClosed) {
      io.writeText("and still more");
      await events.until(() => events.isClosed);
    }
    expect(events.reason).toBe(CloseReason.RemoteReset);
    listening.handle.close();
  });
}

describe("choice of the rung", () => {
  const module = new URL("../../runtime/src/engine-node/node-engine.ts", import.meta.url).href;
  const clock = new URL("../../runtime/src/core/clock.ts", import.meta.url).href;
  const script = `
    const { createNodeEngine } = await import(${JSON.stringify(module)});
    const { Clock } = await import(${JSON.stringify(clock)});
    let refusal = "";
    try { createNodeEngine({ clock: new Clock(), rung: "handle" }); }
    catch (error) { refusal = error.message; }
    console.log(createNodeEngine({ clock: new Clock() }).name + "|" + refusal);`;

  function run(...flags: string[]): string {
    const args = [...flags, "--input-type=module", "-e", `${script}`];
    return execFileSync("sh", ["-c", 'exec "$0" "$@" 2>&1', process.execPath, ...args], {
      encoding: "utf8",
      env: { ...process.env, NODE_OPTIONS: "" },
    }).trim();
  }

  test("takes bare handles where they are, and prints no warning", () => {
    expect(run()).toBe("node (bare handles)|");
  });

  test("says why it takes sockets under the permission model, and refuses the better rung", () => {
    const output = run("--permission", "--allow-fs-read=*", "--allow-net");
    expect(output.split("\n").at(-1)).toBe(
      "node (sockets, handle writes; no bare handles: process.binding is refused " +
        "(ERR_ACCESS_DENIED))|engine rung handle does not work: process.binding is refused " +
        "(ERR_ACCESS_DENIED)",
    );
  });

  test("names each rung", () => {
    const names = rungs.map((rung) => createNodeEngine({ clock: new Clock(), rung }).name);
    expect(names).toEqual([
      "node (bare handles)",
      "node (sockets, handle writes)",
      "node (sockets)",
    ]);
  });
});

// What engines on a real machine must do: the kernel's settings, threads that share a port, few files.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import net from "node:net";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { afterEach, expect, test } from "vitest";
import type { IoHandle, NetworkEngine } from "../../runtime/src/engine/network-engine.ts";
import type { EngineKind } from "./engine-kind.ts";
import { anyPort, connect, listen, type Recorder } from "./recorder.ts";

export function machineCases(engine: NetworkEngine, kind: EngineKind): void {
  plainClientCases(engine);
  keepAliveCase(engine);
  threadCases(engine, kind);
}

/** /proc/net/tcp tells which timer a connection has (2 = keep-alive) and when it is due. */
function keepAliveTimer(io: IoHandle): number | null {
  const local = hexPort(io.localAddress.port);
  // Others on this machine may have the same port towards somebody else.
  const remote = hexPort(io.remoteAddress.port);
  for (const line of readFileSync("/proc/net/tcp", "latin1").split("\n")) {
    const fields = line.trim().split(/\s+/);
    const [kind, ticks] = (fields[5] ?? "").split(":");
    const isIts = fields[1]?.endsWith(local) === true && fields[2]?.endsWith(remote) === true;
    if (!isIts || fields[3] !== "01") continue;
    return kind === "02" ? Number.parseInt(ticks ?? "", 16) / 100 : null;
  }
  return null;
}

function hexPort(port: number): string {
  return `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
}

function keepAliveCase(engine: NetworkEngine): void {
  test.runIf(process.platform === "linux")("keep-alive reaches the kernel", async () => {
    const listening = await listen(engine, anyPort);
    const keepAlive = { idleSeconds: 1000, intervalSeconds: 5, probes: 3 };
    const address = listening.handle.localAddress;
    const client = connect(engine, address, { bindAddress: null, keepAlive });
    await listening.events.until(() => listening.events.accepted.length === 1);
    await client.events.until(() => client.events.log.includes("connect"));
    expect(keepAliveTimer(client.io)).toBeGreaterThan(900);
    client.io.setKeepAlive({ ...keepAlive, idleSeconds: 500 });
    expect(keepAliveTimer(client.io)).toBeLessThanOrEqual(500);
    client.io.setKeepAlive(null);
    expect(keepAliveTimer(client.io)).toBe(null);
    client.io.reset();
    listening.events.accepted[0]?.io.reset();
    listening.handle.close();
  });
}

function plainClientCases(engine: NetworkEngine): void {
  test("a plain client that resets is reported as RemoteReset", async () => {
    const listening = await listen(engine, anyPort);
    const socket = net.connect(listening.handle.localAddress.port, "127.0.0.1");
    socket.write("x");
    await listening.events.until(() => listening.events.accepted.length === 1);
    const events = listening.events.accepted[0]?.events as Recorder;
    await events.until(() => events.bytes === 1);
    socket.resetAndDestroy();
    await events.until(() => events.isClosed);
    expect(events.code).toBe("ECONNRESET");
    listening.handle.close();
  });
}

function threadCases(engine: NetworkEngine, kind: EngineKind): void {
  const workers: Worker[] = [];

  async function startWorker(id: string, port: number): Promise<number> {
    const url = new URL("./echo-worker.ts", import.meta.url);
    const worker = new Worker(url, { workerData: { kind, id, port }, execArgv: [] });
    workers.push(worker);
    const message = await new Promise<{ port?: number; code?: string }>((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
    });
    expect(message.code).toBeUndefined();
    return message.port ?? 0;
  }

  afterEach(async () => {
    await Promise.all(workers.splice(0).map((worker) => worker.terminate()));
  });

  test("two worker threads share a port, and both are reached", async () => {
    const port = await startWorker("a", 0);
    expect(await startWorker("b", port)).toBe(port);
    const answers = new Set<string>();
    for (let at = 0; at < 200 && answers.size < 2; at += 1) {
      const client = connect(engine, { ...anyPort, port });
      client.io.writeText("x");
      await client.events.until(() => client.events.bytes >= 3);
      answers.add(client.events.text);
      client.io.close();
    }
    expect([...answers].toSorted()).toEqual(["a:x", "b:x"]);
  });

  test("goes on accepting after it ran out of files", () => {
    const script = fileURLToPath(new URL("./few-files.ts", import.meta.url));
    const shell = `ulimit -n 64; exec "$0" "$1" "$2" 2>&1`;
    const output = execFileSync("sh", ["-c", shell, process.execPath, script, kind], {
      encoding: "utf8",
      timeout: 90_000,
    });
    expect(output).toBe("works again\n");
  });
}

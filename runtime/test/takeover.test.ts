// One process takes over from another: under load, with what can go wrong on the way.
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { bootstrap, fileAccessLog, socketAddress } from "./bootstrap.ts";
import type { HeadgateProcess } from "./headgate-process.ts";
import { KeptConnection } from "./http-clients.ts";
import { Load } from "./load-client.ts";
import { useProcesses, useUpstream } from "./process-rig.ts";
import { LocalServer } from "./upstreams.ts";

const upstream = useUpstream("from the upstream");
const processes = useProcesses();
let loads: Load[] = [];
let nextBaseId = process.pid * 100;

beforeEach(() => {
  nextBaseId += 1;
});

afterEach(() => {
  for (const load of loads) void load.stop();
  loads = [];
});

/** A process of the test's base id. */
function start(
  config: object = bootstrap({ upstreamPort: upstream.port }),
  flags: readonly string[] = [],
  concurrency = 1,
): Promise<HeadgateProcess> {
  const base = ["--base-id", String(nextBaseId), "--drain-strategy", "immediate"];
  return processes.start(config, { concurrency, flags: [...base, ...flags] });
}

/** Runs until its end; for starts that fail. */
async function fails(flags: readonly string[], config: object = bootstrap()): Promise<string> {
  const path = processes.scratch.write("other.yaml", config);
  const headgate = await processes.run("-c", path, "--concurrency", "1", ...flags);
  expect((await headgate.exited).code).toBe(1);
  return headgate.output;
}

function load(target: string, more: Partial<ConstructorParameters<typeof Load>[0]> = {}): Load {
  const started = new Load({ target, keepAlive: 8, ...more });
  loads.push(started);
  return started;
}

function isLive(headgate: HeadgateProcess): Promise<string> {
  return headgate.admin("/ready");
}

describe("a takeover", () => {
  // With clients that connect anew for each request: accept-queue.test.ts.
  test("under load loses no request, several times in a row", async () => {
    const first = await start(undefined, [], 2);
    const target = await first.listener();
    const traffic = load(target);
    let old = first;
    for (let epoch = 1; epoch <= 2; epoch += 1) {
      const fresh = await start(undefined, [], 2);
      expect(await fresh.listener()).toBe(target);
      expect(await old.exited).toEqual({ code: 0, signal: null });
      expect(old.output).toContain(`process ${fresh.pid} has taken over: draining`);
      expect(await fresh.stat("server.hot_restart_epoch")).toBe(epoch);
      const before = traffic.answered;
      await fresh.waitFor(() => traffic.answered > before + 20, "traffic on the new process");
      old = fresh;
    }
    await traffic.stop();
    expect(traffic.failures).toEqual([]);
    expect(traffic.askedToLeave).toBeGreaterThan(0);
    old.kill("SIGTERM");
    expect((await old.exited).code).toBe(0);
  });

  test("finishes the streams of the old process, which then ends", async () => {
    const old = await start();
    const target = await old.listener();
    const answer = fetch(`http://${target}/hold`);
    await old.waitFor(() => upstream.held.length === 1);
    const fresh = await start();
    await fresh.waitFor(async () => (await fresh.stat("server.parent_connections")) === 1);
    expect(old.child.exitCode).toBeNull();
    upstream.held[0]?.end("at last");
    expect(await (await answer).text()).toBe("at last");
    expect((await old.exited).code).toBe(0);
    await fresh.says(`process ${old.pid} has ended`);
    expect(await fresh.stat("server.parent_connections")).toBe(0);
  });

  test("closes idle connections when the drain time is over, without losing a request", async () => {
    const old = await start(undefined, ["--drain-time-s", "1"]);
    const target = await old.listener();
    const idle = await KeptConnection.open(target);
    const log: string[] = [];
    idle.socket.on("error", (error) => log.push(error.message));
    idle.socket.on("end", () => log.push("end"));
    const fresh = await start();
    // Maybe before the new process has said that it is live.
    await fresh.waitFor(() => idle.isClosed, "the end of the idle connection");
    expect(log).toEqual(["end"]);
    expect((await old.exited).code).toBe(0);
  });

  test("ends the old process after --parent-shutdown-time-s, whatever it does", async () => {
    const log = processes.scratch.path("access.log");
    const config = bootstrap({
      upstreamPort: upstream.port,
      hcm: { access_log: [fileAccessLog(log)] },
    });
    const old = await start(config);
    const answer = fetch(`http://${await old.listener()}/hold`).catch((error: Error) => error);
    await old.waitFor(() => upstream.held.length === 1);
    await start(config, ["--parent-shutdown-time-s", "1"]);
    expect(await answer).toBeInstanceOf(Error);
    expect((await old.exited).code).toBe(0);
    expect(readFileSync(log, "utf8")).toBe("/hold 0\n");
  });

  test("moves the admin interface's port when the new process is ready", async () => {
    const config = {
      ...bootstrap({ upstreamPort: upstream.port }),
      admin: { address: socketAddress(0) },
    };
    const old = await start(config);
    const port = Number(old.adminAddress.split(":")[1]);
    const moved = { ...config, admin: { address: socketAddress(port) } };
    const fresh = await start(moved);
    expect(fresh.adminAddress).toBe(old.adminAddress);
    expect(await fresh.admin("/server_info")).toContain('"restart_epoch": 1');
    expect((await old.exited).code).toBe(0);
  });

  test("of a unix socket leaves no moment without a listener", async () => {
    const path = processes.scratch.path("main.sock");
    const config = bootstrap({ upstreamPort: upstream.port, address: { pipe: { path } } });
    const old = await start(config);
    const traffic = load(path, { single: 4 });
    const fresh = await start(config);
    expect((await old.exited).code).toBe(0);
    const before = traffic.answered;
    await fresh.waitFor(() => traffic.answered > before + 20, "traffic on the new process");
    await traffic.stop();
    expect(traffic.failures).toEqual([]);
    fresh.kill("SIGTERM");
    expect((await fresh.exited).code).toBe(0);
    expect(existsSync(path)).toBe(false);
  });
});

describe("nothing changes for the old process", () => {
  test("when the new one has a wrong configuration", async () => {
    const old = await start();
    const traffic = load(await old.listener());
    const output = await fails(["--base-id", String(nextBaseId)], { static_resources: 7 });
    expect(output).toContain("error initializing configuration");
    expect(await isLive(old)).toBe("LIVE\n");
    await traffic.stop();
    expect(traffic.failures).toEqual([]);
  });

  test("when the new one cannot bind, and gives back what it took", async () => {
    const taken = new LocalServer(createServer());
    const port = await taken.listen();
    const old = await start();
    // The admin interface comes last: the old one has closed its own by then.
    const config = {
      ...bootstrap({ upstreamPort: upstream.port }),
      admin: { address: socketAddress(port) },
    };
    const output = await fails(["--base-id", String(nextBaseId)], config);
    expect(output).toContain("EADDRINUSE");
    const address = await old.waitFor(async () => {
      const text = old.output
        .match(/admin address: \S+/g)
        ?.at(-1)
        ?.slice(15);
      const ready = await fetch(`http://${text}/ready`);
      return (await ready.text()) === "LIVE\n" && text;
    }, "the admin interface again");
    expect(address).toContain("127.0.0.1:");
    taken.close();
  });

  test.runIf(process.platform === "linux")("when a socket cannot be shared", async () => {
    const address = { pipe: { path: `@headgate-takeover-${nextBaseId}` } };
    const config = bootstrap({ upstreamPort: upstream.port, address });
    const old = await start(config);
    const output = await fails(["--base-id", String(nextBaseId)], config);
    expect(output).toContain("abstract sockets are not shared, so whoever has it must end first");
    expect(await isLive(old)).toBe("LIVE\n");
  });

  test("when the new one is killed before it is ready", async () => {
    const old = await start();
    const path = processes.scratch.write("other.yaml", bootstrap({ upstreamPort: upstream.port }));
    const flags = ["--base-id", String(nextBaseId), "--concurrency", "1"];
    const fresh = processes.launch("-c", path, ...flags);
    await fresh.says("taking over from process");
    fresh.kill("SIGKILL");
    await fresh.exited;
    // There is room for the next one.
    const next = await start();
    expect((await old.exited).code).toBe(0);
    expect(await isLive(next)).toBe("LIVE\n");
  });

  test("when another one only tries the configuration (--mode init_only)", async () => {
    const old = await start();
    const path = processes.scratch.write("other.yaml", bootstrap({ upstreamPort: upstream.port }));
    const flags = ["--base-id", String(nextBaseId), "--mode", "init_only", "--concurrency", "1"];
    const trial = await processes.run("-c", path, ...flags);
    expect((await trial.exited).code).toBe(0);
    expect(trial.output).not.toContain("taking over");
    expect(await isLive(old)).toBe("LIVE\n");
  });

  test("when another one has another base id, none, or --disable-hot-restart", async () => {
    const old = await start();
    const otherId = ["--base-id", String(nextBaseId + 50)];
    const disabled = ["--base-id", String(nextBaseId), "--disable-hot-restart"];
    const config = bootstrap({ upstreamPort: upstream.port });
    const others = await Promise.all(
      [otherId, ["--use-dynamic-base-id"], [], disabled].map((flags) =>
        processes.start(config, { flags }),
      ),
    );
    for (const other of others) expect(other.output).not.toContain("taking over");
    expect(await isLive(old)).toBe("LIVE\n");
    expect(old.output).not.toContain("taken over");
  });
});

describe("whom to follow", () => {
  test("--restart-epoch needs somebody, unless told to skip", async () => {
    const base = ["--base-id", String(nextBaseId), "--restart-epoch", "1"];
    expect(await fails(base)).toContain(`no process of base id ${nextBaseId} runs`);
    const flags = ["--restart-epoch", "1", "--skip-hot-restart-on-no-parent"];
    const alone = await start(undefined, flags);
    expect(await alone.stat("server.hot_restart_epoch")).toBe(1);
    const second = await start(undefined, ["--restart-epoch", "2"]);
    expect((await alone.exited).code).toBe(0);
    expect(await second.stat("server.hot_restart_epoch")).toBe(2);
  });

  test("--socket-path may name an abstract socket", async () => {
    const socket = ["--socket-path", `@headgate-test-${process.pid}`];
    const first = await start(undefined, socket);
    const second = await start(undefined, socket);
    expect((await first.exited).code).toBe(0);
    expect(await isLive(second)).toBe("LIVE\n");
  });
});

// The life of a real process, from the launcher to its exit code: start, two workers, signals, logs, what
// happens when a start fails or a worker dies.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bootstrap, fileAccessLog, listener, socketAddress, wasmFilter } from "./bootstrap.ts";
import { compileGuest } from "./guests/compile.ts";
import { crashableMain } from "./headgate-process.ts";
import type { HeadgateProcess, StartOptions } from "./headgate-process.ts";
import { get, isRefused, KeptConnection } from "./http-clients.ts";
import type { Answer } from "./http-clients.ts";
import { useProcesses, useUpstream } from "./process-rig.ts";
import { LocalServer } from "./upstreams.ts";

const upstream = useUpstream("from the upstream");
const processes = useProcesses();

function start(config?: object, options?: StartOptions): Promise<HeadgateProcess> {
  return processes.start(config ?? bootstrap({ upstreamPort: upstream.port }), options);
}

/** A request that the upstream has and does not answer yet. */
async function hold(headgate: HeadgateProcess): Promise<{ answer: Promise<Answer | Error> }> {
  const answer = get(await headgate.listener(), "/hold").catch((error: Error) => error);
  await headgate.waitFor(() => upstream.held.length === 1, "the request at the upstream");
  return { answer };
}

/** A socket file without a listener, as a killed process leaves it. */
function leaveSocket(path: string): void {
  const listen = `require("node:net").createServer().listen(${JSON.stringify(path)}`;
  spawnSync(process.execPath, ["-e", `${listen}, () => process.kill(process.pid, 9))`]);
  expect(existsSync(path)).toBe(true);
}

async function workerConnections(headgate: HeadgateProcess): Promise<[number, number]> {
  const text = await headgate.admin("/stats?filter=worker_[01].downstream_cx_total");
  const of = (worker: number): number =>
    Number(new RegExp(`worker_${worker}\\.downstream_cx_total: (\\d+)`).exec(text)?.[1] ?? 0);
  return [of(0), of(1)];
}

describe("SIGTERM and SIGINT", () => {
  test.each(["SIGTERM", "SIGINT"] as const)(
    "%s: the stream in flight is finished, nothing new is accepted, the end comes at once",
    async (signal) => {
      // Nobody lives to see the drain time's end.
      const flags = ["--sigterm-drain-s", "3600"];
      const headgate = await start(undefined, { concurrency: 2, flags });
      const target = await headgate.listener();
      const idle = new KeptConnection(target);
      await idle.ask();
      const { answer } = await hold(headgate);
      headgate.kill(signal);
      await headgate.waitFor(() => idle.isClosed, "the end of the idle connection");
      await headgate.waitFor(() => isRefused(target), "refusing new connections");
      // Still there: the stream in flight holds it.
      expect(await headgate.admin("/ready")).toBe("DRAINING\n");
      upstream.held[0]?.end("at last");
      expect(await answer).toMatchObject({ status: 200, body: "at last" });
      expect(await headgate.exited).toEqual({ code: 0, signal: null });
      expect(headgate.output).toContain(`caught ${signal}`);
    },
  );

  test.each(["0", "1"])("--sigterm-drain-s %s ends a stream that hangs", async (seconds) => {
    const log = processes.scratch.path("access.log");
    const config = bootstrap({
      upstreamPort: upstream.port,
      hcm: { access_log: [fileAccessLog(log)] },
    });
    const headgate = await start(config, { flags: ["--sigterm-drain-s", seconds] });
    const { answer } = await hold(headgate);
    const started = Date.now();
    headgate.kill("SIGTERM");
    expect(await answer).toBeInstanceOf(Error);
    expect(await headgate.exited).toEqual({ code: 0, signal: null });
    // Timers may be a little early by the clock of dates.
    expect(Date.now() - started).toBeGreaterThanOrEqual(Number(seconds) * 990);
    // What was cut is logged like any other stream.
    expect(readFileSync(log, "utf8")).toBe("/hold 0\n");
  });

  test("a second signal ends at once", async () => {
    const headgate = await start();
    const { answer } = await hold(headgate);
    headgate.kill("SIGTERM");
    await headgate.says("caught SIGTERM");
    headgate.kill("SIGTERM");
    expect(await headgate.exited).toEqual({ code: null, signal: "SIGTERM" });
    expect(await answer).toBeInstanceOf(Error);
  });

  test("a signal during the start is not lost", async () => {
    const path = processes.scratch.write("envoy.yaml", bootstrap({ upstreamPort: upstream.port }));
    const headgate = processes.launch("-c", path, "--concurrency", "1");
    await headgate.says("initializing headgate");
    headgate.kill("SIGTERM");
    expect(await headgate.exited).toEqual({ code: 0, signal: null });
    expect(headgate.output).toContain("caught SIGTERM");
  });
});

describe("the process", () => {
  test("is the launcher's: a SIGKILL to it leaves nothing behind", async () => {
    const headgate = await start();
    const target = await headgate.listener();
    const info = await headgate.admin("/server_info");
    expect(info).toContain('"state": "LIVE"');
    // The pid that the launcher was started with listens itself.
    const sockets = execFileSync("ls", ["-l", `/proc/${headgate.pid}/fd`], { encoding: "utf8" });
    expect(sockets).toContain("socket:");
    expect(readFileSync(`/proc/${headgate.pid}/cmdline`, "utf8")).toContain("headgate.mjs");
    headgate.kill("SIGKILL");
    expect(await headgate.exited).toEqual({ code: null, signal: "SIGKILL" });
    // The kernel lets go of what a ring had listening behind the end of its process: some ms later.
    await expect.poll(() => isRefused(target), { timeout: 60_000 }).toBe(true);
  });

  test("ends by /quitquitquit, with streams in flight finished", async () => {
    const headgate = await start();
    const { answer } = await hold(headgate);
    expect(await headgate.admin("/quitquitquit", "POST")).toBe("OK\n");
    await headgate.says("caught /quitquitquit");
    upstream.held[0]?.end("done");
    expect(await answer).toMatchObject({ status: 200, body: "done" });
    expect(await headgate.exited).toEqual({ code: 0, signal: null });
  });

  test("--mode init_only starts, then ends; listeners are bound on the way", async () => {
    const path = processes.scratch.write("envoy.yaml", bootstrap({ upstreamPort: upstream.port }));
    const headgate = await processes.run("-c", path, "--mode", "init_only", "--concurrency", "2");
    expect((await headgate.exited).code).toBe(0);
    expect(headgate.output).toMatch(/listener main: 127\.0\.0\.1:\d+\n/);
    expect(headgate.output).not.toContain("starting main dispatch loop");
  });

  test("answers --version, --help and wrong flags without starting anything", async () => {
    const [version, help, wrong, none] = await Promise.all([
      processes.run("--version"),
      processes.run("--help"),
      processes.run("-c", "x.yaml", "--concurency", "2"),
      processes.run("--concurrency", "2"),
    ]);
    expect(version.output).toMatch(/^headgate \d+\.\d+\.\d+ \(node \d+/);
    expect((await version.exited).code).toBe(0);
    expect(help.output).toContain("--config-path");
    expect((await help.exited).code).toBe(0);
    expect(wrong.output).toBe("headgate: unknown flag --concurency\nTry headgate --help\n");
    expect((await wrong.exited).code).toBe(2);
    expect(none.output).toContain("expected --config-path (-c) or --config-yaml");
    expect((await none.exited).code).toBe(2);
  });
});

describe("a start that fails leaves nothing running", () => {
  const taken = new LocalServer(createServer());
  let takenPort: number;

  beforeAll(async () => {
    takenPort = await taken.listen();
  });

  afterAll(() => taken.close());

  test("a taken port is named with its place", async () => {
    const free = listener({}, "other");
    const config = bootstrap({ address: socketAddress(takenPort) }, [free]);
    const path = processes.scratch.write("envoy.yaml", config);
    const headgate = await processes.run("-c", path, "--concurrency", "2");
    expect((await headgate.exited).code).toBe(1);
    expect(headgate.output).toMatch(
      new RegExp(
        `envoy\\.yaml:\\d+:\\d+: static_resources\\.listeners\\[0\\][^\\n]*127\\.0\\.0\\.1:${takenPort}: EADDRINUSE`,
      ),
    );
    expect(headgate.output).not.toContain("starting main dispatch loop");
  });

  test("a taken admin address is named with its place", async () => {
    const config = { ...bootstrap(), admin: { address: socketAddress(takenPort) } };
    const headgate = await processes.run(
      "-c",
      processes.scratch.write("envoy.yaml", config),
      "--concurrency",
      "1",
    );
    expect((await headgate.exited).code).toBe(1);
    expect(headgate.output).toMatch(
      /envoy\.yaml:\d+:\d+: admin\.address: cannot listen: .*EADDRINUSE/,
    );
  });

  test("a version that workers refuse says all its reasons", async () => {
    const wasm = processes.scratch.path("guest.wasm");
    writeFileSync(wasm, await compileGuest("script"));
    // There for the configuration's check, but nothing that a worker can open.
    const socket = processes.scratch.path("access.log");
    leaveSocket(socket);
    const config = bootstrap({
      filters: [
        wasmFilter(wasm, "refuses", "configure return 0"),
        wasmFilter(wasm, "agrees"),
        wasmFilter(wasm, "refuses-too", "vm_start return 0"),
      ],
      hcm: { access_log: [fileAccessLog(socket)] },
    });
    const path = processes.scratch.write("envoy.yaml", config);
    const headgate = await processes.run("-c", path, "--concurrency", "2");
    expect((await headgate.exited).code).toBe(1);
    const { output } = headgate;
    for (const reason of ["plugin refuses: ", "plugin refuses-too: ", "access.log: ENXIO"]) {
      const lines = output.split("\n").filter((line) => line.includes(reason));
      expect(lines).toHaveLength(1);
      expect(lines[0]).toMatch(/envoy\.yaml:\d+:\d+: static_resources\.listeners\[0\]/);
    }
    expect(output).not.toContain("plugin agrees");
    expect(output).not.toContain("listener main");
  });

  test("files of flags that cannot be written are named", async () => {
    const path = processes.scratch.write("envoy.yaml", bootstrap());
    const [log, admin] = await Promise.all([
      processes.run("-c", path, "--log-path", "/nowhere/headgate.log"),
      processes.run("-c", path, "--admin-address-path", "/nowhere/admin"),
    ]);
    expect(log.output).toContain("--log-path: ENOENT");
    expect((await log.exited).code).toBe(1);
    expect(admin.output).toContain("--admin-address-path: ENOENT");
    expect((await admin.exited).code).toBe(1);
  });
});

describe("sockets that workers cannot share", () => {
  test("a unix socket replaces a stale file; one worker accepts", async () => {
    const path = processes.scratch.path("main.sock");
    leaveSocket(path);
    const config = bootstrap({
      upstreamPort: upstream.port,
      address: { pipe: { path, mode: 0o600 } },
    });
    const headgate = await start(config, { concurrency: 2 });
    expect(await headgate.listener()).toBe(path);
    for (let i = 0; i < 8; i += 1) expect((await get(path)).body).toBe("from the upstream");
    expect(await workerConnections(headgate)).toEqual([8, 0]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    await headgate.says("one worker accepts, since unix sockets cannot be shared");
    headgate.kill("SIGTERM");
    expect((await headgate.exited).code).toBe(0);
  });

  test("what is no socket stays, and the start fails", async () => {
    const path = processes.scratch.write("precious", "not a socket");
    const config = processes.scratch.write(
      "envoy.yaml",
      bootstrap({ address: { pipe: { path } } }),
    );
    const headgate = await processes.run("-c", config, "--concurrency", "1");
    expect((await headgate.exited).code).toBe(1);
    expect(headgate.output).toContain(
      `cannot bind ${path}: EADDRINUSE (a file that is no socket is there)`,
    );
    expect(readFileSync(path, "utf8")).toBe("not a socket");
  });

  test.runIf(process.platform === "linux")("an abstract unix socket serves", async () => {
    const name = `@headgate-test-${process.pid}`;
    const config = bootstrap({ upstreamPort: upstream.port, address: { pipe: { path: name } } });
    await start(config, { concurrency: 2 });
    expect((await get(`\0${name.slice(1)}`)).body).toBe("from the upstream");
  });

  test("enable_reuse_port: false leaves one worker accepting", async () => {
    const config = bootstrap({
      upstreamPort: upstream.port,
      listener: { enable_reuse_port: false },
    });
    const headgate = await start(config, { concurrency: 2 });
    const target = await headgate.listener();
    for (let i = 0; i < 8; i += 1) expect((await get(target)).status).toBe(200);
    expect(await workerConnections(headgate)).toEqual([8, 0]);
    await headgate.says("one worker accepts, since enable_reuse_port is false");
  });
});

describe("workers", () => {
  test("both accept on the one port that port 0 became", async () => {
    const headgate = await start(undefined, { concurrency: 2 });
    const target = await headgate.listener();
    let sent = 0;
    await headgate.waitFor(async () => {
      for (let i = 0; i < 16; i += 1) expect((await get(target)).status).toBe(200);
      sent += 16;
      return Math.min(...(await workerConnections(headgate))) > 0;
    }, "a connection to each worker");
    const counts = await workerConnections(headgate);
    expect(counts[0] + counts[1]).toBe(sent);
  });

  test("one that dies is replaced; traffic goes on and its counters stay", async () => {
    const log = processes.scratch.path("access.log");
    const config = bootstrap({
      upstreamPort: upstream.port,
      hcm: { access_log: [fileAccessLog(log)] },
    });
    const headgate = await start(config, { command: crashableMain, concurrency: 2 });
    const target = await headgate.listener();
    const requests = "http.main.downstream_rq_2xx";
    let sent = 0;
    const send = async (): Promise<void> => {
      expect((await get(target)).body).toBe("from the upstream");
      sent += 1;
    };
    await headgate.waitFor(async () => {
      await send();
      return Math.min(...(await workerConnections(headgate))) > 0;
    }, "a request to each worker");
    for (const worker of [0, 1]) {
      headgate.kill("SIGUSR2");
      await headgate.says(`worker ${worker} died: Error: crashed`);
      await send();
      const before = await workerConnections(headgate);
      // The successor accepts on the same port, under the same name.
      await headgate.waitFor(async () => {
        await send();
        return ((await workerConnections(headgate))[worker] as number) > (before[worker] as number);
      }, "a request to the successor");
    }
    expect(await headgate.stat(requests)).toBe(sent);
    headgate.kill("SIGTERM");
    expect((await headgate.exited).code).toBe(0);
    // Also those that the dead had gathered.
    expect(readFileSync(log, "utf8").split("\n").length - 1).toBe(sent);
  });

  test("the only one that dies is replaced, too, with levels and drains as they are now", async () => {
    const wasm = processes.scratch.path("guest.wasm");
    writeFileSync(wasm, await compileGuest("script"));
    const config = bootstrap({ upstreamPort: upstream.port, filters: [wasmFilter(wasm)] });
    const flags = ["--component-log-level", "wasm:error"];
    const headgate = await start(config, { command: crashableMain, flags });
    const target = await headgate.listener();
    await headgate.admin("/logging?wasm=info", "POST");
    await headgate.admin("/healthcheck/fail", "POST");
    headgate.kill("SIGUSR2");
    await headgate.says("worker 0 died");
    await headgate.waitFor(async () => (await get(target)).status === 200, "the successor");
    const response = await fetch(`http://${target}/`);
    expect(response.headers.get("connection")).toBe("close");
    await headgate.says("request_headers(");
  });
});

describe("logs and flags", () => {
  test("SIGUSR1 opens rotated files anew, and no line is lost", async () => {
    const log = processes.scratch.path("access.log");
    const processLog = processes.scratch.path("process.log");
    const config = bootstrap({
      upstreamPort: upstream.port,
      hcm: { access_log: [fileAccessLog(log)] },
    });
    const flags = ["--log-path", processLog, "--file-flush-interval-msec", "5"];
    const headgate = await start(config, { concurrency: 2, flags });
    const target = await headgate.listener();
    let sent = 0;
    const send = async (): Promise<void> => {
      sent += 1;
      await get(target, `/${sent - 1}`);
    };
    for (let round = 0; round < 3; round += 1) {
      await Promise.all(Array.from({ length: 20 }, send));
      renameSync(log, `${log}.${round}`);
      renameSync(processLog, `${processLog}.${round}`);
      headgate.kill("SIGUSR1");
      // Requests while files change.
      await Promise.all(Array.from({ length: 20 }, send));
      await headgate.waitFor(() => existsSync(log) && existsSync(processLog), "new files");
    }
    headgate.kill("SIGTERM");
    expect((await headgate.exited).code).toBe(0);
    const files = [log, `${log}.0`, `${log}.1`, `${log}.2`];
    const lines = files.flatMap((file) => readFileSync(file, "utf8").trim().split("\n"));
    const numbers = lines.map((line) => Number(/^\/(\d+) 200$/.exec(line)?.[1] ?? -1));
    expect(numbers.toSorted((a, b) => a - b)).toEqual(Array.from({ length: sent }, (_, i) => i));
    expect(readFileSync(`${processLog}.0`, "utf8")).toContain("starting main dispatch loop");
    expect(readFileSync(processLog, "utf8")).toContain("caught SIGTERM");
    expect(headgate.output).toBe("");
  });

  test("--log-format shapes lines, --component-log-level and /logging reach the workers", async () => {
    const wasm = processes.scratch.path("guest.wasm");
    writeFileSync(wasm, await compileGuest("script"));
    const config = bootstrap({ upstreamPort: upstream.port, filters: [wasmFilter(wasm)] });
    const levels = ["-l", "error", "--component-log-level", "wasm:info,admin:info"];
    const flags = ["--log-format", "%L|%n|%v", ...levels];
    const headgate = await start(config, { concurrency: 2, flags });
    const target = await headgate.listener();
    await headgate.says(/^I\|admin\|admin address: /m);
    expect(headgate.output).not.toContain("|main|");
    const told = (): number => headgate.output.split("request_headers(").length - 1;
    await get(target);
    await headgate.waitFor(() => told() === 1, "the guest's line");
    expect(headgate.output).toMatch(/^I\|wasm\|.*request_headers\(/m);
    expect(await headgate.admin("/logging?wasm=error", "POST")).toContain("  wasm: error\n");
    for (let i = 0; i < 20; i += 1) await get(target);
    expect(await headgate.admin("/logging?level=info", "POST")).toContain("  main: info\n");
    await headgate.waitFor(async () => {
      await get(target);
      return told() > 1;
    }, "a line after the level is back");
    // Between the two nothing was said, by neither worker.
    expect(told()).toBeLessThan(20);
  });

  test("--log-format json writes an object a line", async () => {
    const headgate = await start(undefined, { flags: ["--log-format", "json"] });
    await headgate.says("starting main dispatch loop");
    const lines = headgate.output
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as object);
    expect(lines).toContainEqual(
      expect.objectContaining({
        level: "info",
        component: "main",
        msg: "starting main dispatch loop",
      }),
    );
  });

  test("--config-yaml is merged over the file", async () => {
    const inline = `
node: {id: from-the-flag}
static_resources:
  clusters:
  - name: more
    type: STATIC
`;
    const headgate = await start(undefined, { flags: ["--config-yaml", inline] });
    expect((await get(await headgate.listener())).body).toBe("from the upstream");
    expect(JSON.parse(await headgate.admin("/server_info")).node.id).toBe("from-the-flag");
    expect(await headgate.admin("/clusters")).toMatch(/^more::/m);
    expect(await headgate.admin("/clusters")).toMatch(/^up::/m);
  });

  test("--config-yaml alone is enough", async () => {
    const yaml = JSON.stringify(bootstrap());
    const headgate = await processes.run(
      "--config-yaml",
      yaml,
      "--mode",
      "init_only",
      "--concurrency",
      "1",
    );
    expect(headgate.output).toContain("listener main: 127.0.0.1:");
    expect((await headgate.exited).code).toBe(0);
  });

  test("flags without effect are named at debug level; the base id is written", async () => {
    const path = processes.scratch.write("envoy.yaml", bootstrap());
    const id = processes.scratch.path("base-id");
    const ids = ["--base-id", "7", "--base-id-path", id];
    const start1 = ["--mode", "init_only", "--concurrency", "1", "-l", "debug", ...ids];
    const headgate = await processes.run("-c", path, ...start1, "--disable-extensions", "x");
    expect(headgate.output).toContain("--disable-extensions is accepted for compatibility");
    expect(readFileSync(id, "utf8")).toBe("7\n");
  });
});

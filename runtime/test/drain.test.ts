// Draining without a successor: what the admin interface offers, and a SIGTERM under load. What is
// expected of answers and stats was asked of Envoy.
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { Server } from "node:http";
import { connect } from "node:net";
import type { Socket } from "node:net";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { bootstrap, fileAccessLog, listener } from "./bootstrap.ts";
import { crashableMain, HeadgateProcess, Scratch } from "./headgate-process.ts";
import { Load } from "./load-client.ts";

let upstream: Server;
let upstreamPort: number;
let scratch: Scratch;
let running: HeadgateProcess[] = [];

beforeAll(async () => {
  upstream = createServer((_request, response) => {
    response.end("ok");
  });
  upstream.listen(0, "127.0.0.1");
  await once(upstream, "listening");
  upstreamPort = (upstream.address() as AddressInfo).port;
});

afterAll(() => {
  upstream.close();
  upstream.closeAllConnections();
});

beforeEach(() => {
  scratch = new Scratch();
});

afterEach(async () => {
  for (const headgate of running) await headgate.end();
  running = [];
  scratch.remove();
});

async function start(config: object, flags: readonly string[] = []): Promise<HeadgateProcess> {
  const headgate = await HeadgateProcess.start(scratch, config, { concurrency: 2, flags });
  running.push(headgate);
  return headgate;
}

/** Listeners main, modify (drain_type MODIFY_ONLY) and inbound. */
function threeListeners(): object {
  return bootstrap({ upstreamPort }, [
    listener({ listener: { drain_type: "MODIFY_ONLY" } }, "modify"),
    listener({ listener: { traffic_direction: "INBOUND" } }, "inbound"),
  ]);
}

/** Whether the next answer on a connection says close. */
async function isAskedToLeave(socket: Socket): Promise<boolean> {
  socket.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  let text = "";
  while (!text.includes("\r\n\r\nok") && !text.includes("0\r\n\r\n")) {
    const [chunk] = (await once(socket, "data")) as [string];
    text += chunk;
  }
  return text.includes("connection: close\r\n");
}

async function dial(headgate: HeadgateProcess, name: string): Promise<Socket> {
  const socket = connect(Number((await headgate.listener(name)).split(":")[1]), "127.0.0.1");
  socket.setEncoding("latin1");
  await once(socket, "connect");
  return socket;
}

/** Of new connections to a listener. */
async function asks(headgate: HeadgateProcess, name: string): Promise<boolean> {
  const socket = await dial(headgate, name);
  const isAsked = await isAskedToLeave(socket);
  socket.destroy();
  return isAsked;
}

async function isRefused(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  const outcome = await new Promise<string>((resolve) => {
    socket.once("connect", () => resolve("connected"));
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? ""));
  });
  socket.destroy();
  return outcome === "ECONNREFUSED";
}

test("/healthcheck/fail asks clients of default listeners to leave, /healthcheck/ok no more", async () => {
  const headgate = await start(threeListeners());
  expect(await asks(headgate, "main")).toBe(false);
  expect(await headgate.admin("/healthcheck/fail", "POST")).toBe("OK\n");
  await headgate.waitFor(() => asks(headgate, "main"), "answers that say close");
  expect(await asks(headgate, "modify")).toBe(false);
  expect(await headgate.admin("/ready")).toBe("DRAINING\n");
  expect(await headgate.stat("server.live")).toBe(0);
  expect(await headgate.stat("http.main.downstream_cx_drain_close")).toBeGreaterThan(0);
  expect(await headgate.admin("/healthcheck/ok", "POST")).toBe("OK\n");
  await headgate.waitFor(async () => !(await asks(headgate, "main")), "answers that do not");
  expect(await headgate.admin("/ready")).toBe("LIVE\n");
});

test("/drain_listeners stops listeners by direction; connections stay", async () => {
  const headgate = await start(threeListeners());
  const ports = new Map<string, number>();
  for (const name of ["main", "modify", "inbound"]) {
    ports.set(name, Number((await headgate.listener(name)).split(":")[1]));
  }
  const port = (name: string): number => ports.get(name) as number;
  const stays = await dial(headgate, "inbound");
  expect(await isAskedToLeave(stays)).toBe(false);
  await headgate.admin("/drain_listeners?inboundonly", "POST");
  await headgate.waitFor(() => isRefused(port("inbound")), "a closed inbound listener");
  expect([await isRefused(port("main")), await isAskedToLeave(stays)]).toEqual([false, false]);
  expect(await headgate.stat("listener_manager.listener_stopped")).toBe(1);
  await headgate.admin("/drain_listeners", "POST");
  await headgate.waitFor(() => isRefused(port("main")), "closed listeners");
  await headgate.waitFor(() => isRefused(port("modify")), "closed listeners");
  expect(await headgate.stat("listener_manager.listener_stopped")).toBe(3);
  expect(await isAskedToLeave(stays)).toBe(false);
  expect(await headgate.admin("/ready")).toBe("LIVE\n");
  stays.destroy();
});

test("/drain_listeners?graceful asks first and stops when the drain time is over", async () => {
  const flags = ["--drain-strategy", "immediate", "--drain-time-s", "2"];
  const headgate = await start(threeListeners(), flags);
  const port = Number((await headgate.listener()).split(":")[1]);
  await headgate.admin("/drain_listeners?graceful&skip_exit&inboundonly", "POST");
  await headgate.waitFor(() => asks(headgate, "inbound"), "answers that say close");
  expect(await asks(headgate, "main")).toBe(false);
  await headgate.admin("/drain_listeners?graceful", "POST");
  await headgate.waitFor(() => asks(headgate, "main"), "answers that say close");
  expect(await asks(headgate, "modify")).toBe(true);
  expect(await isRefused(port)).toBe(false);
  await headgate.waitFor(() => isRefused(port), "closed listeners");
});

test("the successor of a worker that dies does not open what was closed", async () => {
  const headgate = await HeadgateProcess.start(scratch, bootstrap({ upstreamPort }), {
    command: crashableMain,
  });
  running.push(headgate);
  const port = Number((await headgate.listener()).split(":")[1]);
  await headgate.admin("/drain_listeners", "POST");
  await headgate.waitFor(() => isRefused(port), "a closed listener");
  headgate.kill("SIGUSR2");
  await headgate.waitFor(() => headgate.output.includes("worker 0 died"));
  let connections = 0;
  // A reload waits for the successor.
  await headgate.waitFor(async () => {
    headgate.kill("SIGHUP");
    if (!(await isRefused(port))) connections += 1;
    return headgate.output.includes("version 2 is in force");
  }, "a reload after the replacement");
  expect([connections, await isRefused(port)]).toEqual([0, true]);
});

test("SIGTERM under load loses no request, and all are logged", async () => {
  const log = scratch.path("access.log");
  const config = bootstrap({ upstreamPort, hcm: { access_log: [fileAccessLog(log)] } });
  const headgate = await start(config);
  const target = await headgate.listener();
  const traffic = new Load({ target, keepAlive: 16, single: 0, leavesWhenAsked: true });
  await headgate.waitFor(() => traffic.answered > 200, "traffic");
  headgate.kill("SIGTERM");
  await traffic.left();
  expect(traffic.failures).toEqual([]);
  expect(traffic.askedToLeave).toBe(16);
  expect(await headgate.exited).toEqual({ code: 0, signal: null });
  expect(readFileSync(log, "utf8").trim().split("\n").length).toBe(traffic.answered);
});

// The TCP proxy in a real process, with real sockets: what unit tests cannot show of half-close, of
// resets, of back-pressure, of a reload and of the end. The expected log lines are Envoy 1.40's.
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFileSync, renameSync } from "node:fs";
import { connect, createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { socketAddress } from "./bootstrap.ts";
import type { HeadgateProcess } from "./headgate-process.ts";
import { useProcesses } from "./process-rig.ts";
import { LocalServer } from "./upstreams.ts";

const MIB = 1024 * 1024;
const TYPES = "type.googleapis.com/envoy.extensions";
const LINE =
  "%RESPONSE_FLAGS% rx=%BYTES_RECEIVED% tx=%BYTES_SENT% host=%UPSTREAM_HOST% " +
  "cluster=%UPSTREAM_CLUSTER% code=%RESPONSE_CODE% why=%UPSTREAM_TRANSPORT_FAILURE_REASON% " +
  "protocol=%PROTOCOL% attempts=%UPSTREAM_REQUEST_ATTEMPT_COUNT% " +
  "wire=%DOWNSTREAM_WIRE_BYTES_RECEIVED%,%UPSTREAM_WIRE_BYTES_RECEIVED% %ACCESS_LOG_TYPE%\n";

const processes = useProcesses();
let servers: LocalServer[] = [];
let clients: Socket[] = [];

afterEach(() => {
  for (const client of clients) client.destroy();
  for (const server of servers) server.close();
  clients = [];
  servers = [];
});

/** Its port. Half-close is the handler's business. */
async function serve(onSocket: (socket: Socket) => void): Promise<number> {
  const inner: Server = createServer({ allowHalfOpen: true }, onSocket);
  const server = new LocalServer(inner);
  servers.push(server);
  return await server.listen();
}

/** Says everything back, then "bye" when the other side has ended. */
function echo(socket: Socket): void {
  socket.on("data", (data) => socket.write(data));
  socket.on("end", () => socket.end("bye"));
}

interface Parts {
  readonly proxy?: object;
  readonly cluster?: object;
  readonly listener?: object;
}

function config(ports: readonly number[], parts: Parts = {}): object {
  const path = processes.scratch.path("tcp.log");
  const log_format = { text_format_source: { inline_string: LINE } };
  const log = { "@type": `${TYPES}.access_loggers.file.v3.FileAccessLog`, path, log_format };
  const proxy = {
    "@type": `${TYPES}.filters.network.tcp_proxy.v3.TcpProxy`,
    stat_prefix: "t",
    cluster: "up",
    access_log: [{ name: "file", typed_config: log }],
    ...parts.proxy,
  };
  const lb_endpoints = ports.map((port) => ({ endpoint: { address: socketAddress(port) } }));
  const load_assignment = { cluster_name: "up", endpoints: [{ lb_endpoints }] };
  const listener = {
    name: "main",
    address: socketAddress(0),
    filter_chains: [{ filters: [{ name: "tcp", typed_config: proxy }] }],
    ...parts.listener,
  };
  const cluster = { name: "up", type: "STATIC", load_assignment, ...parts.cluster };
  return {
    admin: { address: socketAddress(0) },
    static_resources: { listeners: [listener], clusters: [cluster] },
  };
}

async function start(ports: readonly number[], parts: Parts = {}): Promise<HeadgateProcess> {
  const flags = ["--file-flush-interval-msec", "20"];
  return await processes.start(config(ports, parts), { flags });
}

/** What a client has seen of its connection. */
interface Seen {
  text: string;
  end: "open" | "fin" | "reset";
}

async function client(headgate: HeadgateProcess): Promise<{ socket: Socket; seen: Seen }> {
  const port = Number((await headgate.listener()).split(":")[1]);
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  const seen: Seen = { text: "", end: "open" };
  clients.push(socket);
  socket.on("data", (data) => {
    seen.text += data.toString("latin1");
  });
  socket.on("end", () => {
    seen.end = "fin";
  });
  socket.on("error", () => {
    seen.end = "reset";
  });
  await once(socket, "connect");
  return { socket, seen };
}

async function logged(headgate: HeadgateProcess): Promise<string> {
  const path = processes.scratch.path("tcp.log");
  return await headgate.waitFor(() => readFileSync(path, "latin1") || undefined, "a line");
}

test("an echo and half-close: the answer comes after the client's FIN", async () => {
  const port = await serve(echo);
  const headgate = await start([port]);
  const { socket, seen } = await client(headgate);
  socket.write("hello");
  await headgate.waitFor(() => seen.text === "hello", "the echo");
  socket.end();
  await headgate.waitFor(() => seen.end === "fin", "the end");
  expect(seen.text).toBe("hellobye");
  expect(await logged(headgate)).toBe(
    `- rx=5 tx=8 host=127.0.0.1:${port} cluster=up code=0 why=- protocol=- attempts=1 ` +
      "wire=5,8 TcpConnectionEnd\n",
  );
  expect(await headgate.stat("tcp.t.downstream_cx_rx_bytes_total")).toBe(5);
  expect(await headgate.stat("cluster.up.upstream_cx_destroy_remote_with_active_rq")).toBe(1);
  expect(await headgate.stat("listener.main.downstream_cx_active")).toBe(0);
});

test("an upstream that ends first still hears the client", async () => {
  let heard = "";
  const port = await serve((socket) => {
    socket.end("first");
    socket.on("data", (data) => {
      heard += data.toString("latin1");
    });
  });
  const headgate = await start([port]);
  const { socket, seen } = await client(headgate);
  await headgate.waitFor(() => seen.end === "fin", "the FIN");
  expect(seen.text).toBe("first");
  socket.end("later");
  expect(await logged(headgate)).toContain("- rx=5 tx=5 ");
  await headgate.waitFor(() => heard === "later", "the rest");
});

test("resets pass on to the other side", async () => {
  let isUpstreamReset = false;
  const port = await serve((socket) => {
    socket.on("error", () => {
      isUpstreamReset = true;
    });
    socket.on("data", (data) => {
      if (data.toString() === "reset") socket.resetAndDestroy();
      else socket.write(data);
    });
  });
  const headgate = await start([port]);
  const first = await client(headgate);
  first.socket.write("reset");
  await headgate.waitFor(() => first.seen.end === "reset", "a reset of the client");
  expect(await logged(headgate)).toMatch(/^UR rx=5 tx=0 /);
  const second = await client(headgate);
  second.socket.write("a");
  await headgate.waitFor(() => second.seen.text === "a", "the echo");
  second.socket.resetAndDestroy();
  await headgate.waitFor(() => isUpstreamReset, "a reset of the upstream");
});

test("no upstream there: UF,URX, and the client is let go", async () => {
  const port = await serve(echo);
  for (const server of servers.splice(0)) server.close();
  const headgate = await start([port]);
  const { seen } = await client(headgate);
  await headgate.waitFor(() => seen.end !== "open", "the end");
  expect(await logged(headgate)).toBe(
    `UF,URX rx=0 tx=0 host=127.0.0.1:${port} cluster=up code=0 ` +
      "why=delayed_connect_error:_Connection_refused protocol=- attempts=1 wire=0,0 " +
      "TcpConnectionEnd\n",
  );
  expect(await headgate.stat("cluster.up.upstream_cx_connect_attempts_exceeded")).toBe(1);
});

test("max_connect_attempts: the next host is tried, with what the client sent", async () => {
  const dead = await serve(echo);
  for (const server of servers.splice(0)) server.close();
  const live = await serve(echo);
  const headgate = await start([dead, live], { proxy: { max_connect_attempts: 2 } });
  for (let i = 0; i < 4; i += 1) {
    const { socket, seen } = await client(headgate);
    socket.end("x");
    await headgate.waitFor(() => seen.text === "xbye", "the echo");
  }
  expect(await headgate.stat("cluster.up.upstream_cx_connect_fail")).toBeGreaterThan(0);
  expect(await headgate.stat("cluster.up.upstream_cx_connect_attempts_exceeded")).toBe(0);
});

test("the circuit breaker of connections holds one client off, not the other", async () => {
  const port = await serve(echo);
  const circuit_breakers = { thresholds: [{ max_connections: 1 }] };
  const headgate = await start([port], { cluster: { circuit_breakers } });
  const first = await client(headgate);
  first.socket.write("a");
  await headgate.waitFor(() => first.seen.text === "a", "the echo");
  const second = await client(headgate);
  await headgate.waitFor(() => second.seen.end !== "open", "the refusal");
  expect(await logged(headgate)).toMatch(/^UO rx=0 tx=0 host=- cluster=up .* attempts=0 /);
  first.socket.write("b");
  await headgate.waitFor(() => first.seen.text === "ab", "the echo");
});

test("a slow reader holds the sender up, and every byte arrives", async () => {
  const total = 32 * MIB;
  const sent = createHash("sha256");
  const port = await serve((socket) => {
    const piece = Buffer.alloc(251 * 1021, "not a power of two ");
    let left = total;
    const pump = (): void => {
      while (left > 0) {
        const part = piece.subarray(0, Math.min(piece.length, left));
        left -= part.length;
        sent.update(part);
        if (!socket.write(part)) {
          socket.once("drain", pump);
          return;
        }
      }
      socket.end();
    };
    pump();
  });
  const headgate = await start([port]);
  const { socket } = await client(headgate);
  socket.removeAllListeners("data").pause();
  const paused = "cluster.up.upstream_flow_control_paused_reading_total";
  await headgate.waitFor(async () => (await headgate.stat(paused)) > 0, "back-pressure");
  const gauge = await headgate.stat("tcp.t.downstream_cx_tx_bytes_buffered");
  expect(gauge).toBeGreaterThan(0);
  expect(gauge).toBeLessThanOrEqual(MIB);
  const received = createHash("sha256");
  let bytes = 0;
  socket.on("data", (data: Buffer) => {
    received.update(data);
    bytes += data.length;
  });
  socket.resume();
  await headgate.waitFor(() => bytes === total, "all bytes");
  expect(received.digest("hex")).toBe(sent.digest("hex"));
  socket.end();
  await headgate.waitFor(
    async () => (await headgate.stat("tcp.t.downstream_cx_tx_bytes_buffered")) === 0,
    "an empty queue",
  );
});

test("a reload leaves the connections of a chain that stays, and a stop ends them", async () => {
  const port = await serve(echo);
  const headgate = await start([port]);
  const { socket, seen } = await client(headgate);
  socket.write("a");
  await headgate.waitFor(() => seen.text === "a", "the echo");
  // Another cluster of the same name: connections stay on the old one.
  const next = config([port], { cluster: { connect_timeout: "3s" } });
  renameSync(processes.scratch.write("next.yaml", next), processes.scratch.path("envoy.yaml"));
  headgate.kill("SIGHUP");
  await headgate.waitFor(
    async () => (await headgate.stat("server.reload_success")) === 1,
    "reload",
  );
  socket.write("b");
  await headgate.waitFor(() => seen.text === "ab", "the echo after it");
  headgate.kill("SIGTERM");
  await headgate.waitFor(() => headgate.output.includes("SIGTERM"), "the signal");
  socket.write("c");
  await headgate.waitFor(() => seen.text === "abc", "the echo in the drain");
  socket.end();
  expect((await headgate.exited).code).toBe(0);
  expect(seen.text).toBe("abcbye");
});

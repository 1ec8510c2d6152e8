// Tunnels through a real process: WebSocket traffic byte by byte, what ends a tunnel and how it is
// logged, drains and reloads, and filters that see its bytes.
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { bootstrap, wasmFilter } from "./bootstrap.ts";
import { compileGuest } from "./guests/compile.ts";
import type { HeadgateProcess } from "./headgate-process.ts";
import { useProcesses } from "./process-rig.ts";
import {
  ACCEPT,
  ASK,
  closeFrame,
  encodeFrame,
  Op,
  WebSocketClient,
  WebSocketUpstream,
} from "./websocket-peers.ts";
import type { TunnelEnd } from "./websocket-peers.ts";

const MIB = 1024 * 1024;
const FILE_LOG = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog";
const LINE =
  "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %BYTES_RECEIVED% %BYTES_SENT%\n";
const ACTIVE = "http.main.downstream_cx_upgrades_active";

const processes = useProcesses();
let upstream: WebSocketUpstream;
let upstreamPort: number;
let clients: WebSocketClient[];

beforeEach(async () => {
  clients = [];
  upstream = new WebSocketUpstream();
  upstreamPort = await upstream.listen();
});

afterEach(() => {
  for (const { socket } of clients) socket.destroy();
  upstream.close();
});

function config(hcm: object = {}, filters: readonly object[] = []): object {
  const log_format = { text_format_source: { inline_string: LINE } };
  const path = processes.scratch.path("tunnels.log");
  const all = {
    upgrade_configs: [{ upgrade_type: "websocket" }],
    access_log: [{ name: "f", typed_config: { "@type": FILE_LOG, path, log_format } }],
    ...hcm,
  };
  return bootstrap({ upstreamPort, hcm: all, filters });
}

async function start(hcm: object = {}, ...flags: string[]): Promise<HeadgateProcess> {
  return await processes.start(config(hcm), {
    flags: ["--file-flush-interval-msec", "20", ...flags],
  });
}

interface Tunnel {
  readonly client: TunnelEnd;
  readonly server: TunnelEnd;
}

async function open(headgate: HeadgateProcess): Promise<Tunnel> {
  const port = Number((await headgate.listener()).split(":")[1]);
  const at = upstream.ends.length;
  const client = new WebSocketClient(port);
  clients.push(client);
  const end = await headgate.waitFor(() => client.tunnel ?? undefined, "the 101");
  expect(client.head).toMatch(/^HTTP\/1.1 101 /);
  return { client: end, server: upstream.ends[at] as TunnelEnd };
}

async function logged(headgate: HeadgateProcess): Promise<string> {
  const path = processes.scratch.path("tunnels.log");
  return await headgate.waitFor(() => readFileSync(path, "latin1") || undefined, "a line");
}

function expectSame({ client, server }: Tunnel): void {
  expect([server.receivedBytes, client.receivedBytes]).toEqual([
    client.sentBytes,
    server.sentBytes,
  ]);
  expect(server.receivedDigest).toBe(client.sentDigest);
  expect(client.receivedDigest).toBe(server.sentDigest);
}

test("every byte passes as it is", async () => {
  const headgate = await start();

  {
    // Fragments with control frames between them, floods of pings, close codes.
    const tunnel = await open(headgate);
    const { client } = tunnel;
    client.send(encodeFrame(Op.Text, Buffer.from("one "), true, false));
    client.send(encodeFrame(Op.Ping, Buffer.from("between"), true));
    client.send(encodeFrame(Op.Continuation, Buffer.alloc(0), true, false));
    client.send(encodeFrame(Op.Continuation, Buffer.alloc(70_000, "two"), true));
    for (let i = 0; i < 5000; i += 1) {
      client.send(encodeFrame(Op.Ping, Buffer.from(String(i)), true));
    }
    client.send(closeFrame(4001, "enough", true));
    await headgate.waitFor(() => client.isEnded, "the end");
    expectSame(tunnel);
    expect(client.frames.length).toBe(5005);
    expect(client.frames.at(-1)?.payload.toString("latin1")).toBe("\x0f\xa1enough");
    // The server has answered the close and said FIN: that ends the tunnel.
    const { receivedBytes, sentBytes } = tunnel.server;
    expect(await logged(headgate)).toContain(` ${receivedBytes} ${sentBytes}\n`);
  }

  {
    // Messages of 16 MiB both ways at once.
    const tunnel = await open(headgate);
    const message = Buffer.alloc(16 * MIB);
    for (let i = 0; i < message.length; i += 4) message.writeUInt32LE((i * 2_654_435_761) >>> 0, i);
    tunnel.client.send(encodeFrame(Op.Binary, message, true));
    tunnel.client.send(encodeFrame(Op.Binary, message, true));
    await headgate.waitFor(() => tunnel.client.frames.length === 2, "both echoes");
    expectSame(tunnel);
    expect(tunnel.client.frames.every(({ payload }) => payload.equals(message))).toBe(true);
    expect(await headgate.stat("http.main.downstream_cx_tx_bytes_buffered")).toBe(0);
  }

  {
    // What a side said before its FIN arrives before the end.
    const left = await open(headgate);
    left.client.send(encodeFrame(Op.Binary, Buffer.alloc(MIB, "c"), true));
    upstream.onFrame = (): void => {};
    left.client.socket.end();
    await headgate.waitFor(() => left.server.isEnded, "the end at the upstream");
    expect(left.server.receivedDigest).toBe(left.client.sentDigest);
    const right = await open(headgate);
    right.server.send(encodeFrame(Op.Binary, Buffer.alloc(MIB, "s"), false));
    right.server.socket.end();
    await headgate.waitFor(() => right.client.isEnded, "the end at the client");
    expect(right.client.receivedDigest).toBe(right.server.sentDigest);
  }
});

test("messages of all sizes, the first right behind the request, and counted", async () => {
  const headgate = await start();
  const port = Number((await headgate.listener()).split(":")[1]);
  const first = encodeFrame(Op.Binary, Buffer.from("first"), true);
  const client = new WebSocketClient(port, Buffer.concat([Buffer.from(ASK), first]));
  clients.push(client);
  const end = await headgate.waitFor(() => client.tunnel ?? undefined, "the 101");
  expect(client.head).toContain(`sec-websocket-accept: ${ACCEPT}\r\n`);
  const sizes = [5, 0, 1, 125, 126, 65_535, 65_536, 4 * MIB];
  for (const size of sizes.slice(1)) {
    end.send(encodeFrame(Op.Binary, Buffer.alloc(size, "abcdefg"), true));
  }
  await headgate.waitFor(() => end.frames.length === sizes.length, "all echoes");
  expect(end.frames.map(({ payload }) => payload.length)).toEqual(sizes);
  expect(end.receivedDigest).toBe(upstream.ends[0]?.sentDigest);
  expect(await headgate.stat(ACTIVE)).toBe(1);
  end.socket.destroy();
  await headgate.waitFor(async () => (await headgate.stat(ACTIVE)) === 0, "the tunnel's end");
  expect(await headgate.stat("http.main.downstream_cx_upgrades_total")).toBe(1);
  expect(await headgate.stat("cluster.up.upstream_cx_active")).toBe(0);
});

test("who does not read is waited for", async () => {
  const headgate = await start();
  const { client, server } = await open(headgate);
  client.socket.pause();
  server.send(encodeFrame(Op.Binary, Buffer.alloc(32 * MIB, "0123456789"), false));
  const paused = "cluster.up.upstream_flow_control_paused_reading_total";
  await headgate.waitFor(async () => (await headgate.stat(paused)) > 0, "back-pressure");
  expect(await headgate.stat("http.main.downstream_cx_tx_bytes_buffered")).toBeLessThan(MIB);
  client.socket.resume();
  await headgate.waitFor(() => client.frames.length === 1, "the message");
  expect(client.receivedDigest).toBe(server.sentDigest);
});

describe("what ends a tunnel, and what the log says", () => {
  test.each([
    ["stream_idle_timeout", { stream_idle_timeout: "0.3s" }, "101 SI stream_idle_timeout 6 2\n"],
    ["max_stream_duration", maxDuration(), "101 - max_duration_timeout 6 2\n"],
  ])("%s", async (_, hcm, line) => {
    const headgate = await start(hcm);
    const { client, server } = await open(headgate);
    client.send(encodeFrame(Op.Ping, Buffer.alloc(0), true));
    await headgate.waitFor(() => client.frames.length === 1, "a pong");
    await headgate.waitFor(() => client.isClosed || client.isEnded, "the client's end");
    await headgate.waitFor(() => server.isClosed || server.isEnded, "the upstream's end");
    expect(await logged(headgate)).toBe(line);
    expect(await headgate.stat(ACTIVE)).toBe(0);
  });

  test("a reload lets it live for the drain time, new tunnels come to the new configuration", async () => {
    const headgate = await start({}, "--drain-time-s", "1");
    const old = await open(headgate);
    const next = processes.scratch.path("next.yaml");
    writeFileSync(next, JSON.stringify(config({ via: "new" })));
    renameSync(next, processes.scratch.path("envoy.yaml"));
    headgate.kill("SIGHUP");
    await headgate.waitFor(
      async () => (await headgate.stat("server.reload_success")) > 0,
      "reload",
    );
    old.client.send(encodeFrame(Op.Text, Buffer.from("still here"), true));
    await headgate.waitFor(() => old.client.frames.length === 1, "the echo");
    const fresh = await open(headgate);
    await headgate.waitFor(() => old.client.isClosed || old.client.isEnded, "the end of the old");
    await headgate.waitFor(() => old.server.isClosed || old.server.isEnded, "at its upstream");
    expect(await logged(headgate)).toBe("101 DC downstream_local_disconnect 16 12\n");
    fresh.client.send(encodeFrame(Op.Text, Buffer.from("and here"), true));
    await headgate.waitFor(() => fresh.client.frames.length === 1, "an echo of the new");
    expectSame(fresh);
  });

  test("a stop lets it live for its drain", async () => {
    const headgate = await start({}, "--sigterm-drain-s", "1");
    const { client } = await open(headgate);
    headgate.kill("SIGTERM");
    client.send(encodeFrame(Op.Text, Buffer.from("still here"), true));
    await headgate.waitFor(() => client.frames.length === 1, "the echo");
    expect(await headgate.exited).toEqual({ code: 0, signal: null });
    expect(await logged(headgate)).toBe("101 DC downstream_local_disconnect 16 12\n");
  });
});

/** Of the route: the manager's own ends it with other words. */
function maxDuration(): object {
  const max_stream_duration = { max_stream_duration: "0.5s" };
  const route = { cluster: "up", timeout: "0s", max_stream_duration };
  const routes = [{ match: { prefix: "/" }, route }];
  return { route_config: { virtual_hosts: [{ name: "all", domains: ["*"], routes }] } };
}

test("a guest sees the heads of an upgrade, and its bytes both ways, and may change them", async () => {
  const module = processes.scratch.path("guest.wasm");
  writeFileSync(module, await compileGuest("script"));
  const script = [
    "request_headers add_header_map_value 0 x-guest up",
    "response_headers add_header_map_value 2 x-guest down",
    "request_body set_buffer_bytes 0 0 0 %89%00",
    "response_body get_buffer_bytes 1 0 99",
  ].join("\n");
  const flags = ["--file-flush-interval-msec", "20"];
  const headgate = await processes.start(config({}, [wasmFilter(module, "guest", script)]), {
    flags,
  });
  const { client, server } = await open(headgate);
  expect(clients[0]?.head).toContain("\r\nx-guest: down\r\n");
  expect(upstream.heads[0]).toContain("\r\nx-guest: up\r\n");
  client.send(encodeFrame(Op.Text, Buffer.from("hi"), true));
  // An empty ping of the guest stands in front of what the client sent.
  await headgate.waitFor(() => client.frames.length === 2, "both answers");
  expect(server.frames.map(({ op }) => op)).toEqual([Op.Ping, Op.Text]);
  expect(client.frames.map(({ op }) => op)).toEqual([Op.Pong, Op.Text]);
  expect(server.receivedBytes).toBe(client.sentBytes + 2);
  await headgate.says("get_buffer_bytes 1 0 99 -> 0");
});

const MANY = Number(process.env["HEADGATE_TUNNELS"] ?? 100);

test(`${MANY} tunnels at once, and nothing is left of them`, async () => {
  const headgate = await start();
  const rss = (): number =>
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${headgate.pid}/status`, "utf8"))?.[1]);
  const say = (what: string): void => {
    if (process.env["HEADGATE_TUNNELS"] !== undefined) console.log(`${what}: ${rss()} KiB`);
  };
  const round = async (): Promise<void> => {
    say("before");
    const tunnels: Tunnel[] = [];
    for (let i = 0; i < MANY; i += 1) tunnels.push(await open(headgate));
    expect(await headgate.stat(ACTIVE)).toBe(MANY);
    for (const { client } of tunnels)
      client.send(encodeFrame(Op.Binary, Buffer.alloc(2000, "m"), true));
    await headgate.waitFor(
      () => tunnels.every(({ client }) => client.frames.length === 1),
      "echoes",
    );
    for (const tunnel of tunnels) expectSame(tunnel);
    say("open");
    for (const { client } of tunnels) client.socket.destroy();
    await headgate.waitFor(async () => (await headgate.stat(ACTIVE)) === 0, "the end of all");
    expect(await headgate.stat("cluster.up.upstream_cx_active")).toBe(0);
    expect(await headgate.stat("listener.main.downstream_cx_active")).toBe(0);
    say("closed");
  };
  await round();
  await round();
});

// CONNECT that ends at the proxy: the cluster gets the tunnel's bytes on a TCP connection. In a real
// process, with real sockets; the expected answers and log lines are Envoy 1.40's.
import { readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { bootstrap, socketAddress } from "./bootstrap.ts";
import type { HeadgateProcess } from "./headgate-process.ts";
import { useProcesses } from "./process-rig.ts";
import { LocalServer } from "./upstreams.ts";

const MIB = 1024 * 1024;
const FILE_LOG = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog";
const LINE =
  "%REQ(:METHOD)% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% rx=%BYTES_RECEIVED% " +
  "tx=%BYTES_SENT% wire=%DOWNSTREAM_WIRE_BYTES_RECEIVED%,%UPSTREAM_WIRE_BYTES_RECEIVED%," +
  "%UPSTREAM_WIRE_BYTES_SENT% %UPSTREAM_CLUSTER% %UPSTREAM_PROTOCOL% " +
  "%UPSTREAM_REQUEST_ATTEMPT_COUNT%\n";

const processes = useProcesses();
let servers: LocalServer[] = [];
let clients: Client[] = [];

afterEach(() => {
  for (const client of clients) client.socket.destroy();
  for (const server of servers) server.close();
  clients = [];
  servers = [];
});

async function serve(onSocket: (socket: Socket) => void): Promise<number> {
  const inner: Server = createServer({ allowHalfOpen: true }, onSocket);
  const server = new LocalServer(inner);
  servers.push(server);
  return await server.listen();
}

class Client {
  readonly socket: Socket;
  text: string = "";
  end: "open" | "fin" | "reset" = "open";

  constructor(port: number, send: string) {
    clients.push(this);
    this.socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    this.socket.on("data", (data) => (this.text += data.toString("latin1")));
    this.socket.on("end", () => (this.end = "fin"));
    this.socket.on("error", () => (this.end = "reset"));
    this.socket.write(send);
  }
}

function clusterOf(name: string, ports: readonly number[], more: object = {}): object {
  const lb_endpoints = ports.map((port) => ({ endpoint: { address: socketAddress(port) } }));
  const load_assignment = { cluster_name: name, endpoints: [{ lb_endpoints }] };
  return { name, type: "STATIC", load_assignment, ...more };
}

const upgrade = (connect_config: object): object => ({
  upgrade_configs: [{ upgrade_type: "CONNECT", connect_config }],
});

/** CONNECT to `a:1` goes to the upstream, the others to clusters of that name. */
async function start(upstreamPort: number): Promise<{ headgate: HeadgateProcess; port: number }> {
  const to = (name: string, connect_config: object, cluster = "up"): object => {
    const string_match = { exact: `${name}:1` };
    const match = { connect_matcher: {}, headers: [{ name: ":authority", string_match }] };
    return { match, route: { cluster, ...upgrade(connect_config) } };
  };
  const limited = { cluster: "up", max_stream_duration: { max_stream_duration: "0.3s" } };
  const routes = [
    to("dead", {}, "dead"),
    to("full", {}, "full"),
    to("none", {}, "none"),
    to("pp", { proxy_protocol_config: { version: "V1" } }),
    to("a", {}),
    { match: { connect_matcher: {} }, route: { ...limited, ...upgrade({}) } },
    { match: { prefix: "/post" }, route: { cluster: "up", ...upgrade({ allow_post: true }) } },
  ];
  const log_format = { text_format_source: { inline_string: LINE } };
  const path = processes.scratch.path("connect.log");
  const hcm = {
    upgrade_configs: [{ upgrade_type: "CONNECT" }],
    delayed_close_timeout: "0.1s",
    route_config: { virtual_hosts: [{ name: "all", domains: ["*"], routes }] },
    access_log: [{ name: "f", typed_config: { "@type": FILE_LOG, path, log_format } }],
  };
  const config = bootstrap({ upstreamPort, hcm }) as {
    static_resources: { clusters: object[] };
  };
  const nobody = await serve(() => {});
  (servers.pop() as LocalServer).close();
  const noRoom = { circuit_breakers: { thresholds: [{ max_connections: 0 }] } };
  config.static_resources.clusters.push(
    clusterOf("dead", [nobody]),
    clusterOf("full", [upstreamPort], noRoom),
    clusterOf("none", []),
  );
  const headgate = await processes.start(config, { flags: ["--file-flush-interval-msec", "20"] });
  return { headgate, port: Number((await headgate.listener()).split(":")[1]) };
}

async function logged(headgate: HeadgateProcess, count: number): Promise<string> {
  const path = processes.scratch.path("connect.log");
  return await headgate.waitFor(() => {
    const lines = readFileSync(path, "latin1").split("\n");
    return lines.length > count ? lines[count - 1] : undefined;
  }, `line ${count}`);
}

const ask = (name: string): string => `CONNECT ${name}:1 HTTP/1.1\r\nHost: ${name}:1\r\n\r\n`;

test("bytes pass raw both ways, the first right behind the request", async () => {
  const heard: string[] = [];
  const port = await serve((socket) => {
    let text = "";
    heard.push(text);
    const at = heard.length - 1;
    socket.on("data", (data) => {
      text += data.toString("latin1");
      heard[at] = text;
      socket.write(data);
    });
    socket.on("end", () => socket.end());
    socket.on("error", () => {});
  });
  const { headgate, port: at } = await start(port);
  const client = new Client(at, `${ask("a")}hel`);
  await headgate.waitFor(() => client.text.endsWith("\r\n\r\nhel"), "the first bytes");
  expect(client.text).toMatch(/^HTTP\/1.1 200 OK\r\ndate: [^\r]+\r\nserver: envoy\r\n\r\nhel$/);
  client.socket.write("lo");
  await headgate.waitFor(() => client.text.endsWith("hello"), "the rest");
  expect(await headgate.stat("http.main.downstream_cx_upgrades_active")).toBe(1);
  expect(await headgate.stat("cluster.up.upstream_rq_active")).toBe(1);
  client.socket.end();
  expect(await logged(headgate, 1)).toBe(
    "CONNECT 200 DC downstream_remote_disconnect rx=5 tx=5 wire=40,5,5 up - 1",
  );
  expect(heard).toEqual(["hello"]);
  expect(await headgate.stat("http.main.downstream_cx_upgrades_active")).toBe(0);
  expect(await headgate.stat("cluster.up.upstream_rq_active")).toBe(0);

  const proxied = new Client(at, ask("pp"));
  await headgate.waitFor(() => /\r\n\r\nPROXY .*\r\n$/.test(proxied.text), "the PROXY header");
  expect(heard[1]).toBe(`PROXY TCP4 127.0.0.1 127.0.0.1 ${proxied.socket.localPort} ${at}\r\n`);

  const posted = new Client(at, "POST /post HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello");
  await headgate.waitFor(() => posted.text.endsWith("0\r\n\r\n"), "the end of the response");
  expect(heard[2]).toBe("hello");
  expect(posted.text).toContain("\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n");
  // Both sides have said all: the upstream's end breaks nothing off.
  const ends = "cluster.up.upstream_cx_destroy_remote";
  expect(await headgate.stat(ends)).toBe(1);
  expect(await headgate.stat(`${ends}_with_active_rq`)).toBe(0);
  expect(await logged(headgate, 2)).toContain("POST 200 - via_upstream rx=5 tx=5 ");
});

test("what goes wrong is answered or cut, and logged, as in Envoy", async () => {
  let serveNext: (socket: Socket) => void = () => {};
  const port = await serve((socket) => serveNext(socket));
  const { headgate, port: at } = await start(port);
  const answers: readonly (readonly [string, string, string])[] = [
    [
      "dead",
      "reset reason: remote connection failure",
      "UF upstream_reset_before_response_started",
    ],
    ["full", "reset reason: overflow", "UO upstream_reset_before_response_started{overflow}"],
    ["none", "no healthy upstream", "UH no_healthy_upstream"],
  ];
  let lines = 0;
  for (const [name, body, log] of answers) {
    const client = new Client(at, ask(name));
    await headgate.waitFor(() => client.end === "fin", `the end of ${name}`);
    expect(client.text).toContain("HTTP/1.1 503 Service Unavailable\r\n");
    expect(client.text).toContain("\r\nconnection: close\r\n");
    expect(client.text).toContain(body);
    lines += 1;
    expect(await logged(headgate, lines)).toContain(`CONNECT 503 ${log}`);
  }
  serveNext = (socket): void => void socket.end("bye");
  const left = new Client(at, ask("a"));
  await headgate.waitFor(() => left.end === "fin", "the end after the upstream's");
  expect(left.text).toMatch(/\r\n\r\nbye$/);
  expect(await logged(headgate, 4)).toBe("CONNECT 200 - via_upstream rx=0 tx=3 wire=35,3,0 up - 1");
  serveNext = (socket): void => {
    socket.once("data", () => socket.resetAndDestroy());
  };
  const broken = new Client(at, `${ask("a")}x`);
  await headgate.waitFor(() => broken.end !== "open", "the end after the reset");
  expect(await logged(headgate, 5)).toContain(
    "CONNECT 200 UC upstream_reset_after_response_started{connection_termination} rx=1 tx=0",
  );
  let isUpstreamEnded = false;
  serveNext = (socket): void => {
    socket.resume().on("end", () => (isUpstreamEnded = true));
  };
  const limited = new Client(at, ask("limited"));
  await headgate.waitFor(() => limited.end !== "open" && isUpstreamEnded, "the end of its time");
  expect(await logged(headgate, 6)).toContain("CONNECT 200 - max_duration_timeout rx=0 tx=0");
  expect(await headgate.stat("http.main.downstream_rq_max_duration_reached")).toBe(1);
  expect(await headgate.stat("cluster.up.upstream_cx_active")).toBe(0);
});

test("a TCP proxy's tunnel through a CONNECT that ends here: every byte, both ways", async () => {
  const port = await serve((socket) => {
    socket.on("data", (data) => {
      if (!socket.write(data)) socket.pause();
    });
    socket.on("drain", () => socket.resume());
    socket.on("end", () => socket.end());
  });
  // Abstract: the cluster knows the address before the listener is there.
  const pipe = { pipe: { path: `@headgate-connect-${process.pid}` } };
  const routes = [{ match: { connect_matcher: {} }, route: { cluster: "up", ...upgrade({}) } }];
  const route_config = { virtual_hosts: [{ name: "all", domains: ["inside:1"], routes }] };
  const proxy = {
    "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
    stat_prefix: "outer",
    cluster: "inner",
    tunneling_config: { hostname: "inside:1" },
  };
  const outer = {
    name: "outer",
    address: socketAddress(0),
    filter_chains: [{ filters: [{ name: "tcp", typed_config: proxy }] }],
  };
  const config = bootstrap({ upstreamPort: port, address: pipe, hcm: { route_config } }, [
    outer,
  ]) as { static_resources: { clusters: object[] } };
  const endpoints = [{ lb_endpoints: [{ endpoint: { address: pipe } }] }];
  const load_assignment = { cluster_name: "inner", endpoints };
  config.static_resources.clusters.push({ name: "inner", type: "STATIC", load_assignment });
  const headgate = await processes.start(config);
  const at = Number((await headgate.listener("outer")).split(":")[1]);
  const client = new Client(at, "");
  const sent = Buffer.alloc(8 * MIB);
  for (let i = 0; i < sent.length; i += 4) sent.writeUInt32LE((i * 2_654_435_761) >>> 0, i);
  client.socket.write(sent);
  await headgate.waitFor(() => client.text.length >= sent.length, "the echo");
  expect(Buffer.from(client.text, "latin1").equals(sent)).toBe(true);
  client.socket.end();
  await headgate.waitFor(() => client.end === "fin", "the end");
  const active = ["tcp.outer.upstream_flush_active", "http.main.downstream_cx_upgrades_active"];
  for (const name of active) expect(await headgate.stat(name)).toBe(0);
  expect(await headgate.stat("tcp.outer.downstream_cx_rx_bytes_total")).toBe(sent.length);
});

test("who does not read is waited for, on both sides", async () => {
  const size = 8 * MIB;
  let upstream: Socket | null = null;
  let heard = 0;
  const port = await serve((socket) => {
    upstream = socket;
    socket.write(Buffer.alloc(size, "d"));
  });
  const { headgate, port: at } = await start(port);
  const client = new Client(at, ask("a"));
  client.socket.pause();
  const paused = "cluster.up.upstream_flow_control_paused_reading_total";
  await headgate.waitFor(async () => (await headgate.stat(paused)) > 0, "a paused upstream");
  client.socket.write(Buffer.alloc(size, "u"));
  const full = "cluster.up.upstream_flow_control_backed_up_total";
  await headgate.waitFor(async () => (await headgate.stat(full)) > 0, "a full upstream");
  (upstream as unknown as Socket).on("data", (data: Buffer) => (heard += data.length));
  client.socket.resume();
  await headgate.waitFor(() => client.text.length > size && heard === size, "all bytes");
  expect(client.text.length - client.text.indexOf("\r\n\r\n") - 4).toBe(size);
});

test("all bytes of a client that has ended reach an upstream that reads late", async () => {
  const size = 8 * MIB;
  let upstream: Socket | null = null;
  let heard = 0;
  let isEnded = false;
  const port = await serve((socket) => {
    upstream = socket.pause();
    socket.on("data", (data) => (heard += data.length));
    socket.on("end", () => (isEnded = true));
  });
  const { headgate, port: at } = await start(port);
  const client = new Client(at, ask("a"));
  await headgate.waitFor(() => client.text.endsWith("\r\n\r\n"), "the tunnel");
  client.socket.end(Buffer.alloc(size, "u"));
  const full = "cluster.up.upstream_flow_control_backed_up_total";
  await headgate.waitFor(async () => (await headgate.stat(full)) > 0, "a full upstream");
  (upstream as unknown as Socket).resume();
  await headgate.waitFor(() => isEnded, "the upstream's end");
  expect(heard).toBe(size);
});

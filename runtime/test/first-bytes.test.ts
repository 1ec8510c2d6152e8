// What comes in front of a connection's own bytes, in a real process: PROXY headers before HTTP and
// TCP, ClientHellos that choose a chain; and clients that send garbage, one byte at a time, or
// nothing, in numbers.
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import type { Socket } from "node:net";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import { afterEach, expect, test } from "vitest";
import { bootstrap, socketAddress } from "./bootstrap.ts";
import { makeCertificate } from "./certificates.ts";
import type { HeadgateProcess } from "./headgate-process.ts";
import { useProcesses } from "./process-rig.ts";
import { HttpUpstream, LocalServer } from "./upstreams.ts";

const TYPES = "type.googleapis.com/envoy.extensions";
const V1 = Buffer.from("PROXY TCP4 192.0.2.7 198.51.100.9 4660 443\r\n", "latin1");
const V2 = Buffer.concat([
  Buffer.from("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", "latin1"),
  Buffer.from([192, 0, 2, 7, 198, 51, 100, 9, 0x12, 0x34, 0x01, 0xbb]),
]);
const GET = Buffer.from("GET / HTTP/1.1\r\nHost: h\r\n\r\n", "latin1");
const CLIENTS = 200;

const processes = useProcesses();
let servers: { close(): void }[] = [];
let clients: Socket[] = [];

afterEach(() => {
  for (const client of clients) client.destroy();
  for (const server of servers) server.close();
  clients = [];
  servers = [];
});

const proxyProtocol = {
  name: "proxy",
  typed_config: { "@type": `${TYPES}.filters.listener.proxy_protocol.v3.ProxyProtocol` },
};
const tlsInspector = {
  name: "tls",
  typed_config: { "@type": `${TYPES}.filters.listener.tls_inspector.v3.TlsInspector` },
};

function fileLog(format: string): object {
  const path = processes.scratch.path("first.log");
  const log_format = { text_format_source: { inline_string: `${format}\n` } };
  const type = `${TYPES}.access_loggers.file.v3.FileAccessLog`;
  return { name: "file", typed_config: { "@type": type, path, log_format } };
}

function tcpChain(more: object = {}): object {
  const proxy = {
    "@type": `${TYPES}.filters.network.tcp_proxy.v3.TcpProxy`,
    stat_prefix: "t",
    cluster: "up",
    access_log: [fileLog("%FILTER_CHAIN_NAME% %DOWNSTREAM_REMOTE_ADDRESS% %BYTES_RECEIVED%")],
  };
  return { filters: [{ name: "tcp", typed_config: proxy }], ...more };
}

async function portOf(headgate: HeadgateProcess): Promise<number> {
  return Number((await headgate.listener()).split(":")[1]);
}

interface Client {
  readonly socket: Socket;
  /** All that came; grows. */
  text: string;
  hasEnded: boolean;
}

function dial(port: number): Client {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  const client: Client = { socket, text: "", hasEnded: false };
  clients.push(socket);
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    client.text += chunk;
  });
  for (const event of ["end", "error", "close"]) {
    socket.on(event, () => {
      client.hasEnded = true;
    });
  }
  return client;
}

/** Resolves when the kernel has the bytes, and the proxy had a turn to read them. */
async function send(client: Client, headgate: HeadgateProcess, bytes: Buffer): Promise<void> {
  await new Promise((resolve) => {
    client.socket.write(bytes, resolve);
  });
  await headgate.admin("/ready");
}

function logLines(): string[] {
  return readFileSync(processes.scratch.path("first.log"), "latin1").split("\n").slice(0, -1);
}

async function httpProxy(): Promise<{ headgate: HeadgateProcess; upstream: HttpUpstream }> {
  const upstream = new HttpUpstream((request, response) => {
    response.end(`xff=${String(request.headers["x-forwarded-for"])};`);
  });
  servers.push(upstream);
  await upstream.listen();
  const hcm = {
    use_remote_address: true,
    access_log: [fileLog("%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS%")],
  };
  const listener = { stat_prefix: "main", listener_filters: [proxyProtocol] };
  const config = bootstrap({ upstreamPort: upstream.port, hcm, listener });
  const headgate = await processes.start(config, { flags: ["--file-flush-interval-msec", "20"] });
  return { headgate, upstream };
}

test.each([
  ["version 1", V1],
  ["version 2", V2],
])(
  "a PROXY header of %s in front of HTTP may come in two parts, cut anywhere",
  async (_, header) => {
    const { headgate } = await httpProxy();
    const port = await portOf(headgate);
    const bytes = Buffer.concat([header, GET]);
    for (let cut = 1; cut <= header.length; cut += 1) {
      const client = dial(port);
      await send(client, headgate, bytes.subarray(0, cut));
      client.socket.write(bytes.subarray(cut));
      await headgate.waitFor(() => client.text.includes("xff="), `an answer after a cut at ${cut}`);
      expect(client.text).toContain("xff=192.0.2.7;");
      client.socket.destroy();
    }
    const lines = await headgate.waitFor(() => {
      const all = logLines();
      return all.length === header.length && all;
    });
    expect([...new Set(lines)]).toEqual(["192.0.2.7:4660 198.51.100.9:443"]);
    const version = header === V1 ? "v1" : "v2";
    expect(await headgate.stat(`proxy_proto.versions.${version}.found`)).toBe(header.length);
  },
);

test("a PROXY header in front of TCP, byte by byte, does not reach the upstream", async () => {
  const heard: string[] = [];
  const server = new LocalServer(
    createServer((socket) => {
      socket.on("data", (data) => {
        heard.push(data.toString("latin1"));
        socket.end("bye");
      });
    }),
  );
  servers.push(server);
  const upstreamPort = await server.listen();
  const listener = { listener_filters: [proxyProtocol], filter_chains: [tcpChain({ name: "c" })] };
  const config = bootstrap({ upstreamPort, listener });
  const headgate = await processes.start(config, { flags: ["--file-flush-interval-msec", "20"] });
  const client = dial(await portOf(headgate));
  for (const byte of V2) await send(client, headgate, Buffer.from([byte]));
  client.socket.write("hello");
  await headgate.waitFor(() => client.text === "bye", "the upstream's answer");
  expect(heard).toEqual(["hello"]);
  const lines = await headgate.waitFor(() => logLines().length > 0 && logLines(), "a log line");
  expect(lines).toEqual(["c 192.0.2.7:4660 5"]);
});

test("garbage is closed and counted, each time; the first of each kind is logged", async () => {
  const { headgate } = await httpProxy();
  const port = await portOf(headgate);
  const before = headgate.output.length;
  const garbage = [
    "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
    "PROXY TCP4 1.2.3.4\r\n",
    `PROXY ${"x".repeat(500)}`,
    "\r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0cxxxxxxxxxxxx",
    "\x16\x03\x01\x02\x00\x01",
    "\0".repeat(1000),
  ];
  for (let round = 0; round < 10; round += 1) {
    for (const text of garbage) {
      const client = dial(port);
      client.socket.write(text, "latin1");
      await headgate.waitFor(() => client.hasEnded, `the end of ${JSON.stringify(text)}`);
      expect(client.text).toBe("");
    }
  }
  expect(await headgate.stat("downstream_cx_proxy_proto_error")).toBe(60);
  expect(await headgate.stat("listener.main.downstream_cx_total")).toBe(0);
  expect(await headgate.stat("listener.main.downstream_pre_cx_active")).toBe(0);
  const lines = headgate.output.slice(before).trimEnd().split("\n");
  const more = "more are counted in downstream_cx_proxy_proto_error only";
  expect(lines.map((line) => line.replace(/^.* main: closed 127\.0\.0\.1:\d+ /, ""))).toEqual([
    `early: no PROXY header; ${more}`,
    `early: a malformed PROXY header; ${more}`,
  ]);
});

test("many clients that send less than a header are held, bounded by time, and others served", async () => {
  const upstream = new HttpUpstream("served");
  servers.push(upstream);
  await upstream.listen();
  const listener = {
    stat_prefix: "main",
    listener_filters: [proxyProtocol],
    listener_filters_timeout: "2s",
  };
  const headgate = await processes.start(bootstrap({ upstreamPort: upstream.port, listener }));
  const port = await portOf(headgate);
  const slow = Array.from({ length: CLIENTS }, () => dial(port));
  for (const [at, client] of slow.entries()) client.socket.write(V1.subarray(0, at % V1.length));
  const active = "listener.main.downstream_pre_cx_active";
  await headgate.waitFor(async () => (await headgate.stat(active)) === CLIENTS, "all of them");
  const good = dial(port);
  good.socket.write(Buffer.concat([V1, GET]));
  await headgate.waitFor(() => good.text.includes("served"), "an answer beside them");
  // One more byte now and then buys no time.
  for (const client of slow) client.socket.write("P");
  await headgate.waitFor(() => slow.every(({ hasEnded }) => hasEnded), "their end");
  expect(await headgate.stat(active)).toBe(0);
  const late = await headgate.stat("listener.main.downstream_pre_cx_timeout");
  const errors = await headgate.stat("downstream_cx_proxy_proto_error");
  expect(late + errors).toBe(CLIENTS);
});

test("a real ClientHello chooses the chain, whole or byte by byte, and TLS goes through", async () => {
  const names = ["one.test", "two.test"];
  const made = await Promise.all(names.map((name) => makeCertificate(name, { dnsNames: [name] })));
  const ports = await Promise.all(
    made.map(async ({ pem, keyPem, name }) => {
      const server = createTlsServer({ cert: pem, key: keyPem }, (socket) => {
        socket.on("error", () => {});
        socket.end(`${name} says hello`);
      });
      const local = new LocalServer(server);
      servers.push(local);
      return await local.listen();
    }),
  );
  const clusters = ports.map((port, at) => ({
    name: names[at],
    type: "STATIC",
    load_assignment: {
      cluster_name: names[at],
      endpoints: [{ lb_endpoints: [{ endpoint: { address: socketAddress(port) } }] }],
    },
  }));
  const chains = names.map((name) => ({
    name,
    filter_chain_match: { server_names: [name] },
    filters: [
      {
        name: "tcp",
        typed_config: {
          "@type": `${TYPES}.filters.network.tcp_proxy.v3.TcpProxy`,
          stat_prefix: "t",
          cluster: name,
        },
      },
    ],
  }));
  const listener = {
    name: "main",
    address: socketAddress(0),
    stat_prefix: "main",
    listener_filters: [tlsInspector],
    filter_chains: chains,
  };
  const headgate = await processes.start({
    admin: { address: socketAddress(0) },
    static_resources: { listeners: [listener], clusters },
  });
  const port = await portOf(headgate);
  for (const [at, servername] of names.entries()) {
    const ca = made[at]?.pem as string;
    expect(await tlsText({ port, servername, ca })).toBe(`${servername} says hello`);
    const slow = await byteByByte(port, headgate);
    expect(await tlsText({ port: slow, servername, ca })).toBe(`${servername} says hello`);
  }
  expect(await headgate.stat("tls_inspector.sni_found")).toBe(4);
});

/** What a TLS server says until it ends; fails unless its certificate is trusted. */
async function tlsText(options: { port: number; servername: string; ca: string }): Promise<string> {
  const socket = connectTls({ host: "127.0.0.1", ...options });
  clients.push(socket);
  let text = "";
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    text += chunk;
  });
  await once(socket, "end");
  return text;
}

/** A port whose first 600 bytes of a connection reach the proxy one by one. */
async function byteByByte(port: number, headgate: HeadgateProcess): Promise<number> {
  const server = createServer((client) => {
    const upstream = connect({ port, host: "127.0.0.1", noDelay: true });
    clients.push(client, upstream);
    upstream.on("error", () => client.destroy());
    upstream.pipe(client);
    let left = 600;
    let queue = Promise.resolve();
    client.on("data", (data: Buffer) => {
      queue = queue.then(async () => {
        const slow = data.subarray(0, left);
        left -= slow.length;
        for (const [at, byte] of slow.entries()) {
          upstream.write(Buffer.from([byte]));
          if (at % 50 === 0) await headgate.admin("/ready");
        }
        upstream.write(data.subarray(slow.length));
      });
    });
    client.on("error", () => upstream.destroy());
  });
  const local = new LocalServer(server);
  servers.push(local);
  return await local.listen();
}

// HTTP/1 clients in front of a cluster that speaks HTTP/2, in a real process.
import { createHash } from "node:crypto";
import { get, type IncomingMessage } from "node:http";
import { createServer } from "node:http2";
import type { ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import type { Server } from "node:net";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { bootstrap, socketAddress } from "./bootstrap.ts";
import type { HeadgateProcess } from "./headgate-process.ts";
import { useProcesses } from "./process-rig.ts";
import { LocalServer } from "./upstreams.ts";

const processes = useProcesses({ concurrency: 1 });
const TYPE = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/** More than sockets and windows hold. */
const HUGE_BYTES = 64_000_000;

let port = 0;
let sessions: ServerHttp2Session[] = [];
let held = 0;
/** Answers that wait until there are three. */
let gated: ServerHttp2Stream[] = [];
const server = createServer({ settings: { maxConcurrentStreams: 20 } });
server.on("session", (session) => {
  sessions.push(session);
  session.on("error", () => {});
});
server.on("stream", (stream: ServerHttp2Stream, headers) => {
  stream.on("error", () => {});
  const path = String(headers[":path"]);
  const hash = createHash("sha256");
  stream.on("data", (chunk: Buffer) => hash.update(chunk));
  stream.on("end", () => {
    if (path === "/reset") stream.close(8);
    else if (path === "/hold") held += 1;
    else if (path.startsWith("/gate")) gate(stream, path);
    else if (path === "/large") stream.end(Buffer.alloc(3_000_000, "y"));
    else if (path === "/huge") stream.end(Buffer.alloc(HUGE_BYTES, "z"));
    else if (path === "/upload") stream.end(hash.digest("hex"));
    else setTimeout(() => stream.end(`hello ${path}`), 1);
    if (!stream.headersSent && path !== "/reset" && path !== "/hold")
      stream.respond({ "x-up": "2" });
  });
});

function gate(stream: ServerHttp2Stream, path: string): void {
  stream.respond({ "x-path": path });
  gated.push(stream);
  if (gated.length === 3) for (const one of gated) one.end(String(one.sentHeaders["x-path"]));
}
const local = new LocalServer(server as unknown as Server);

beforeAll(async () => {
  port = await local.listen();
});
beforeEach(() => {
  sessions = [];
  held = 0;
  gated = [];
});
afterAll(() => local.close());

async function start(options: object = {}): Promise<HeadgateProcess> {
  const config = bootstrap() as { static_resources: { clusters: object[] } };
  const lb_endpoints = [{ endpoint: { address: socketAddress(port) } }];
  config.static_resources.clusters[0] = {
    name: "up",
    type: "STATIC",
    load_assignment: { cluster_name: "up", endpoints: [{ lb_endpoints }] },
    typed_extension_protocol_options: {
      [TYPE]: {
        "@type": `type.googleapis.com/${TYPE}`,
        explicit_http_config: { http2_protocol_options: options },
      },
    },
  };
  return await processes.start(config);
}

async function ask(
  headgate: HeadgateProcess,
  path: string,
  init: RequestInit = {},
): Promise<string> {
  const answer = await fetch(`http://${await headgate.listener()}${path}`, init);
  return `${answer.status} ${await answer.text()}`;
}

test("many requests share one connection, as many at a time as the peer lets", async () => {
  const headgate = await start();
  expect(await ask(headgate, "/")).toBe("200 hello /");
  const paths = Array.from({ length: 60 }, (_, index) => `/${index}`);
  const answers = await Promise.all(paths.map((path) => ask(headgate, path)));
  expect(answers).toEqual(paths.map((path) => `200 hello ${path}`));
  // Once 20 streams ran on the first one, the others waited or had one more connection.
  expect(await headgate.stat("cluster.up.upstream_cx_http2_total")).toBeLessThanOrEqual(4);
  expect(await headgate.stat("cluster.up.upstream_cx_http1_total")).toBe(0);
  expect(await headgate.stat("cluster.up.upstream_rq_200")).toBe(61);
  expect(await headgate.stat("cluster.up.upstream_rq_active")).toBe(0);
});

test("large bodies both ways are whole", async () => {
  const headgate = await start();
  const body = Buffer.alloc(3_000_000, "abc");
  const digest = createHash("sha256").update(body).digest("hex");
  expect(await ask(headgate, "/upload", { method: "POST", body })).toBe(`200 ${digest}`);
  expect((await ask(headgate, "/large")).length).toBe(4 + 3_000_000);
});

test("a slow client holds up its stream, which is counted as on HTTP/1", async () => {
  const headgate = await start();
  const paused = "cluster.up.upstream_flow_control_paused_reading_total";
  const url = `http://${await headgate.listener()}/huge`;
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    get(url, resolve).on("error", reject);
  });
  await headgate.waitFor(async () => (await headgate.stat(paused)) > 0, "a pause");
  let bytes = 0;
  for await (const chunk of answer) bytes += (chunk as Buffer).length;
  expect(bytes).toBe(HUGE_BYTES);
  const resumed = "cluster.up.upstream_flow_control_resumed_reading_total";
  expect(await headgate.stat(resumed)).toBe(await headgate.stat(paused));
});

test("a reset is 503 and harms no other stream; a client that leaves resets its own", async () => {
  const headgate = await start();
  const slow = ask(headgate, "/slow");
  expect(await ask(headgate, "/reset")).toContain("503 upstream connect error");
  expect(await slow).toBe("200 hello /slow");
  const abort = new AbortController();
  const gone = ask(headgate, "/hold", { signal: abort.signal }).catch(() => "gone");
  await headgate.waitFor(() => held === 1, "the request");
  abort.abort();
  expect(await gone).toBe("gone");
  await headgate.waitFor(
    async () => (await headgate.stat("cluster.up.upstream_rq_active")) === 0,
    "the end of the stream",
  );
  expect(await ask(headgate, "/after")).toBe("200 hello /after");
  expect(await headgate.stat("cluster.up.upstream_cx_total")).toBe(1);
  expect(await headgate.stat("cluster.up.upstream_rq_rx_reset")).toBe(1);
  expect(await headgate.stat("cluster.up.upstream_rq_tx_reset")).toBe(1);
});

test("after GOAWAY requests go to a new connection", async () => {
  const headgate = await start();
  expect(await ask(headgate, "/a")).toBe("200 hello /a");
  sessions[0]?.close();
  await headgate.waitFor(
    async () => (await headgate.stat("cluster.up.upstream_cx_active")) === 0,
    "the end of the connection",
  );
  expect(await ask(headgate, "/b")).toBe("200 hello /b");
  expect(await headgate.stat("cluster.up.upstream_cx_total")).toBe(2);
  expect(await headgate.stat("cluster.up.upstream_cx_close_notify")).toBe(1);
});

test("max_concurrent_streams of the cluster holds, too", async () => {
  const headgate = await start({ max_concurrent_streams: 1 });
  const paths = ["/gate1", "/gate2", "/gate3"];
  const answers = await Promise.all(paths.map((path) => ask(headgate, path)));
  expect(answers).toEqual(paths.map((path) => `200 ${path}`));
  // None was answered before all three were there: each has a connection of its own.
  expect(sessions).toHaveLength(3);
});

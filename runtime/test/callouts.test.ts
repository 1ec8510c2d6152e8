// Guests that call clusters, in a real process: a filter that asks an auth server about each request.
import { writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createSecureServer } from "node:http2";
import type { Server } from "node:net";
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from "vitest";
import { bootstrap, socketAddress, wasmFilter } from "./bootstrap.ts";
import { makeCertificate } from "./certificates.ts";
import { compileGuest } from "./guests/compile.ts";
import type { HeadgateProcess } from "./headgate-process.ts";
import { useProcesses } from "./process-rig.ts";
import { HttpUpstream, LocalServer } from "./upstreams.ts";

const TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext";
const HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

const processes = useProcesses({ concurrency: 1 });
let guest: Uint8Array;
/** Of the auth server, until a test lets them go. */
let waiting: ServerResponse[] = [];
/** What it has seen. */
let seen: IncomingMessage["headers"][] = [];

const auth = new HttpUpstream((request, response) => {
  const user = String(request.headers["x-user"]);
  seen.push(request.headers);
  if (user === "wait") waiting.push(response);
  else if (user === "break") {
    response.writeHead(200, { "content-length": "10" });
    response.write("abc");
    response.socket?.end();
  } else if (user === "nobody") response.writeHead(401).end("who are you?");
  else response.writeHead(200, { "x-auth-id": `id-${user}` }).end();
});
const upstream = new HttpUpstream((request, response) => {
  request.on("data", () => {});
  request.on("end", () => response.end(`hello ${String(request.headers["x-auth-id"])}`));
});

beforeAll(async () => {
  guest = await compileGuest("auth");
  await auth.listen();
  await upstream.listen();
});
beforeEach(() => {
  waiting = [];
  seen = [];
});
afterAll(() => {
  auth.close();
  upstream.close();
});

/** A process whose filter asks `auth`; null = the cluster has no hosts. */
async function start(port: number | null, cluster: object = {}): Promise<HeadgateProcess> {
  return await startWith(guest, "", port, cluster);
}

async function startWith(
  bytes: Uint8Array,
  script: string,
  port: number | null,
  cluster: object = {},
): Promise<HeadgateProcess> {
  const module = processes.scratch.path("guest.wasm");
  writeFileSync(module, bytes);
  const config = bootstrap({
    upstreamPort: upstream.port,
    filters: [wasmFilter(module, "guest", script)],
  }) as { static_resources: { clusters: object[] } };
  const lb_endpoints = port === null ? [] : [{ endpoint: { address: socketAddress(port) } }];
  config.static_resources.clusters.push({
    name: "auth",
    type: "STATIC",
    connect_timeout: "30s",
    load_assignment: { cluster_name: "auth", endpoints: [{ lb_endpoints }] },
    ...cluster,
  });
  return await processes.start(config);
}

/** The guest waits some time for its answer, and not long for /hasty. */
async function ask(
  headgate: HeadgateProcess,
  user: string,
  path = "/",
  init: RequestInit = {},
): Promise<string> {
  const target = await headgate.listener();
  const headers = { "x-user": user, "x-patient": path === "/hasty" ? "no" : "yes" };
  const answer = await fetch(`http://${target}${path}`, { ...init, headers });
  return `${answer.status} ${await answer.text()}`;
}

test("the answer of the auth server decides", async () => {
  const headgate = await start(auth.port);
  expect(await ask(headgate, "ann")).toBe("200 hello id-ann");
  expect(await ask(headgate, "nobody")).toBe("403 401: who are you?");
  expect(seen.map((headers) => headers["x-envoy-internal"])).toEqual(["true", "true"]);
  expect(seen[0]?.["x-envoy-expected-rq-timeout-ms"]).toBe("10000");
  // Two at a time about one stream; and while the body waits.
  expect(await ask(headgate, "bob", "/twice")).toBe("200 hello id-bob, id-bob");
  const post = { method: "POST", body: "x".repeat(100_000) };
  expect(await ask(headgate, "eve", "/body", post)).toBe("200 hello undefined");
  expect(seen.length).toBe(5);
  // Many streams at a time, over the pool of the cluster.
  const users = Array.from({ length: 40 }, (_, index) => `user${index}`);
  const answers = await Promise.all(users.map((user) => ask(headgate, user)));
  expect(answers).toEqual(users.map((user) => `200 hello id-${user}`));
  expect(await headgate.stat("cluster.auth.upstream_rq_200")).toBe(44);
  expect(await headgate.stat("cluster.auth.upstream_rq_401")).toBe(1);
});

test("a dead, a slow and a broken auth server are answers, too", async () => {
  const dead = await start(1);
  const refused = "reset reason: remote connection failure";
  expect(await ask(dead, "ann")).toContain("403 503: upstream connect error");
  expect(await ask(dead, "ann")).toContain(refused);
  expect(await dead.stat("cluster.auth.upstream_cx_connect_fail")).toBe(2);
  const headgate = await start(auth.port);
  expect(await ask(headgate, "wait", "/hasty")).toBe("403 504: upstream request timeout");
  expect(await ask(headgate, "break")).toBe("403 reset: ");
  expect(await headgate.stat("cluster.auth.upstream_rq_timeout")).toBe(1);
  expect(await headgate.stat("cluster.auth.upstream_rq_active")).toBe(0);
  const empty = await start(null);
  expect(await ask(empty, "ann")).toBe("503 no call: 10");
});

test("the cluster's circuit breakers hold for guests", async () => {
  const thresholds = [{ max_requests: 1, max_connections: 1, max_pending_requests: 1 }];
  const headgate = await start(auth.port, { circuit_breakers: { thresholds } });
  const first = ask(headgate, "wait");
  await headgate.waitFor(() => waiting.length === 1, "the first call");
  // One more may wait for the connection; the third one is refused.
  const second = ask(headgate, "ann");
  await headgate.waitFor(
    async () => (await headgate.stat("cluster.auth.upstream_rq_pending_active")) === 1,
    "the second call",
  );
  expect(await ask(headgate, "bob")).toBe("503 no call: 10");
  expect(await headgate.stat("cluster.auth.upstream_rq_pending_overflow")).toBe(1);
  waiting[0]?.writeHead(200, { "x-auth-id": "late" }).end();
  expect(await first).toBe("200 hello late");
  expect(await second).toBe("200 hello id-ann");
});

test.each([
  ["1.1", { http_protocol_options: {} }],
  ["2.0", { http2_protocol_options: {} }],
])("calls to a cluster of HTTP/%s over TLS", async (version, explicit_http_config) => {
  const authority = await makeCertificate("authority", { isAuthority: true });
  const leaf = await makeCertificate("leaf", { issuer: authority, dnsNames: ["auth.test"] });
  const own = { cert: leaf.chainPem, key: leaf.keyPem, allowHTTP1: true };
  const secure = createSecureServer(own, (request, response) => {
    const sni: unknown = Reflect.get(request.socket, "servername");
    const id = `${String(request.headers["x-user"])}-${request.httpVersion}-${String(sni)}`;
    response.writeHead(200, { "x-auth-id": id }).end();
  });
  const server = new LocalServer(secure as unknown as Server);
  onTestFinished(() => server.close());
  const common_tls_context = {
    validation_context: { trusted_ca: { inline_string: authority.pem } },
  };
  const typed_config = { "@type": TLS, sni: "auth.test", common_tls_context };
  const options = { "@type": `type.googleapis.com/${HTTP_OPTIONS}`, explicit_http_config };
  const headgate = await start(await server.listen(), {
    transport_socket: { name: "tls", typed_config },
    typed_extension_protocol_options: { [HTTP_OPTIONS]: options },
  });
  expect(await ask(headgate, "ann")).toBe(`200 hello ann-${version}-auth.test`);
  expect(await ask(headgate, "bob")).toBe(`200 hello bob-${version}-auth.test`);
  // The second call took the connection of the first one.
  expect(await headgate.stat("cluster.auth.ssl.handshake")).toBe(1);
  expect(await headgate.stat("cluster.auth.upstream_rq_200")).toBe(2);
});

test("an answer for a stream that is gone harms nobody", async () => {
  const headgate = await start(auth.port);
  const abort = new AbortController();
  const gone = ask(headgate, "wait", "/", { signal: abort.signal }).catch(() => "gone");
  await headgate.waitFor(() => waiting.length === 1, "the call");
  abort.abort();
  expect(await gone).toBe("gone");
  await headgate.waitFor(
    async () => (await headgate.stat("http.main.downstream_rq_active")) === 0,
    "the end of the stream",
  );
  waiting[0]?.writeHead(200).end();
  expect(await ask(headgate, "ann")).toBe("200 hello id-ann");
  expect(headgate.output).not.toContain("wasm vm failed");
});

test("calls from vm_start, configure, ticks, on_log and on_delete", async () => {
  const callbacks = ["vm_start", "configure", "tick#1", "log", "delete"];
  const lines = callbacks.map(
    (name) => `${name} http_call auth :method=GET,:path=/${name},:authority=a,x-user=${name}  ~ 0`,
  );
  lines.push("configure set_tick_period 10", "tick#1 set_tick_period 0");
  const headgate = await startWith(await compileGuest("script"), lines.join("\n"), auth.port);
  // Those of the start waited until the cluster was in force.
  await headgate.says("http_call_response(1,4,");
  await headgate.says("http_call_response(1,8,");
  await headgate.says("http_call_response(1,12,");
  expect(await ask(headgate, "ann")).toBe("200 hello undefined");
  await headgate.says("http_call_response(1,16,");
  await headgate.says("http_call_response(1,20,");
  expect(seen.map((headers) => headers["x-user"])).toEqual(callbacks);
});

test("a call of the start whose cluster has no hosts is answered", async () => {
  const script = [
    "configure http_call auth :method=GET,:path=/,:authority=a  ~ 0",
    "http_call_response get_buffer_bytes 4 0 max",
  ];
  const headgate = await startWith(await compileGuest("script"), script.join("\n"), null);
  await headgate.says("[no%20healthy%20upstream]");
  expect(await headgate.stat("cluster.auth.upstream_rq_503")).toBe(1);
});

// TLS to upstreams in a real process: what node:tls servers see of it, and how failures are told.
// The texts are Envoy 1.40's, of the same configurations and servers.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createSecureServer } from "node:http2";
import type { ServerHttp2Stream } from "node:http2";
import { createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bootstrap, socketAddress } from "./bootstrap.ts";
import { makeCertificate } from "./certificates.ts";
import type { TestCertificate } from "./certificates.ts";
import { KeptConnection } from "./http-clients.ts";
import type { HeadgateProcess } from "./headgate-process.ts";
import { useProcesses } from "./process-rig.ts";
import { type Seen, TlsUpstream } from "./tls-upstream.ts";
import { LocalServer } from "./upstreams.ts";

const TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext";
const HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const LOG = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog";
const LINE = "%RESPONSE_FLAGS% %UPSTREAM_TRANSPORT_FAILURE_REASON% %UPSTREAM_TLS_VERSION%\n";

const http2 = { explicit_http_config: { http2_protocol_options: {} } };

const processes = useProcesses();
const upstreams: TlsUpstream[] = [];
const servers: LocalServer[] = [];
let authority: TestCertificate;
let stranger: TestCertificate;
let leaf: TestCertificate;
let expired: TestCertificate;
let clientCertificate: TestCertificate;

beforeAll(async () => {
  authority = await makeCertificate("authority", { isAuthority: true });
  stranger = await makeCertificate("stranger", { isAuthority: true });
  const names = { dnsNames: ["good.test", "alt.test"], ipAddresses: ["127.0.0.1"] };
  leaf = await makeCertificate("leaf", { issuer: authority, ...names });
  const notAfter = new Date("2021-01-01T00:00:00Z");
  expired = await makeCertificate("expired", { issuer: authority, ...names, notAfter });
  clientCertificate = await makeCertificate("client", { issuer: authority });
});

afterAll(() => {
  for (const one of [...upstreams, ...servers]) one.close();
});

async function serve(...args: ConstructorParameters<typeof TlsUpstream>): Promise<number> {
  return (await serveSeen(...args)).port;
}

async function serveSeen(...args: ConstructorParameters<typeof TlsUpstream>): Promise<TlsUpstream> {
  const upstream = new TlsUpstream(...args);
  upstreams.push(upstream);
  await upstream.listen();
  return upstream;
}

/** A server that does not speak TLS, but does something at the first bytes. */
async function serveRaw(onData: (socket: Socket) => void): Promise<number> {
  const server = new LocalServer(
    createServer((socket) => socket.once("data", () => onData(socket))),
  );
  servers.push(server);
  return await server.listen();
}

interface ClusterParts {
  readonly port: number;
  /** Of the UpstreamTlsContext. */
  readonly tls?: object;
  /** Of the CommonTlsContext. */
  readonly common?: object;
  /** Of the cluster. */
  readonly more?: object;
}

const trusting = (one: TestCertificate, more: object = {}): object => ({
  validation_context: { trusted_ca: { inline_string: one.pem }, ...more },
});

function cluster(name: string, { port, tls, common, more }: ClusterParts): object {
  const typed_config = { "@type": TLS, common_tls_context: common ?? {}, ...tls };
  const lb_endpoints = [{ endpoint: { address: socketAddress(port) } }];
  return {
    name,
    connect_timeout: "30s",
    transport_socket: { name: "tls", typed_config },
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints }] },
    ...more,
  };
}

function httpOptions(upstream: object): object {
  const http = { explicit_http_config: { http_protocol_options: {} } };
  const options = { "@type": `type.googleapis.com/${HTTP_OPTIONS}`, ...http };
  return {
    typed_extension_protocol_options: {
      [HTTP_OPTIONS]: { ...options, upstream_http_protocol_options: upstream },
    },
  };
}

/** One process with all these clusters; a request for /NAME goes to the cluster of that name. */
async function start(clusters: Readonly<Record<string, ClusterParts>>): Promise<HeadgateProcess> {
  const path = processes.scratch.path("access.log");
  const log_format = { text_format_source: { inline_string: LINE } };
  const log = { "@type": LOG, path, log_format };
  const routes = Object.keys(clusters).map((name) => ({
    match: { path: `/${name}` },
    route: { cluster: name },
  }));
  const hcm = {
    route_config: { virtual_hosts: [{ name: "all", domains: ["*"], routes }] },
    access_log: [{ name: "file", typed_config: log }],
  };
  const base = bootstrap({ hcm }) as { static_resources: object };
  const all = Object.entries(clusters).map(([name, parts]) => cluster(name, parts));
  const config = { ...base, static_resources: { ...base.static_resources, clusters: all } };
  return await processes.start(config, { flags: ["--file-flush-interval-msec", "20"] });
}

/** The status and what the upstream saw, or what the log says. */
class Client {
  readonly #headgate: HeadgateProcess;
  #lines = 0;

  constructor(headgate: HeadgateProcess) {
    this.#headgate = headgate;
  }

  async seen(name: string, host = "a"): Promise<Seen> {
    const answer = await this.#ask(name, host);
    if (!answer.text.startsWith("HTTP/1.1 200 ")) throw new Error(answer.text);
    await this.#line();
    return JSON.parse(/\{.*\}/.exec(answer.text)?.[0] ?? "") as Seen;
  }

  /** A whole answer. */
  async text(name: string): Promise<string> {
    return (await this.#ask(name, "a")).text;
  }

  async failure(name: string, host = "a"): Promise<string> {
    const { text } = await this.#ask(name, host);
    if (!text.startsWith("HTTP/1.1 503 ")) throw new Error(text);
    const reason = /reset reason: (.*)/.exec(text)?.[1] ?? "";
    return `${reason}: ${await this.#line()}`;
  }

  async #ask(name: string, host: string): Promise<{ text: string }> {
    const target = await this.#headgate.listener();
    const client = new KeptConnection(target);
    let text = "";
    client.socket.on("data", (data: string) => (text += data));
    client.socket.write(
      `GET /${name} HTTP/1.1\r\nhost: ${host}\r\nx-name: alt.test\r\nconnection: close\r\n\r\n`,
    );
    await this.#headgate.waitFor(() => (client.isClosed ? true : undefined), "an answer");
    return { text };
  }

  /** The next line of the log. */
  async #line(): Promise<string> {
    const path = processes.scratch.path("access.log");
    this.#lines += 1;
    return await this.#headgate.waitFor(() => {
      const lines = readFileSync(path, "latin1").split("\n");
      return lines.length > this.#lines ? lines[this.#lines - 1] : undefined;
    }, "a line");
  }
}

test("an upstream sees what is configured: SNI, ALPN, versions, a client's certificate", async () => {
  const port = await serve(leaf, { ALPNProtocols: ["http/1.1", "custom"] });
  const asking = { requestCert: true, ca: authority.pem };
  const asks = await serve(leaf, asking);
  const only13 = await serve(leaf, { minVersion: "TLSv1.3" });
  const own = {
    certificate_chain: { inline_string: clientCertificate.chainPem },
    private_key: { inline_string: clientCertificate.keyPem },
  };
  const exact = (value: string): object => ({ san_type: "DNS", matcher: { exact: value } });
  const headgate = await start({
    unverified: { port },
    sni: { port, tls: { sni: "good.test" }, common: trusting(authority) },
    host: { port, common: trusting(authority), more: httpOptions({ auto_sni: true }) },
    header: {
      port,
      more: httpOptions({ auto_sni: true, override_auto_sni_header: "x-name" }),
    },
    alpn: { port, common: { alpn_protocols: ["custom"] } },
    san: {
      port,
      common: trusting(authority, {
        match_typed_subject_alt_names: [exact("no.test"), exact("alt.test")],
      }),
    },
    client: { port: asks, common: { ...trusting(authority), tls_certificates: [own] } },
    keys: { port, common: { key_log: { path: processes.scratch.path("keys.log") } } },
    v13: {
      port: only13,
      common: { tls_params: { tls_maximum_protocol_version: "TLSv1_3" } },
    },
  });
  const client = new Client(headgate);
  expect(await client.seen("unverified")).toMatchObject({
    sni: "",
    version: "TLSv1.2",
    alpn: "http/1.1",
    client: "",
  });
  expect(await client.seen("sni")).toMatchObject({ sni: "good.test" });
  expect(await client.seen("host", "good.test:80")).toMatchObject({ sni: "good.test" });
  expect(await client.seen("host", "127.0.0.1")).toMatchObject({ sni: "" });
  expect(await client.seen("header", "good.test")).toMatchObject({ sni: "alt.test" });
  expect(await client.seen("alpn")).toMatchObject({ alpn: "custom" });
  expect(await client.seen("san")).toMatchObject({ version: "TLSv1.2" });
  expect(await client.seen("client")).toMatchObject({ client: "CN=client" });
  expect(await client.seen("v13")).toMatchObject({ version: "TLSv1.3" });
  await client.seen("keys");
  const keys = (): boolean =>
    /^CLIENT_RANDOM [0-9a-f]{64} /m.test(
      readFileSync(processes.scratch.path("keys.log"), "latin1"),
    );
  await headgate.waitFor(keys, "the keys of a connection");
  expect(await headgate.stat("cluster.sni.ssl.handshake")).toBe(1);
  expect(await headgate.stat("cluster.v13.ssl.versions.TLSv1.3")).toBe(1);
  expect(await headgate.stat("cluster.host.ssl.handshake")).toBe(2);
});

const verifyFailed = (words: string): string =>
  `remote connection failure: UF TLS_error:|268435581:SSL_routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:verify_cert_failed:_${words}:TLS_error_end -`;
const sslError = (words: string): string =>
  `remote connection failure: UF TLS_error:|${words}:TLS_error_end -`;
const atDepth0 = "X509_verify_cert:_certificate_verification_error_at_depth_0:_";

test("what fails is told in Envoy's words", async () => {
  const port = await serve(leaf);
  const plain = await serveRaw((socket) => socket.write("HTTP/1.1 400 Bad Request\r\n\r\n"));
  const headgate = await start({
    authority: { port, common: trusting(stranger) },
    san: {
      port,
      common: trusting(authority, {
        match_typed_subject_alt_names: [{ san_type: "DNS", matcher: { exact: "no.test" } }],
      }),
    },
    host: {
      port,
      common: trusting(authority),
      more: httpOptions({ auto_sni: true, auto_san_validation: true }),
    },
    expired: { port: await serve(expired), common: trusting(authority) },
    plain: { port: plain },
    reset: { port: await serveRaw((socket) => socket.resetAndDestroy()) },
    fin: { port: await serveRaw((socket) => socket.end()) },
    silent: { port: await serveRaw(() => {}), more: { connect_timeout: "0.5s" } },
    certificate: {
      port: await serve(leaf, { requestCert: true, rejectUnauthorized: true, ca: authority.pem }),
    },
    version: { port: await serve(leaf, { minVersion: "TLSv1.3" }) },
  });
  const client = new Client(headgate);
  const sans = "[good.test,_alt.test,_127.0.0.1]";
  const expected: Readonly<Record<string, string>> = {
    authority: verifyFailed(`${atDepth0}unable_to_get_local_issuer_certificate`),
    san: verifyFailed(`SAN_matcher,_certificate_SANs_are_${sans}`),
    host: verifyFailed(`verify_SAN_list,_expected_SANs:_[a],_certificate_SANs:_${sans}`),
    expired: verifyFailed(`${atDepth0}certificate_has_expired`),
    plain: sslError("268435703:SSL_routines:OPENSSL_internal:WRONG_VERSION_NUMBER"),
    reset: sslError("33554536:system_library:OPENSSL_internal:Connection_reset_by_peer"),
    fin: "remote connection failure: UF - -",
    silent: "connection timeout: UF - -",
    certificate: sslError("268436496:SSL_routines:OPENSSL_internal:SSLV3_ALERT_HANDSHAKE_FAILURE"),
    version: sslError("268436526:SSL_routines:OPENSSL_internal:TLSV1_ALERT_PROTOCOL_VERSION"),
  };
  for (const [name, text] of Object.entries(expected)) {
    expect([name, await client.failure(name)]).toEqual([name, text]);
    expect(await headgate.stat(`cluster.${name}.upstream_cx_connect_fail`)).toBe(1);
    expect(await headgate.stat(`cluster.${name}.upstream_cx_active`)).toBe(0);
  }
  expect(await client.seen("host", "good.test")).toMatchObject({ sni: "good.test" });
  const stat = async (name: string): Promise<number> => await headgate.stat(`cluster.${name}`);
  expect(await stat("authority.ssl.fail_verify_error")).toBe(1);
  expect(await stat("san.ssl.fail_verify_san")).toBe(1);
  expect(await stat("host.ssl.fail_verify_san")).toBe(1);
  expect(await stat("plain.ssl.connection_error")).toBe(1);
  expect(await stat("fin.ssl.connection_error")).toBe(0);
  expect(await stat("silent.upstream_cx_connect_timeout")).toBe(1);
});

test("sessions are resumed, as many as are kept", async () => {
  const once = { max_requests_per_connection: 1 };
  const v13 = { tls_params: { tls_maximum_protocol_version: "TLSv1_3" } };
  const port = await serve(leaf);
  const headgate = await start({
    v12: { port, more: once },
    v13: { port, common: v13, more: once },
    none: { port, tls: { max_session_keys: 0 }, more: once },
  });
  const client = new Client(headgate);
  const resumed = async (name: string): Promise<boolean[]> => {
    const all: boolean[] = [];
    for (let i = 0; i < 3; i += 1) all.push((await client.seen(name)).isResumed);
    return all;
  };
  expect(await resumed("v12")).toEqual([false, true, true]);
  // A ticket of TLS 1.3 is used once, and node:tls gives none for a resumed session: as with Envoy.
  expect(await resumed("v13")).toEqual([false, true, false]);
  expect(await resumed("none")).toEqual([false, false, false]);
  expect(await headgate.stat("cluster.v12.ssl.session_reused")).toBe(2);
  expect(await headgate.stat("cluster.none.ssl.session_reused")).toBe(0);
});

test("a PROXY header stands in front of the handshake", async () => {
  const upstream = await serveSeen(leaf, {}, true);
  const inner = {
    name: "tls",
    typed_config: { "@type": TLS, common_tls_context: trusting(authority) },
  };
  const typed_config = {
    "@type":
      "type.googleapis.com/envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport",
    config: { version: "V1" },
    transport_socket: inner,
  };
  const headgate = await start({
    proxied: { port: upstream.port, more: { transport_socket: { name: "proxy", typed_config } } },
  });
  const client = new Client(headgate);
  expect(await client.seen("proxied")).toMatchObject({ version: "TLSv1.2" });
  expect(await client.seen("proxied")).toMatchObject({ version: "TLSv1.2" });
  const [first, second] = upstream.lines;
  const port = (await headgate.listener()).split(":")[1] ?? "";
  expect(first).toMatch(new RegExp(`^PROXY TCP4 127.0.0.1 127.0.0.1 \\d+ ${port}\r\n$`));
  // Another client, and so another connection.
  expect(second).toBeDefined();
  expect(second).not.toBe(first);
});

test("HTTP/2 goes over TLS, too", async () => {
  const server = createSecureServer({ cert: leaf.chainPem, key: leaf.keyPem });
  server.on("sessionError", () => {});
  server.on("stream", (stream: ServerHttp2Stream) => {
    const { alpnProtocol, socket } = stream.session ?? {};
    const sni: unknown = socket === undefined ? "" : Reflect.get(socket, "servername");
    stream.respond({ ":status": 200, "content-type": "application/json" });
    stream.end(JSON.stringify({ alpn: alpnProtocol, sni }));
  });
  const local = new LocalServer(server as unknown as Server);
  servers.push(local);
  const options = { "@type": `type.googleapis.com/${HTTP_OPTIONS}`, ...http2 };
  const headgate = await start({
    two: {
      port: await local.listen(),
      tls: { sni: "good.test" },
      common: trusting(authority),
      more: { typed_extension_protocol_options: { [HTTP_OPTIONS]: options } },
    },
  });
  const client = new Client(headgate);
  expect(await client.seen("two")).toMatchObject({ alpn: "h2", sni: "good.test" });
  expect(await client.seen("two")).toMatchObject({ alpn: "h2" });
  expect(await headgate.stat("cluster.two.ssl.handshake")).toBe(1);
});

const openssl = spawnSync("openssl", ["version"]).status === 0;

test.runIf(openssl)("OpenSSL's own server is content, too", async () => {
  const cert = processes.scratch.write("leaf.pem", leaf.chainPem);
  const key = processes.scratch.write("leaf.key", leaf.keyPem);
  const args = ["s_server", "-accept", "0", "-www", "-cert", cert, "-key", key];
  const server = spawn("openssl", args, { stdio: ["ignore", "pipe", "ignore"] });
  try {
    let said = "";
    server.stdout.on("data", (data: Buffer) => (said += data.toString("latin1")));
    while (!/ACCEPT .*:\d+/.test(said)) await once(server.stdout, "data");
    const port = Number(/ACCEPT .*:(\d+)/.exec(said)?.[1]);
    const headgate = await start({
      v12: { port, tls: { sni: "good.test" }, common: trusting(authority) },
      v13: {
        port,
        common: {
          ...trusting(authority),
          tls_params: { tls_maximum_protocol_version: "TLSv1_3" },
        },
      },
    });
    const client = new Client(headgate);
    expect(await client.text("v12")).toContain("ECDHE-ECDSA-AES128-GCM-SHA256");
    expect(await client.text("v13")).toMatch(/New, TLSv1.3, Cipher is TLS_AES_\d+_GCM_SHA\d+/);
  } finally {
    server.kill();
  }
});

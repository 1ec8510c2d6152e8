// Properties as guests read them, in request headers, in the response, in on_log and in a tick.
import { expect, test } from "vitest";
import { ConnectionInfo } from "../core/connection-info.ts";
import { HeaderMap } from "../core/header-map.ts";
import { StreamInfo } from "../core/stream-info.ts";
import type { TlsInfo } from "../core/tls-info.ts";
import { answersOf, scriptedHost } from "./guest-script-for-test.ts";
import { metadataMessage } from "./metadata-message.ts";
import { findNodeField } from "./node-fields.ts";
import {
  booleanValue,
  integerValue,
  metadataValue,
  pairsValue,
  doubleValue,
} from "./property-value.ts";

/** What a request's properties answer, where it is not what is written here. */
async function differences(rows: Readonly<Record<string, string>>): Promise<string[]> {
  const paths = Object.keys(rows);
  const answers = await answersOf(
    paths.map((path) => `get_property ${path.replaceAll(".", "%00")}`),
    { rootId: "root", vmId: "vm" },
  );
  return paths.flatMap((path, i) =>
    answers[i] === rows[path] ? [] : [`${path} -> ${answers[i]}`],
  );
}

test("attributes of a request", async () => {
  const found = await differences({
    "request.path": "0 [/a?b=c]",
    "request.url_path": "0 [/a]",
    "request.query": "0 [b=c]",
    "request.host": "0 [example.com]",
    "request.scheme": "0 [http]",
    "request.method": "0 [GET]",
    "request.headers.x-a": "0 [1]",
    "request.headers.X-A": "0 [1]",
    "request.headers.nope": "1",
    "request.referer": "1",
    "request.id": "1",
    "request.protocol": "0 [HTTP/1.1]",
    "request.size": "0 [%00%00%00%00%00%00%00%00]",
    "request.total_size": "0 [9%00%00%00%00%00%00%00]",
    "request.duration": "1",
    "response.code": "1",
    "response.code_details": "1",
    "response.flags": "0 [%00%00%00%00%00%00%00%00]",
    "response.headers": "0 [%00%00%00%00]",
    "response.grpc_status": "1",
  });
  expect(found).toEqual([]);
});

test("attributes of connection, upstream and configuration", async () => {
  const found = await differences({
    "source.address": "0 [127.0.0.1:50000]",
    "source.port": "0 [P%c3%00%00%00%00%00%00]",
    "destination.address": "0 [127.0.0.1:10000]",
    "connection.id": "0 [%01%00%00%00%00%00%00%00]",
    connection_id: "0 [%01%00%00%00%00%00%00%00]",
    "connection.mtls": "0 [%00]",
    "connection.requested_server_name": "0 [0]",
    "connection.tls_version": "1",
    "upstream.address": "1",
    "upstream.transport_failure_reason": "1",
    "upstream.request_attempt_count": "0 [%00%00%00%00%00%00%00%00]",
    "xds.route_name": "1",
    "xds.listener_direction": "0 [%00%00%00%00%00%00%00%00]",
    "xds.node.id": "0 [test-node]",
    "xds.node.cluster": "0 [test-cluster]",
    "xds.node.metadata": "0 [%00%00%00%00]",
    "xds.node.locality": "0 [0]",
    plugin_name: "0 [filter]",
    plugin_root_id: "0 [root]",
    plugin_vm_id: "0 [vm]",
  });
  expect(found).toEqual([]);
});

test("paths that lead nowhere, to a group, or are empty", async () => {
  const found = await differences({
    nope: "1",
    request: "3",
    connection: "3",
    filter_state: "3",
    metadata: "0 [0]",
    "metadata.filter_metadata.x": "1",
    "request.path.x": "1",
    "request.nope": "1",
    "filter_state.x": "1",
  });
  expect(found).toEqual([]);
  expect(await answersOf(["get_property", "get_property request%00path%00"])).toEqual([
    "3",
    "0 [/a?b=c]",
  ]);
  // Dotted text is one segment.
  expect(await answersOf(["get_property request.path"])).toEqual(["1"]);
});

test("values of the guest's own, the whole path first", async () => {
  const operations = [
    "set_property my 1",
    "get_property my",
    "set_property my%00deep 2",
    "get_property my%00deep",
    "get_property my%00other",
    "get_property filter_state%00wasm.my",
    "get_property wasm.my",
  ];
  expect(await answersOf(operations)).toEqual(["0", "0 [1]", "0", "0 [2]", "0 [1]", "0 [1]", "1"]);
});

test("what is known of the response, and in on_log", async () => {
  const host = await scriptedHost([
    "response_headers get_property response%00code",
    "response_headers get_property response%00headers%00x-r",
    "response_headers get_property response%00grpc_status",
    "log get_property response%00code_details",
    "log get_property response%00size",
    "log get_property request%00path",
    "log get_property response%00trailers%00t",
    "log get_property xds%00virtual_host_name",
  ]);
  const { messages } = host.request({
    info: { virtualHostName: "vhost" },
    upstream: { status: 404, headers: { "x-r": ["a", "b"] }, body: "xyz", trailers: { t: "1" } },
  });
  expect(
    messages.filter((line) => line.includes("->")).map((line) => line.split(" -> ")[1]),
  ).toEqual([
    "0 [%94%01%00%00%00%00%00%00]",
    "0 [a,b]",
    "0 [%0c%00%00%00%00%00%00%00]",
    "0 [via_upstream]",
    "0 [%03%00%00%00%00%00%00%00]",
    "0 [/]",
    "0 [1]",
    "0 [vhost]",
  ]);
  host.close();
});

test("a tick has no stream, but its plugin and the node", async () => {
  const host = await scriptedHost([
    "configure set_tick_period 50",
    "tick#1 get_property request%00path",
    "tick#1 get_property plugin_name",
    "tick#1 get_property xds%00node%00id",
    "tick#1 set_property a b",
  ]);
  host.tick(60);
  expect(host.logs.slice(-4).map((line) => line.message)).toEqual([
    "  get_property request%00path -> 1",
    "  get_property plugin_name -> 0 [filter]",
    "  get_property xds%00node%00id -> 0 [test-node]",
    "  set_property a b -> 1",
  ]);
  host.close();
});

test("encodings of values", () => {
  expect(Buffer.from(integerValue(-2), "latin1").readBigInt64LE()).toBe(-2n);
  expect(booleanValue(true)).toBe("\x01");
  expect(pairsValue([])).toBe("\0\0\0\0");
  expect(metadataValue(3.5)).toBe(doubleValue(3.5));
  expect(Buffer.from(doubleValue(3.5), "latin1").readDoubleLE()).toBe(3.5);
  expect(metadataValue("ä")).toBe("\xc3\xa4");
  expect(metadataValue(null)).toBe(undefined);
  expect(metadataValue(["a", 1])).toBe(pairsValue(["a", "", doubleValue(1), ""]));
  expect(metadataValue({ a: true })).toBe(pairsValue(["a", "\x01"]));
});

test("dynamic metadata as a message", () => {
  const metadata = new Map([["ns", new Map<string, unknown>([["k", "v"]])]]);
  // Metadata { filter_metadata { key: "ns" value { fields { key: "k" value { "v" } } } } }
  const expected = [0x0a, 0x10, 0x0a, 2, 0x6e, 0x73, 0x12, 0x0a];
  const struct = [0x0a, 0x08, 0x0a, 1, 0x6b, 0x12, 3, 0x1a, 1, 0x76];
  expect([...metadataMessage(metadata)]).toEqual([...expected, ...struct]);
  expect(metadataMessage(null).length).toBe(0);
});

test("metadata of the node", () => {
  // Node { metadata { fields { key: "k" value { string_value: "v" } } } locality { zone: "z" } }
  const struct = [0x0a, 0x08, 0x0a, 1, 0x6b, 0x12, 3, 0x1a, 1, 0x76];
  const serialized = Uint8Array.from([0x1a, 0x0a, ...struct, 0x22, 3, 0x12, 1, 0x7a]);
  const node = { id: "n", cluster: "c", zone: "z", region: "r", subZone: "", serialized };
  expect(findNodeField(node, ["metadata", "k"])).toBe("v");
  expect(findNodeField(node, ["metadata", "nope"])).toBe(undefined);
  expect(findNodeField(node, ["metadata"])).toBe(pairsValue(["k", "v"]));
  expect(findNodeField(node, ["locality"])).toBe("\x12\x01z");
  expect(findNodeField(node, ["locality", "region"])).toBe("r");
  expect(findNodeField(node, ["id"])).toBe("n");
});

test("an access logger's stream is the root context's while it is told", async () => {
  const host = await scriptedHost([
    "log get_property request%00path",
    "log get_header_map_value 0 :path",
    "log get_header_map_value 3 x",
    "log get_property response%00code",
  ]);
  const headers = new HeaderMap();
  headers.path = "/logged";
  const info = new StreamInfo();
  info.responseCode = 204;
  host.plugin.createAccessLogger().log(info, headers, null, null);
  expect(host.logs.slice(-5).map((line) => line.message)).toEqual([
    "log(1)",
    "  get_property request%00path -> 0 [/logged]",
    "  get_header_map_value 0 :path -> 0 [/logged]",
    "  get_header_map_value 3 x -> 1",
    "  get_property response%00code -> 0 [%cc%00%00%00%00%00%00%00]",
  ]);
  host.close();
});

/** What an access logger's guest reads of a stream. */
async function readOf(info: StreamInfo, paths: readonly string[]): Promise<string[]> {
  const escaped = paths.map((path) => path.replaceAll(".", "%00"));
  const host = await scriptedHost(escaped.map((path) => `log get_property ${path}`));
  host.plugin.createAccessLogger().log(info, new HeaderMap(), null, null);
  const told = host.logs
    .map((line) => line.message.split(" -> ")[1])
    .filter((t) => t !== undefined);
  host.close();
  return told;
}

function streamInfo(): StreamInfo {
  const address = { ip: "127.0.0.1", port: 1 };
  const info = new StreamInfo();
  info.reset(new ConnectionInfo(1, address, address, 0), 1, 0);
  return info;
}

test("what is known of the cluster and of the host", async () => {
  const info = streamInfo();
  const paths = [
    "upstream.num_endpoints",
    "upstream.locality",
    "xds.upstream_host_metadata",
    "xds.upstream_host_locality_metadata",
    "upstream_filter_state",
  ];
  expect(await readOf(info, paths)).toEqual(["1", "1", "1", "1", "1"]);
  const bytes = metadataMessage(new Map([["ns", new Map<string, unknown>([["k", "v"]])]]));
  info.clusterInfo = { metadata: new Uint8Array(0), hostCount: 3 };
  const host = { addressText: "127.0.0.1:80", hostname: "", region: "r", zone: "", subZone: "s" };
  info.setUpstreamHost({ ...host, metadata: null, localityMetadata: bytes });
  expect(await readOf(info, paths)).toEqual([
    "0 [%03%00%00%00%00%00%00%00]",
    "0 [%0a%01r%1a%01s]",
    "3",
    "0 [%0a%10%0a%02ns%12%0a%0a%08%0a%01k%12%03%1a%01v]",
    "3",
  ]);
});

test("metadata of listener, route, virtual host and cluster, by today's names and the old ones", async () => {
  const info = streamInfo();
  const bytes = metadataMessage(new Map([["ns", new Map<string, unknown>([["k", "v"]])]]));
  const whole = "0 [%0a%10%0a%02ns%12%0a%0a%08%0a%01k%12%03%1a%01v]";
  const paths = ["listener", "route", "virtual_host", "cluster"].map((of) => `xds.${of}_metadata`);
  // Nothing was routed: of the listener there is an empty one.
  expect(await readOf(info, paths)).toEqual(["0 [0]", "1", "1", "1"]);
  info.virtualHostName = "v";
  info.routeMetadata = bytes;
  info.virtualHostMetadata = bytes;
  info.clusterInfo = { metadata: bytes, hostCount: 3 };
  (info.connection as ConnectionInfo).listenerMetadata = bytes;
  expect(await readOf(info, paths)).toEqual([whole, whole, whole, whole]);
  const keys = paths.map((path) => `${path}.filter_metadata.ns.k`);
  expect(await readOf(info, keys)).toEqual(keys.map(() => "0 [v]"));
  const old = ["route_metadata", "cluster_metadata.filter_metadata.ns.k", "listener_metadata"];
  expect(await readOf(info, old)).toEqual([whole, "0 [v]", whole]);
  const wrong = ["", "none", "ns", "filter_metadata.none", "filter_metadata.ns.none"];
  expect(
    await readOf(
      info,
      wrong.map((rest) => `xds.route_metadata.${rest}x`),
    ),
  ).toEqual(wrong.map(() => "1"));
});

test("numbers, lists, null and all namespaces in metadata are told as Envoy 1.40 does", async () => {
  const values = new Map<string, unknown>([
    ["n", 1.5],
    ["l", ["a", 2]],
    ["z", null],
    ["o", { k: "v" }],
  ]);
  const info = streamInfo();
  info.virtualHostName = "v";
  info.dynamicMetadata = new Map([["ns", values]]);
  info.routeMetadata = metadataMessage(info.dynamicMetadata);
  for (const top of ["metadata", "xds.route_metadata"]) {
    const at = (rest: string): string => `${top}.filter_metadata${rest}`;
    const told = await readOf(info, [at(".ns.n"), at(".ns.l.0"), at(".ns.z"), at(".ns.o.k")]);
    expect([top, ...told]).toEqual([top, "0 [%00%00%00%00%00%00%f8?]", "0 [a]", "3", "0 [v]"]);
    const [list, all, rest] = await readOf(info, [at(".ns.l"), at(""), at(".ns.o")]);
    expect(list).toMatch(/^0 \[%02%00%00%00%01%00%00%00%00%00%00%00%08%00%00%00%00/);
    expect(rest).toBe("0 [%01%00%00%00%01%00%00%00%01%00%00%00k%00v%00]");
    // What holds a null has no form.
    expect(all).toBe("3");
  }
});

test("the listener's direction is a number", async () => {
  const info = streamInfo();
  (info.connection as ConnectionInfo).listenerDirection = 2;
  expect(await readOf(info, ["xds.listener_direction"])).toEqual(["0 [%02%00%00%00%00%00%00%00]"]);
});

test("certificates of both sides", async () => {
  const certificate = { subject: "CN=a", dnsNames: ["x", "y"], uris: [], sha256: "ab" };
  const tls = { version: "TLSv1.3", isPeerPresented: true, local: null, peer: certificate };
  const info = streamInfo();
  (info.connection as ConnectionInfo).tls = tls as unknown as TlsInfo;
  info.upstreamTls = tls as unknown as TlsInfo;
  const names = [
    "tls_version",
    "subject_local_certificate",
    "subject_peer_certificate",
    "dns_san_peer_certificate",
    "dns_san_local_certificate",
    "uri_san_peer_certificate",
    "sha256_peer_certificate_digest",
  ];
  const expected = ["0 [TLSv1.3]", "0 [0]", "0 [CN=a]", "0 [x]", "1", "1", "0 [ab]"];
  expect(
    await readOf(
      info,
      names.map((name) => `connection.${name}`),
    ),
  ).toEqual(expected);
  expect(
    await readOf(
      info,
      names.map((name) => `upstream.${name}`),
    ),
  ).toEqual(expected);
  expect(await readOf(info, ["connection.mtls"])).toEqual(["0 [%01]"]);
  (info.connection as ConnectionInfo).tls = null;
  expect(await readOf(info, ["connection.subject_peer_certificate"])).toEqual(["1"]);
});

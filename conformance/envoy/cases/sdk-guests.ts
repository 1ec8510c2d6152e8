// The guests of the SDK's tests behave in Headgate as they do in Envoy: each has a few requests here.
import { cluster, httpCluster } from "../bootstrap.ts";
import {
  type Case,
  type Connection,
  get,
  type Group,
  type JsonObject,
  type Piece,
  post,
  type Reply,
  reply,
  request,
  type Site,
  type Stream,
} from "../case.ts";
import { fieldChain, fieldNetworkFilter, type PluginOptions } from "../field-guest.ts";
import { SDK_GUESTS, sdkCase, sdkPlugin, type SdkRow } from "../sdk-modules.ts";

function http(guest: string, options: PluginOptions = {}): Site {
  return { hcm: fieldChain(sdkPlugin(guest, options)) };
}

function tcp(options: PluginOptions = {}): Site {
  return { before: [fieldNetworkFilter(sdkPlugin("tcp", options))], tcp: {} };
}

function direct(status: number): readonly JsonObject[] {
  const routes = [{ match: { prefix: "/" }, direct_response: { status } }];
  return [{ name: "all", domains: ["*"], routes }];
}

const AUTH_RULES = [
  { prefix: "/open", mode: "allow" },
  { prefix: "/closed", mode: "deny" },
];

const SITES: Readonly<Record<string, Site>> = {
  main: {},
  auth: http("auth", { struct: { cluster: "auth", timeoutMs: 10_000, rules: AUTH_RULES } }),
  auth_dead: http("auth", { configuration: '{"cluster":"dead","realm":"r"}' }),
  bodies: http("bodies"),
  calls: http("calls"),
  decorated: http("decorated", {
    rootId: "decorated",
    struct: { name: "grün", wait: "5s", ratio: 0.25, rules: [{ prefix: "/a" }] },
  }),
  grpc: http("grpc"),
  header: http("header", { configuration: "none" }),
  hostile: http("hostile", { configuration: "tcp", vmId: "hostile" }),
  kit: http("kit"),
  plain: http("plain"),
  probe: http("probe", { configuration: '{"name":"n","routes":[{"prefix":"/"}]}', vmId: "first" }),
  probe_second: http("probe", { rootId: "zweite Würzel", vmId: "second" }),
  tcp: tcp(),
  says_yes: { virtualHosts: direct(200) },
  says_no: { virtualHosts: direct(403) },
  tcp_yes: tcp({ configuration: "yes" }),
  tcp_no: tcp({ configuration: "no" }),
  values: http("values"),
};

const NO = reply("401 Unauthorized", "");
const SAID = reply("200 OK", "kim", "X-N: 1");
const CHUNKED: Reply = {
  steps: [
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
    "3\r\nabc\r\n",
    "0\r\nx-trailer: 1\r\nx-many: first\r\n\r\n",
  ],
};

function chunked(path: string, ...pieces: readonly string[]): string {
  const chunks = pieces.map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`).join("");
  return `${request(`POST ${path} HTTP/1.1`, "Transfer-Encoding: chunked")}${chunks}0\r\nX-T: 1\r\n\r\n`;
}

const TOKEN = "Authorization: Bearer a";

const AUTH: readonly SdkRow[] = [
  ["auth", "a rule lets pass", get("/open/a")],
  ["auth", "a rule denies", get("/closed/a")],
  ["auth", "no token", get("/a")],
  ["auth", "a call lets pass", get("/a", TOKEN), [SAID]],
  ["auth", "a call denies", get("/a", TOKEN), [NO]],
  ["auth_dead", "a call that nobody answers", get("/a", TOKEN)],
];

const BODIES: readonly SdkRow[] = [
  ["bodies", "is replaced", post("/reverse", "abc")],
  ["bodies", "in pieces and with trailers, grows", chunked("/double", "ab", "cd")],
  ["bodies", "is taken away", post("/empty", "abc")],
  ["bodies", "keeps its length", post("/same", "abc")],
  ["bodies", "is answered", post("/denied", "abc")],
  ["bodies", "is too large by its length", post("/reverse", "x".repeat(21))],
  ["bodies", "is too large in pieces", chunked("/reverse", "x".repeat(15), "y".repeat(15))],
  ["bodies", "is too large, and passes", post("/large", "x".repeat(21))],
  ["bodies", "waits behind its headers", post("/held", "abc"), [SAID]],
  ["bodies", "of a response is wrapped", get("/response"), [CHUNKED]],
  ["bodies", "of a response is too large", get("/response"), [reply("200 OK", "x".repeat(21))]],
];

const CALLS: readonly SdkRow[] = [
  ["calls", "a call lets pass", get("/check"), [SAID]],
  ["calls", "a call denies", get("/check"), [reply("403 Forbidden", "no")]],
  ["calls", "two calls at a time", get("/two"), [SAID, SAID]],
  ["calls", "three gathered, one refused", get("/gather"), [SAID, SAID]],
  ["calls", "a cluster that there is not", get("/nowhere")],
  ["calls", "refused calls, again and again", get("/again")],
  ["calls", "a header that no call may have", get("/header")],
  ["calls", "calls in a response", get("/response"), [reply("200 OK", "", "X-Ask: 1"), SAID, SAID]],
];

const GRPC: readonly SdkRow[] = [
  ["grpc", "an answer", get("/users"), [], { grpc: [{ messages: ["pong"] }] }],
  ["grpc", "a status", get("/users"), [], { grpc: [{ status: 7, text: "not you" }] }],
  ["grpc", "metadata that no call may have", get("/bad")],
  [
    "grpc",
    "a stream",
    get("/stream"),
    [],
    { grpc: [{ messages: ["m1", "m2"], metadata: { "x-init": "i" }, trailers: { "x-sum": "s" } }] },
  ],
  ["grpc", "a cluster that there is not", get("/nowhere")],
];

const HOSTILE: readonly SdkRow[] = [
  ["hostile", "a plain request", get("/a", "X-Value: v"), [CHUNKED]],
  ["hostile", "an answer made of nonsense", get("/a", "X-Mode: r", "X-Value: a:b\tc")],
  ["hostile", "a call made of nonsense", get("/a", "X-Mode: cx", "X-Value: nowhere"), [CHUNKED]],
  ["hostile", "a body that is changed", chunked("/a", "12345"), [CHUNKED]],
];

const HEADERS: readonly SdkRow[] = [
  ["header", "a header is copied", get("/a", "User-Agent: ua")],
  ["header", "a header that is not there", get("/a")],
  ["plain", "a header is copied", get("/a", "User-Agent: \xc3\xbc")],
  ["plain", "a header that is not there", get("/a")],
  ["decorated", "a decorated filter with a Struct", get("/a")],
];

const KIT: readonly SdkRow[] = [
  ["kit", "all of it on plain text", get("/a?of=1", "X-Input: hello, world")],
  ["kit", "all of it on JSON", get("/a", 'X-Input: {"id":12345678901234567890,"a":[1.5,null]}')],
  [
    "kit",
    "all of it on what is odd",
    get("/a%zz/../b", "X-Input: %e4\xc3\xa4=\x80; a=b; 10.0.0.1"),
  ],
];

const PROBE: readonly SdkRow[] = [
  ["probe", "headers are changed", get("/change", "X-Many: first", "X-Gone: 1"), [CHUNKED]],
  ["probe", "bytes are moved", get("/bytes", "X-Raw: \xff\xfe"), [CHUNKED]],
  ["probe", "bad headers are refused", get("/refuse"), [CHUNKED]],
  ["probe", "an answer of its own", get("/reply")],
  ["probe", "bytes and a status that is none", get("/reply-bytes")],
  ["probe", "levels of the log", get("/log"), [CHUNKED]],
  ["probe", "a body in pieces", chunked("/a", "grow"), [CHUNKED]],
  ["probe_second", "another plugin of the module", get("/a"), [CHUNKED]],
];

const VALUES: readonly SdkRow[] = [
  ["values", "no shared value", get("/get")],
  ["values", "a shared value is set", get("/set")],
  ["values", "and read", get("/get")],
  ["values", "compare and swap", get("/cas")],
  ["values", "a change by a function", get("/update")],
  ["values", "a change that others make first", get("/contended")],
  ["values", "a shared counter", get("/counter")],
  ["values", "a queue", get("/queue")],
  ["values", "foreign functions", get("/foreign")],
  ["values", "labels", get("/labels", "X-Route: a.b/c")],
  ["values", "a structured line", get("/log", 'X-Value: a b="c"')],
];

const OK: readonly Stream[] = [{ steps: [{ awaitText: "\n" }, "ok"] }];

const TCP: readonly Case[] = [
  {
    id: "sdk-tcp-line",
    title: "tcp: a line goes on with its length in front",
    connections: raw("tcp", "ab\n", { awaitText: "ok" }, { fin: true }),
    streams: OK,
  },
  {
    id: "sdk-tcp-pieces",
    title: "tcp: a line in pieces",
    connections: raw("tcp", "a", { pauseMs: 80 }, "b\n", { awaitText: "ok" }, { fin: true }),
    streams: OK,
  },
  {
    id: "sdk-tcp-quit",
    title: "tcp: the filter ends the connection",
    // Behind the upstream's connection.
    connections: raw("tcp", { pauseMs: 200 }, "quit\n", { awaitEnd: true }),
    streams: [{ steps: [] }],
  },
  {
    id: "sdk-tcp-asked-yes",
    title: "tcp: a call lets the connection begin",
    connections: raw("tcp_yes", { pauseMs: 200 }, "ab\n", { awaitText: "ok" }, { fin: true }),
    streams: OK,
  },
  {
    id: "sdk-tcp-asked-no",
    title: "tcp: a call ends it",
    connections: raw("tcp_no", { awaitEnd: true }),
    streams: [],
  },
];

function raw(site: string, ...send: readonly Piece[]): readonly Connection[] {
  return [{ site, raw: true, send }];
}

export const sdkGuests: Group = {
  id: "sdk-guests",
  title: "the guests of the SDK's tests",
  guests: true,
  // The probe says so four times a second, whatever else happens.
  ignoredGuestLines: ": tick$",
  grpc: true,
  stats: "wasmcustom\\.",
  modules: SDK_GUESTS,
  sites: SITES,
  clusters: [
    cluster("auth", ["$up:other"]),
    cluster("yes", ["$port:says_yes"]),
    cluster("no", ["$port:says_no"]),
    httpCluster("users", ["$up:grpc"], { http2_protocol_options: {} }),
  ],
  cases: [
    ...[AUTH, BODIES, CALLS, GRPC, HOSTILE, HEADERS, KIT, PROBE, VALUES].flat().map(sdkCase),
    ...TCP,
  ],
};

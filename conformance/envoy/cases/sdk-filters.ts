// The SDK's templates and the filters of examples/ behave in Headgate as they do in Envoy.
import { createHmac } from "node:crypto";
import { cluster } from "../bootstrap.ts";
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
import { fieldChain, fieldNetworkFilter } from "../field-guest.ts";
import { SDK_FILTERS, sdkCase, sdkPlugin, type SdkRow } from "../sdk-modules.ts";

function http(name: string, struct?: JsonObject, more: JsonObject = {}): Site {
  return { hcm: fieldChain(sdkPlugin(name, struct === undefined ? { more } : { struct, more })) };
}

function tcp(name: string, struct: JsonObject): Site {
  return { before: [fieldNetworkFilter(sdkPlugin(name, { struct }))], tcp: {} };
}

/** Longer than a busy machine may take. */
const TIMEOUT = { timeoutMs: "10s" };
const WEBHOOK_KEY = "a key of this group";

const SITES: Readonly<Record<string, Site>> = {
  main: {},
  t_headers: http("template-headers", { set: { "x-a": "1" }, remove: ["x-gone"] }),
  t_auth: http("template-auth", { keys: [{ user: "kim", key: "0123456789abcdef" }] }),
  t_body: http("template-body", { find: "cat", replace: "tiger" }),
  t_callout: http("template-callout", { cluster: "auth", ...TIMEOUT }),
  t_callout_dead: http("template-callout", { cluster: "dead" }),
  t_tcp: tcp("template-tcp", { prefix: "HELO " }),
  hello_world: http("example-hello-world", { greeting: "hello" }),
  quickstart: http("example-quickstart", { greeting: "hi" }),
  hot_loading: http("example-hot-loading"),
  auth_callout: http("example-auth-callout", { cluster: "auth", keepMs: "1h", ...TIMEOUT }),
  auth_callout_dead: http("example-auth-callout", { cluster: "dead", keepMs: "0s" }),
  body_rewrite: http("example-body-rewrite", { mask: ["password"] }),
  rate_limit: http("example-rate-limit", { requests: 1, windowMs: "24h" }),
  same_module: http(
    "example-same-module",
    { key: WEBHOOK_KEY },
    { allow_on_headers_stop_iteration: true },
  ),
  tcp_filter: tcp("example-tcp-filter", { commands: ["get"], lineBytesMax: "32B" }),
};

const KIM = reply("200 OK", "", "X-User: kim");
const NO = reply("401 Unauthorized", "");
const JSON_TYPE = "Content-Type: application/json";
const KEY = "X-Api-Key: 0123456789abcdef";

function sign(body: string): string {
  return `X-Signature: sha256=${createHmac("sha256", WEBHOOK_KEY).update(body).digest("hex")}`;
}

const TEMPLATES: readonly SdkRow[] = [
  [
    "t_headers",
    "sets and removes",
    get("/a", "X-Filtered-By: me"),
    [reply("200 OK", "ok", "X-Gone: 1", "X-A: 0", "X-A: 2")],
  ],
  ["t_auth", "a known key", get("/a", KEY, "X-User: admin")],
  ["t_auth", "an unknown key", get("/a", "X-Api-Key: 0")],
  ["t_auth", "no key", get("/a")],
  [
    "t_body",
    "text is replaced",
    get("/a"),
    [reply("200 OK", "a cat, a cat", "Content-Type: text/plain")],
  ],
  ["t_body", "other types pass", get("/a"), [reply("200 OK", "a cat", "Content-Type: image/png")]],
  [
    "t_body",
    "what is compressed passes",
    get("/a"),
    [reply("200 OK", "a cat", "Content-Type: text/plain", "Content-Encoding: br")],
  ],
  ["t_callout", "lets pass", get("/a", "Authorization: a", "X-User: admin"), [KIM]],
  ["t_callout", "denies", get("/a", "Authorization: a"), [NO]],
  ["t_callout", "does not ask without a token", get("/a")],
  ["t_callout_dead", "nobody answers", get("/a", "Authorization: a")],
];

/** Only its beginning is sent: bytes that nobody reads would make a reset of the close. */
const TOO_MUCH = request("POST /a HTTP/1.1", JSON_TYPE, "Content-Length: 70000");
const JSON_SECRET = '{"id":12345678901234567890,"a":[{"password":1},"password"],"é":"\\u00e9"}';
const JSON_ANSWER: Reply = reply("200 OK", Buffer.from(JSON_SECRET).toString("latin1"), JSON_TYPE);

const EXAMPLES: readonly SdkRow[] = [
  ["hello_world", "greets the world", get("/")],
  ["hello_world", "greets by name", get("/?name=a%20b")],
  ["hello_world", "a long name", get(`/?name=${"x".repeat(21)}`)],
  ["quickstart", "greets", get("/a")],
  ["quickstart", "answers by itself", get("/teapot")],
  ["hot_loading", "greets", get("/a")],
  ["hot_loading", "greets what is not found", get("/a"), [reply("404 Not Found", "no")]],
  ["auth_callout", "asks", get("/a", "Authorization: kim"), [KIM]],
  ["auth_callout", "keeps what was said", get("/a", "Authorization: kim")],
  ["auth_callout", "asks about another", get("/a", "Authorization: eve"), [NO]],
  ["auth_callout", "keeps a no", get("/a", "Authorization: eve")],
  ["auth_callout", "without a token", get("/a")],
  ["auth_callout_dead", "nobody answers", get("/a", "Authorization: kim")],
  ["body_rewrite", "masks", get("/a"), [JSON_ANSWER]],
  ["body_rewrite", "hides what is no JSON", get("/a"), [reply("200 OK", "{", JSON_TYPE)]],
  ["body_rewrite", "lets text pass", get("/a"), [reply("200 OK", "{", "Content-Type: text/plain")]],
  ["body_rewrite", "lets JSON pass", post("/a", "[1]", JSON_TYPE)],
  ["body_rewrite", "refuses what is no JSON", post("/a", "[1", JSON_TYPE)],
  ["body_rewrite", "refuses what is too much", `${TOO_MUCH}[`],
  [
    "rate_limit",
    "counts by key",
    get("/a", "X-Api-Key: kim") + get("/b", "X-Api-Key: kim"),
    [],
    { connections: [pair("rate_limit", get("/a", "X-Api-Key: a") + get("/b", "X-Api-Key: a"))] },
  ],
  [
    "rate_limit",
    "counts by address",
    "",
    [],
    { connections: [pair("rate_limit", get("/a") + get("/b"))] },
  ],
  ["same_module", "a signed body", post("/a", "{}", sign("{}"))],
  ["same_module", "a body that was signed otherwise", post("/a", "{ }", sign("{}"))],
  ["same_module", "no body", get("/a", sign(""))],
  ["same_module", "no signature", post("/a", "{}")],
  ["same_module", "too much", `${request("POST /a HTTP/1.1", sign(""), "Content-Length: 17000")}x`],
];

/** Two requests in one write. */
function pair(site: string, text: string): Connection {
  return { site, send: [text], responses: 2 };
}

function raw(site: string, ...send: readonly Piece[]): readonly Connection[] {
  return [{ site, raw: true, send }];
}

const OK: readonly Stream[] = [{ steps: [{ awaitText: "\n" }, "ok"] }];

const TCP: readonly Case[] = [
  {
    id: "sdk-t-tcp-passes",
    title: "t_tcp: the right beginning, in pieces",
    connections: raw(
      "t_tcp",
      "HE",
      { pauseMs: 80 },
      "LO kim\n",
      { awaitText: "ok" },
      { fin: true },
    ),
    streams: OK,
  },
  {
    id: "sdk-t-tcp-closes",
    title: "t_tcp: another beginning",
    connections: raw("t_tcp", "GET / HTTP/1.1\n", { awaitEnd: true }),
    streams: [{ steps: [] }],
  },
  {
    id: "sdk-tcp-filter-passes",
    title: "tcp_filter: an allowed command",
    connections: raw("tcp_filter", "GET a\n", { awaitText: "ok" }, { fin: true }),
    streams: OK,
  },
  {
    id: "sdk-tcp-filter-denies",
    title: "tcp_filter: another command behind it",
    connections: raw("tcp_filter", "get a\nset a\n", { awaitEnd: true }),
    streams: [{ steps: [] }],
  },
  {
    id: "sdk-tcp-filter-cut-off",
    title: "tcp_filter: a line that the client's end cuts off",
    connections: raw("tcp_filter", "get a", { pauseMs: 80 }, { fin: true }, { awaitEnd: true }),
    streams: [{ steps: [] }],
  },
];

export const sdkFilters: Group = {
  id: "sdk-filters",
  title: "templates of the SDK, filters of the examples",
  guests: true,
  stats: "wasmcustom\\.",
  modules: SDK_FILTERS,
  sites: SITES,
  clusters: [cluster("auth", ["$up:other"])],
  cases: [...TEMPLATES.map(sdkCase), ...EXAMPLES.map(sdkCase), ...TCP],
};

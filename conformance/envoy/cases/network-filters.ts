// Network filters besides the two large ones: echo, direct_response; and when a TCP proxy writes its
// log lines.
import { cluster } from "../bootstrap.ts";
import type { Case, Connection, Group, JsonObject, Piece, Site, Stream } from "../case.ts";

const FILTERS = "type.googleapis.com/envoy.extensions.filters.network";

function raw(site: string, ...send: readonly Piece[]): readonly Connection[] {
  return [{ site, raw: true, send }];
}

const LARGE = "0123456789abcdef".repeat(20_000);
/** Of 200 ms; two at least are seen on a machine that is late with everything. */
const SIX_FLUSHES_MS = 1200;
const PING: readonly Stream[] = [{ steps: [{ awaitText: "ping" }, "pong"] }];

const small: readonly Case[] = [
  {
    id: "echo",
    title: "echo says everything back, then FIN for FIN",
    connections: raw(
      "echo",
      "one",
      { awaitText: "one" },
      "two",
      { awaitText: "two" },
      { fin: true },
    ),
    streams: [],
  },
  {
    id: "echo-large",
    title: "echo: 320 KB and the end",
    connections: raw(
      "echo",
      `${LARGE}end`,
      { awaitText: "end" },
      { fin: true },
      { awaitEnd: true },
    ),
    streams: [],
  },
  {
    id: "echo-fin-with-bytes",
    title: "echo: the FIN comes along with the bytes",
    connections: raw("echo", "last", { fin: true }, { awaitEnd: true }),
    streams: [],
  },
  {
    id: "echo-fin-only",
    title: "echo: nothing but a FIN",
    connections: raw("echo", { fin: true }, { awaitEnd: true }),
    streams: [],
  },
  {
    id: "echo-reset",
    title: "echo: a reset",
    connections: raw("echo", "one", { awaitText: "one" }, { reset: true }),
    streams: [],
  },
  {
    id: "direct-tcp",
    title: "direct_response: its text, then the end",
    connections: raw("direct", { awaitEnd: true }),
    streams: [],
  },
  {
    id: "direct-tcp-empty",
    title: "direct_response without a text: closed",
    connections: raw("directempty", { awaitEnd: true }),
    streams: [],
  },
  {
    id: "direct-tcp-file",
    title: "direct_response from a file",
    connections: raw("directfile", { awaitEnd: true }),
    streams: [],
  },
];

const logs: readonly Case[] = [
  {
    id: "tcp-log-start",
    title: "flush_access_log_on_start: a line before anything",
    connections: raw("logstart", "ping", { awaitText: "pong" }, { fin: true }),
    streams: PING,
  },
  {
    id: "tcp-log-connected",
    title: "flush_access_log_on_connected: a line when the upstream is there",
    connections: raw("logconnected", "ping", { awaitText: "pong" }, { fin: true }),
    streams: PING,
  },
  {
    id: "tcp-log-connected-dead",
    title: "flush_access_log_on_connected: no such line when it never is",
    connections: raw("logdead", { awaitEnd: true }),
    streams: [],
  },
  {
    id: "tcp-log-periodic",
    title: "access_log_flush_interval: lines on the way, with what has come so far",
    connections: raw(
      "logperiodic",
      "ping",
      { awaitText: "pong" },
      { pauseMs: SIX_FLUSHES_MS },
      { fin: true },
    ),
    streams: PING,
  },
  {
    id: "tcp-log-deprecated",
    title: "the deprecated fields of the same",
    connections: raw(
      "logdeprecated",
      "ping",
      { awaitText: "pong" },
      { pauseMs: SIX_FLUSHES_MS },
      { fin: true },
    ),
    streams: PING,
  },
];

const MORE = "one two three four ".repeat(20);

const others: readonly Case[] = [
  {
    id: "tcp-unix-upstream-dead",
    title: "a unix socket that is not there: UF",
    connections: raw("nounix", { awaitEnd: true }),
    streams: [],
  },
  {
    id: "tcp-early-bytes",
    title: "bytes and FIN before the upstream is there",
    connections: raw("plain", MORE, { fin: true }, { awaitEnd: true }),
    streams: [{ steps: [{ awaitEnd: true }, "all heard"] }],
  },
  {
    id: "tcp-upstream-closes-at-once",
    title: "an upstream that ends before it is asked",
    connections: raw("plain", { awaitEnd: true }),
    streams: [{ steps: [], after: "close" }],
  },
  {
    id: "tcp-upstream-resets-at-once",
    title: "an upstream that resets before it is asked",
    connections: raw("plain", { awaitEnd: true }),
    streams: [{ steps: [{ pauseMs: 30 }], after: "reset" }],
  },
  {
    id: "tcp-both-half-close",
    title: "both ends end at the same time",
    connections: raw("plain", "ping", { awaitText: "pong" }, { fin: true }, { awaitEnd: true }),
    streams: [{ steps: [{ awaitText: "ping" }, "pong", { fin: true }] }],
  },
  {
    id: "tcp-small-buffer",
    title: "per_connection_buffer_limit_bytes of 16: every byte passes",
    // Each counts its own pauses: what the kernel takes is not buffered here.
    ignoreStats: true,
    connections: raw("smallbuffer", LARGE, "end", { awaitText: "END" }, { fin: true }),
    streams: [{ steps: [{ awaitText: "end" }, LARGE, "END"] }],
  },
];

function filter(name: string, type: string, fields: JsonObject = {}): JsonObject {
  return { name, typed_config: { "@type": `${FILTERS}.${type}`, ...fields } };
}

function direct(response: JsonObject): Site {
  return { filters: [filter("direct", "direct_response.v3.Config", { response })] };
}

const logFormat: JsonObject = {
  text_format_source: {
    inline_string:
      "%ACCESS_LOG_TYPE%|%RESPONSE_FLAGS%|%BYTES_RECEIVED%|%BYTES_SENT%|%UPSTREAM_CLUSTER%|" +
      "%UPSTREAM_HOST%|%UPSTREAM_REQUEST_ATTEMPT_COUNT%\n",
  },
};

function logged(options: JsonObject, more: JsonObject = {}): Site {
  return { logFormat, tcp: { access_log_options: options, ...more } };
}

export const networkFilters: Group = {
  id: "network-filters",
  title: "echo, direct_response, moments of a TCP proxy's log",
  stats: "tcp\\.|listener\\.",
  files: { "answer.txt": "from a file\n" },
  sites: {
    echo: { filters: [filter("echo", "echo.v3.Echo")] },
    direct: direct({ inline_string: "220 busy\n" }),
    directempty: { filters: [filter("direct", "direct_response.v3.Config")] },
    directfile: direct({ filename: "$DIR/answer.txt" }),
    logstart: logged({ flush_access_log_on_start: true }),
    logconnected: logged({ flush_access_log_on_connected: true }),
    logdead: logged({ flush_access_log_on_connected: true }, { cluster: "dead" }),
    logperiodic: { ...logged({ access_log_flush_interval: "0.2s" }), joinsLogLines: true },
    logdeprecated: {
      joinsLogLines: true,
      logFormat,
      tcp: { access_log_flush_interval: "0.2s", flush_access_log_on_connected: true },
    },
    nounix: { tcp: { cluster: "nounix" } },
    plain: { tcp: {} },
    smallbuffer: { tcp: { cluster: "small" }, listener: { per_connection_buffer_limit_bytes: 16 } },
  },
  clusters: [
    cluster("small", ["$up:up"], { per_connection_buffer_limit_bytes: 16 }),
    {
      ...cluster("nounix", []),
      load_assignment: {
        cluster_name: "nounix",
        endpoints: [
          { lb_endpoints: [{ endpoint: { address: { pipe: { path: "$DIR/nobody.sock" } } } }] },
        ],
      },
    },
  ],
  cases: [...small, ...logs, ...others],
};

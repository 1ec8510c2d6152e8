// Connections that end, break or stay too long, on either side, at times that other groups do not
// have: while a stream runs, while a filter holds it, between requests.
import { cluster } from "../bootstrap.ts";
import {
  type Case,
  type Group,
  get,
  type JsonObject,
  one,
  reply,
  request,
  type Site,
} from "../case.ts";
import { type Scripted, scriptedCase } from "../scripted-case.ts";
import { scriptedChain, scriptedPlugin } from "../scripted-guest.ts";

const HALF = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc";
const LATE = { steps: [{ pauseMs: 400 }, ...reply("200 OK", "late").steps] } as const;
/** Longer than the limits of clusters: what they end has ended when the case does. */
const REST = { pauseMs: 500 } as const;
const POST = request("POST /a HTTP/1.1", "Content-Length: 10");

function limited(name: string, options: JsonObject): JsonObject {
  return cluster(name, ["$up:up"], { common_http_protocol_options: options });
}

const CLIENTS: readonly Case[] = [
  {
    id: "client-fin-in-head",
    title: "a client's FIN in the middle of a head",
    connections: [{ send: ["GET / HTTP/1.1\r\nHost: a"], fin: true, responses: 0 }],
  },
  {
    id: "client-fin-in-body",
    title: "a client's FIN in the middle of a body, which the upstream waits for",
    connections: [{ send: [`${POST}abc`, { pauseMs: 500 }], fin: true, responses: 0 }],
  },
  {
    id: "client-fin-after-response",
    title: "a client's FIN behind a response",
    connections: [{ send: [get("/"), { awaitText: "ok" }], fin: true }],
  },
  {
    id: "client-fin-in-response",
    title: "a client's FIN in the middle of a response",
    connections: [{ send: [get("/"), { awaitText: "abc" }], fin: true }],
    replies: [{ steps: [HALF, { pauseMs: 300 }, "defghij"] }],
  },
  {
    id: "client-reset-waiting",
    title: "a client's reset while the upstream is silent",
    connections: [{ send: [get("/"), { pauseMs: 500 }, { reset: true }], responses: 0 }],
    replies: [{ steps: [{ pauseMs: 1500 }, ...reply("200 OK", "late").steps] }],
  },
  {
    id: "client-reset-idle",
    title: "a client's reset behind a response",
    connections: [{ send: [get("/"), { awaitText: "ok" }, { reset: true }] }],
  },
];

const UPSTREAMS: readonly Case[] = [
  {
    id: "upstream-early-answer-closes",
    title: "the upstream answers before the body has come, and closes",
    connections: [{ send: [`${POST}abc`, { awaitText: "early" }, { pauseMs: 80 }, "defghij"] }],
    replies: [{ when: "head", ...reply("200 OK", "early"), after: "close" }],
  },
  {
    id: "upstream-early-answer-stays",
    title: "the upstream answers before the body has come, and stays",
    connections: [{ send: [`${POST}abc`, { awaitText: "early" }, { pauseMs: 80 }, "defghij"] }],
    replies: [{ when: "head", ...reply("413 Payload Too Large", "early") }],
  },
  {
    id: "upstream-idle-resets",
    title: "the upstream resets an idle connection between two requests",
    connections: [{ send: [get("/1"), { pauseMs: 400 }, get("/2")], responses: 2 }],
    replies: [{ ...reply("200 OK", "x"), after: "reset" }],
  },
  {
    id: "upstream-idle-timeout",
    title: "idle_timeout of a cluster between two requests",
    connections: [{ send: [get("/idle"), REST, get("/idle"), REST], responses: 2 }],
  },
  {
    id: "upstream-idle-timeout-busy",
    title: "idle_timeout of a cluster does not touch a stream",
    connections: [{ send: [get("/idle"), { awaitText: "late" }, REST] }],
    replies: [LATE],
  },
  {
    id: "upstream-max-connection-duration",
    title: "max_connection_duration of a cluster between two requests",
    connections: [{ send: [get("/old"), REST, get("/old"), REST], responses: 2 }],
  },
  {
    id: "upstream-max-connection-duration-busy",
    title: "max_connection_duration of a cluster lets a stream end",
    connections: [{ send: [get("/old"), { awaitText: "late" }, get("/old"), REST], responses: 2 }],
    replies: [LATE],
  },
  {
    id: "upstream-until-close",
    title: "a body that ends with the connection, and its reset",
    connections: [{ send: [get("/1"), { awaitText: "abc" }] }],
    replies: [{ steps: ["HTTP/1.1 200 OK\r\n\r\nabc", { pauseMs: 100 }], after: "reset" }],
  },
];

const LIVES: readonly Case[] = [
  {
    id: "connection-max-duration-unused",
    title: "max_connection_duration without a request",
    connections: [{ site: "life", send: [], responses: 0 }],
  },
  {
    id: "connection-max-duration-busy",
    title: "max_connection_duration passes while the upstream is silent",
    connections: one(get("/"), "life"),
    replies: [LATE],
  },
  {
    id: "connection-max-duration-in-response",
    title: "max_connection_duration passes in the middle of a response",
    connections: one(get("/"), "life"),
    replies: [{ steps: [HALF, { pauseMs: 600 }, "defghij"] }],
  },
  {
    id: "connection-max-duration-in-body",
    title: "max_connection_duration passes while a body comes",
    connections: [{ site: "life", send: [`${POST}abc`, { pauseMs: 600 }, "defghij"] }],
  },
  {
    id: "connection-idle-half-head",
    title: "idle_timeout of a connection in the middle of a head",
    connections: [{ site: "idle", send: ["GET / HTTP/1.1\r\nHos"], responses: 0 }],
  },
];

/** A filter holds the stream: `hcm` has further fields of the HCM. */
interface Held extends Scripted {
  readonly hcm?: JsonObject;
}

const HELD: readonly Held[] = [
  {
    id: "held-client-fin",
    title: "a client's FIN while a filter holds its request",
    lines: ["request_headers return 1"],
    connections: (site) => [{ site, send: [get("/a"), { pauseMs: 100 }], fin: true, responses: 0 }],
  },
  {
    id: "held-client-reset",
    title: "a client's reset while a filter holds its request",
    lines: ["request_headers return 1"],
    connections: (site) => [
      { site, send: [get("/a"), { pauseMs: 100 }, { reset: true }], responses: 0 },
    ],
  },
  {
    id: "held-response-client-reset",
    title: "a client's reset while a filter holds the response",
    lines: ["response_headers return 1"],
    connections: (site) => [
      { site, send: [get("/a"), { pauseMs: 500 }, { reset: true }], responses: 0 },
    ],
  },
  {
    id: "held-upstream-closes",
    title: "the upstream closes in the body while a filter holds the response's head",
    lines: ["response_headers return 1"],
    replies: [{ steps: [HALF], after: "close" }],
  },
  {
    id: "held-upstream-resets",
    title: "the upstream resets in the body while a filter holds the response's head",
    lines: ["response_headers return 1"],
    replies: [{ steps: [HALF, { pauseMs: 100 }], after: "reset" }],
  },
  {
    id: "held-stream-idle",
    title: "stream_idle_timeout while a filter holds the request",
    lines: ["request_headers return 1"],
    hcm: { stream_idle_timeout: "0.2s" },
  },
  {
    id: "held-request-timeout",
    title: "request_timeout while a filter holds a complete request",
    lines: ["request_headers return 1"],
    hcm: { request_timeout: "0.2s", stream_idle_timeout: "0.6s" },
  },
  {
    id: "held-max-duration",
    title: "max_connection_duration and drain_timeout while a filter holds the request",
    lines: ["request_headers return 1"],
    hcm: {
      common_http_protocol_options: { max_connection_duration: "0.2s" },
      drain_timeout: "0.1s",
      stream_idle_timeout: "0.8s",
    },
  },
  {
    id: "held-response-stream-idle",
    title: "stream_idle_timeout while a filter holds the response",
    lines: ["response_headers return 1"],
    hcm: { stream_idle_timeout: "0.3s" },
  },
];

function heldSite({ id, lines, hcm }: Held): [name: string, site: Site] {
  const name = id.replaceAll("-", "_");
  return [name, { hcm: { ...scriptedChain(scriptedPlugin(name, lines)), ...hcm } }];
}

export const connectionFaults: Group = {
  id: "connection-faults",
  title: "connections that end, break or stay too long",
  guests: "apart",
  clusters: [
    limited("idle", { idle_timeout: "0.2s" }),
    limited("old", { max_connection_duration: "0.2s" }),
  ],
  sites: {
    main: {
      virtualHosts: [
        {
          name: "all",
          domains: ["*"],
          routes: [
            { name: "idle", match: { path: "/idle" }, route: { cluster: "idle" } },
            { name: "old", match: { path: "/old" }, route: { cluster: "old" } },
            { name: "rest", match: { prefix: "/" }, route: { cluster: "up" } },
          ],
        },
      ],
    },
    life: {
      hcm: {
        common_http_protocol_options: { max_connection_duration: "0.2s" },
        drain_timeout: "0.1s",
      },
    },
    idle: { hcm: { common_http_protocol_options: { idle_timeout: "0.2s" } } },
    ...Object.fromEntries(HELD.map(heldSite)),
  },
  cases: [...CLIENTS, ...UPSTREAMS, ...LIVES, ...HELD.map(scriptedCase)],
};

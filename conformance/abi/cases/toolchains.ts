// Guests that real toolchains made (../../guests): what comes out of the host is judged, response by
// response, for they tell nothing of what they saw.
import { GUESTS } from "../../guests/guests.ts";
import type { Case, Scene } from "../case.ts";
import { same, Unmet } from "../expect.ts";
import { makeCase } from "../make-case.ts";
import type { Seen } from "../seen.ts";

/** Guests' own lines, where the host tells them: all of these, in this order. */
function says(...wanted: readonly string[]): (seen: Seen) => void {
  return ({ logs }) => {
    const found = logs.map(({ message }) => message);
    let at = 0;
    for (const line of found) if (at < wanted.length && line === wanted[at]) at += 1;
    if (found.length > 0 && at < wanted.length) {
      throw new Unmet("the guest's log", JSON.stringify(wanted), JSON.stringify(found));
    }
  };
}

function edits(guest: string, more: Partial<Scene> = {}): readonly Scene[] {
  const own = { "user-agent": "client", "x-remove": "1" };
  const upstream = { headers: { "x-secret": "1", "x-b": "1" } };
  const edited = { "x-guest": guest, "user-agent": "guest", "x-remove": null };
  const headers = { "x-guest": guest, "x-secret": null, "x-b": "1", "x-header-count": "4" };
  return [
    {
      what: "adds, replaces and removes headers of both directions, and changes the path",
      request: { path: "/old/a?b", headers: own, upstream },
      exchange: { status: 200, headers, upstream: { path: "/new/a?b", headers: edited } },
      ...more,
    },
    {
      what: "leaves the body and another path as they are",
      request: { path: "/olden", method: "POST", body: "hello", upstream: { body: "answer" } },
      exchange: {
        status: 200,
        body: "answer",
        headers: { "x-guest": guest },
        upstream: { path: "/olden", body: "hello", headers: { "x-guest": guest } },
      },
      ...more,
    },
  ];
}

const header = { "x-api-key": "k" };
const tcp = { position: "network" } as const;
const gRPC = { needs: ["gRPC"] } as const;
const closed = { plugin: { failurePolicy: "closed" } } as const;
const goEdit = { plugin: { rootId: "header-edit" } } as const;
const gate = { plugin: { rootId: "gate", config: "gate" } } as const;

function faulty(fault: string, more: Partial<Scene>): Scene {
  return {
    what: `is stopped: ${fault}`,
    ...closed,
    request: { method: "POST", headers: { "x-fault": fault }, body: "x", trailers: { t: "1" } },
    ...more,
  };
}

const scenes: Readonly<Record<string, readonly Scene[]>> = {
  "c-header-edit": edits("c"),
  "rust-header-edit": edits("rust"),
  "go-plugins": [
    ...edits("go", goEdit),
    {
      what: "who has no cookie gets a version, and the route of it",
      plugin: { rootId: "ab-routing" },
      exchange: {
        status: 200,
        headers: { "set-cookie": "version=a; Path=/" },
        upstream: { headers: { "x-version": "a" } },
      },
    },
    {
      what: "who has a cookie keeps it",
      plugin: { rootId: "ab-routing" },
      request: { headers: { cookie: "a=b; version=b" } },
      exchange: {
        status: 200,
        headers: { "set-cookie": null },
        upstream: { headers: { "x-version": "b" } },
      },
      holds: says("routed to  for version b"),
    },
    {
      what: "counts in memory, and tells on a timer",
      plugin: { rootId: "counting", config: "30" },
      play: [{ request: { authority: "one.example" } }, { pauseMs: 100 }],
      holds: says("one.example: 1 requests"),
    },
    {
      what: "a configuration that is no number",
      plugin: { rootId: "counting", config: "soon" },
      isRefused: true,
    },
  ],
  "as-solo-0.1.0": edits("as-0.1.0", { plugin: { rootId: "header-edit", config: "of 2020" } }),
  "as-solo-0.2.0": [
    ...edits("as-0.2.0", { plugin: { rootId: "header-edit", config: "of 2021" } }),
    {
      what: "a call lets the request go on",
      ...gate,
      request: { path: "/open", headers: { "x-gate": "?" } },
      exchange: { status: 200, upstream: { headers: { "x-gate": "open" } } },
      holds: says("gate: 200 with 7 bytes"),
    },
    {
      what: "a call stops the request",
      ...gate,
      request: { path: "/shut" },
      exchange: {
        status: 403,
        body: "closed by 401\n",
        headers: { "x-gate": "closed" },
        details: "gate",
        upstream: null,
      },
    },
  ],
  "c-metrics": [
    {
      what: "counters, gauges and histograms in the host's stats",
      needs: ["metrics"],
      isAlone: true,
      request: { method: "POST", body: "hello" },
      play: [{ request: {} }, { request: { upstream: { status: 404 } } }],
      exchange: { status: 404, headers: { "x-requests": "2" } },
      holds: ({ told: { metrics } }) => {
        same("requests", metrics.get("c_guest.requests"), 2);
        same("posts", metrics.get("c_guest.posts"), 2);
        same("bytes", metrics.get("c_guest.bytes_in"), 10);
        same("answers of 2xx", metrics.get("c_guest.responses_2xx"), 1);
        same("answers of 4xx", metrics.get("c_guest.responses_4xx"), 1);
        same("active", metrics.get("c_guest.active"), 0);
      },
    },
  ],
  "c-redirect": [
    {
      what: "answers by itself",
      request: { path: "/health" },
      exchange: { status: 200, body: "healthy\n", details: "health", upstream: null },
    },
    {
      what: "answers with a header",
      request: { path: "/a", headers: { "x-wants-https": "1" } },
      exchange: {
        status: 301,
        headers: { location: "https://example.com/a" },
        details: "to_https",
        upstream: null,
      },
    },
    {
      what: "answers with another status",
      request: { path: "/blocked/x" },
      exchange: { status: 403, body: "not this way\n", details: "blocked_by_guest" },
    },
    { what: "lets others pass", exchange: { status: 200, upstream: { path: "/a?b=c" } } },
  ],
  "c-tcp-guard": [
    {
      what: "takes the greeting away, and marks what comes back",
      ...tcp,
      play: [{ connect: [{ client: "HELLO bob\nabc" }, { server: "xyz", after: "abc" }] }],
      holds: (seen) => {
        same("at the server", seen.connection?.toServer, "abc");
        same("at the client", seen.connection?.toClient, "[guarded] xyz");
        says("guard: new connection", "guard: hello from bob")(seen);
      },
    },
    {
      what: "waits for the whole greeting",
      ...tcp,
      play: [{ connect: [{ client: "HEL" }, { client: "LO ann\n" }, { client: "abc" }] }],
      holds: (seen) => {
        same("at the server", seen.connection?.toServer, "abc");
        says("guard: hello from ann")(seen);
      },
    },
    {
      what: "cuts off who does not greet",
      ...tcp,
      play: [{ connect: [{ client: "GET /\n" }] }],
      holds: (seen) => {
        same("closed", seen.connection?.isClosed, true);
        same("bytes at the server", seen.connection?.toServer.includes("GET"), false);
        says("guard: refused")(seen);
      },
    },
  ],
  "c-trapping": [
    faulty("trap", { exchange: { status: 503, upstream: null } }),
    faulty("divide", { exchange: { status: 503, upstream: null } }),
    faulty("loop", {
      needs: ["fuel"],
      verdict: "extension",
      spec: "Nothing: a guest that does not come back.",
      exchange: { status: 503, upstream: null },
    }),
    { what: "goes on otherwise", exchange: { status: 200, upstream: { path: "/a?b=c" } } },
  ],
  "rust-access-log": [
    {
      what: "a line for each request, with properties and headers",
      position: "log",
      needs: ["access logger"],
      request: { headers: { "user-agent": "client" }, upstream: { status: 207, body: "abc" } },
      exchange: { status: 207 },
      holds: ({ logs, told }) => {
        const found = logs[0]?.message.replace(told.guest.tag, "TAG");
        if (found === undefined) return;
        const start =
          '{"method":"GET","path":"/a?b=c","agent":"client","status":"207","code":207,"details":"via_upstream","flags":0,"in":0,"out":3,"cluster":"TAG",';
        same("line", found.slice(0, start.length), start);
      },
    },
  ],
  "rust-auth-callout": [
    {
      what: "who may pass is let through, with what the service says",
      request: { headers: { authorization: "good" } },
      exchange: {
        status: 200,
        headers: { "x-served-to": "ann" },
        upstream: { headers: { "x-auth-user": "ann", authorization: null } },
      },
    },
    {
      what: "who may not gets the service's answer",
      request: { headers: { authorization: "bad" } },
      exchange: {
        status: 401,
        body: "who?",
        headers: { "www-authenticate": "Basic" },
        upstream: null,
      },
      holds: says("denied with 401"),
    },
    {
      what: "some paths are nobody's business",
      request: { path: "/public/a" },
      exchange: { status: 200, headers: { "x-served-to": null } },
    },
  ],
  "rust-body-rewrite": [
    {
      what: "requests piece by piece, and their trailers",
      request: {
        method: "POST",
        headers: { "x-upper": "1" },
        body: ["hello ", "there"],
        trailers: { t: "1" },
      },
      exchange: {
        status: 200,
        headers: { "x-request-bytes": "11" },
        upstream: { body: "HELLO THERE", trailers: { t: "1", "x-trailer-count": "1" } },
      },
    },
    {
      what: "responses as a whole, and their trailers",
      request: {
        upstream: {
          headers: { "content-type": "text/plain" },
          body: ["a sec", "ret word"],
          trailers: { t: "1" },
        },
      },
      exchange: {
        status: 200,
        headers: { "content-type": "text/plain", "x-request-bytes": "0" },
        trailers: { t: "1", "x-trailer-count": "1" },
      },
    },
    {
      what: "responses as a whole",
      request: {
        upstream: { headers: { "content-type": "text/plain" }, body: ["a sec", "ret word"] },
      },
      exchange: { status: 200, body: "a [hidden] word" },
    },
    {
      what: "what is no text stays",
      request: { upstream: { headers: { "content-type": "image/x" }, body: "secret" } },
      exchange: { status: 200, body: "secret" },
    },
  ],
  "rust-faulty": [
    faulty("request-headers", { exchange: { status: 503, upstream: null } }),
    faulty("request-body", { exchange: { status: 503 } }),
    faulty("request-trailers", { exchange: { status: 503 } }),
    faulty("response-headers", { exchange: { status: 503 } }),
    faulty("log", { exchange: { status: 200, headers: { "x-guest": "alive" } } }),
    {
      what: "a panic in configure",
      plugin: { config: "configure" },
      isRefused: true,
    },
    {
      what: "a configuration that it does not like",
      plugin: { config: "refuse" },
      isRefused: true,
    },
    {
      what: "after a panic a new VM serves",
      plugin: { failurePolicy: "reload" },
      play: [
        { request: { headers: { "x-fault": "request-headers" } } },
        { pauseMs: 2000 },
        { request: {} },
      ],
      exchange: { status: 200, headers: { "x-guest": "alive" } },
    },
  ],
  "rust-grpc-callout": [
    {
      what: "a call's message decides",
      ...gRPC,
      request: { path: "/check/1", headers: { "x-cluster": "echo" } },
      exchange: { status: 403, body: "/check/1", headers: { "x-grpc": "0" }, upstream: null },
    },
    {
      what: "a call's status decides",
      ...gRPC,
      request: { path: "/check/1", headers: { "x-cluster": "failing" } },
      exchange: { status: 403, body: "call failed\n", headers: { "x-grpc": "7" } },
    },
    {
      what: "a stream's first message decides",
      ...gRPC,
      request: { path: "/stream/1", headers: { "x-cluster": "echo" } },
      exchange: { status: 403, body: "/stream/1", headers: { "x-grpc": "0" } },
    },
    {
      what: "no call to a cluster that is not there",
      ...gRPC,
      request: { path: "/check/1", headers: { "x-cluster": "nowhere" } },
      exchange: { status: 503, body: "no call\n", upstream: null },
    },
  ],
  "rust-rate-limit": [
    {
      what: "counts by key in shared data",
      plugin: { config: "2/3600" },
      request: { headers: header },
      play: [{ request: {} }, { request: {} }, { request: {} }],
      exchange: { status: 429, body: "slow down\n", headers: { "retry-after": "3600" } },
      holds: ({ told: { exchanges } }) => {
        const left = exchanges.map(({ headers }) => headers.find(([name]) => LEFT === name)?.[1]);
        same("left", left, ["1", "0", undefined]);
      },
    },
    {
      what: "without a key there is no answer of the upstream",
      plugin: { config: "2/3600" },
      exchange: { status: 401, body: "x-api-key is missing\n", upstream: null },
    },
    { what: "a wrong configuration", plugin: { config: "many" }, isRefused: true },
  ],
  "rust-shared-queue": [
    {
      what: "an item goes through a queue to a plugin of its name",
      // The guest has the name of the consumer's VM in it.
      isAlone: true,
      plugin: { vmId: "consumer", config: "consumer" },
      exchange: { status: 200, upstream: { headers: { "x-queued": "yes" } } },
    },
    {
      what: "there is no queue of that name",
      request: { headers: { "x-queue": "another" } },
      exchange: { status: 200, upstream: { headers: { "x-queued": "no queue" } } },
    },
  ],
  "rust-tcp-lines": [
    {
      what: "passes whole lines, and masks digits",
      ...tcp,
      play: [{ connect: [{ client: "ab1" }, { client: "2\nc3" }, { client: "\n" }] }],
      holds: ({ connection }) => same("at the server", connection?.toServer, "ab##\nc#\n"),
    },
    {
      what: "ends the connection when it is asked to",
      ...tcp,
      play: [{ connect: [{ client: "QUIT\n" }] }],
      holds: (seen) => {
        same("closed", seen.connection?.isClosed, true);
        says("lines: quit")(seen);
      },
    },
  ],
};

const LEFT = "x-ratelimit-remaining";

/** Each guest has cases, and each case is of a guest. */
export function toolchainCases(): Case[] {
  return GUESTS.flatMap(({ name, toolchain, abi, does }) => {
    const row = { name, chapter: "toolchains", doc: `${does} (${toolchain})` } as const;
    const own = scenes[name.replace(/-dwarf\d$/, "")];
    if (own === undefined) throw new Error(`the guest ${name} has no case`);
    return own.map((scene) =>
      makeCase(row, abi, { ...scene, module: name }, { verdict: "required", spec: row.doc }),
    );
  });
}

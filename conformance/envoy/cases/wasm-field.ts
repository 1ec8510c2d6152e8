// Filters as they stand in the field, made by the toolchains of the field (conformance/guests): the same
// module answers the same requests in both proxies.
import { cluster } from "../bootstrap.ts";
import { type Case, type Group, get, one, post, reply, request, type Site } from "../case.ts";
import {
  chunked,
  chunkedReply,
  PATIENT,
  TRAILER_CLUSTER,
  TRAILER_HOSTS,
  WITH_TRAILERS,
} from "../chunks.ts";
import { fieldAccessLog, fieldChain, fieldPlugin, fieldService } from "../field-guest.ts";

/** A header-edit in each language, by the site that has it. */
const EDITORS: Readonly<Record<string, Site>> = {
  edit_c: { hcm: fieldChain(fieldPlugin("c-header-edit")) },
  edit_rust: { hcm: fieldChain(fieldPlugin("rust-header-edit")) },
  edit_go: { hcm: fieldChain(fieldPlugin("go-plugins", { rootId: "header-edit" })) },
  edit_old: {
    hcm: fieldChain(
      fieldPlugin("as-solo-0.1.0", { rootId: "header-edit", configuration: "of 2020" }),
    ),
  },
  edit_as: {
    hcm: fieldChain(
      fieldPlugin("as-solo-0.2.0", { rootId: "header-edit", configuration: "of 2021" }),
    ),
  },
};

const EDIT_ALL: Site = {
  hcm: fieldChain(
    fieldPlugin("c-header-edit"),
    fieldPlugin("rust-header-edit"),
    fieldPlugin("go-plugins", { rootId: "header-edit" }),
    fieldPlugin("as-solo-0.1.0", { rootId: "header-edit", configuration: "of 2020" }),
    fieldPlugin("as-solo-0.2.0", { rootId: "header-edit", configuration: "of 2021" }),
  ),
};

function editCases(site: string): readonly Case[] {
  const id = `field-${site.replace("_", "-")}`;
  return [
    {
      id: `${id}-plain`,
      title: `${site}: headers are added, replaced and counted`,
      connections: one(get("/a?b=c", "User-Agent: curl/8"), site),
    },
    {
      id: `${id}-moved`,
      title: `${site}: the path is rewritten, headers of that name are kept or removed`,
      connections: one(
        get("/old/x?y", "X-Guest: mine", "X-Remove: 1", "x-remove: 2", "X-Keep: yes"),
        site,
      ),
    },
    {
      id: `${id}-response`,
      title: `${site}: the response loses a header and gets others`,
      connections: one(post("/b", "body"), site),
      replies: [reply("201 Created", "made", "X-Secret: 1", "x-header-count: 99", "X-Guest: up")],
    },
  ];
}

const REDIRECT: readonly Case[] = [
  {
    id: "field-redirect-health",
    title: "a health check that the filter answers",
    connections: one(get("/health"), "redirect"),
  },
  {
    id: "field-redirect-health-head",
    title: "the same by HEAD",
    connections: [{ site: "redirect", send: [request("HEAD /health HTTP/1.1")], head: true }],
  },
  {
    id: "field-redirect-https",
    title: "a redirect with a header that the filter gives",
    connections: one(get("/a?b", "X-Wants-Https: 1", "Host: shop.local"), "redirect"),
  },
  {
    id: "field-redirect-blocked",
    title: "403 with details of two words",
    connections: one(post("/blocked/x", "some body"), "redirect"),
  },
  {
    id: "field-redirect-blocked-body",
    title: "403 while the body is still to come",
    connections: [{ site: "redirect", send: chunked("/blocked", ["some", "body"]) }],
  },
  {
    id: "field-redirect-grpc",
    title: "a gRPC request is answered by trailers",
    connections: one(
      post("/blocked", "x", "Content-Type: application/grpc", "TE: trailers"),
      "redirect",
    ),
  },
  {
    id: "field-redirect-keep-alive",
    title: "local replies keep the connection",
    connections: [
      { site: "redirect", send: [get("/health"), get("/a"), get("/health")], responses: 3 },
    ],
  },
];

const METRICS: readonly Case[] = [
  {
    id: "field-metrics-get",
    title: "counters of a request and its response",
    connections: one(get("/a"), "metrics"),
  },
  {
    id: "field-metrics-post",
    title: "bytes of a body in chunks",
    connections: [{ site: "metrics", send: chunked("/a", ["12345", "678"]) }],
  },
  {
    id: "field-metrics-classes",
    title: "responses by class",
    connections: [{ site: "metrics", send: [get("/a"), get("/b"), get("/c")], responses: 3 }],
    replies: [
      reply("404 Not Found", ""),
      reply("503 Service Unavailable", ""),
      reply("204 No", ""),
    ],
  },
  {
    id: "field-metrics-refused",
    title: "a stream that the upstream resets leaves the gauge",
    connections: one(get("/a"), "metrics"),
    replies: [{ steps: [], after: "reset" }],
  },
];

const AUTH: readonly Case[] = [
  {
    id: "field-auth-allowed",
    title: "the answer lets the request pass with headers of its own",
    connections: one(get("/a", "Authorization: Bearer t"), "auth"),
    replies: [
      reply("200 OK", "", "x-auth-user: ann", "x-auth-role: admin", "x-other: no"),
      reply("200 OK", "hello"),
    ],
  },
  {
    id: "field-auth-denied",
    title: "the answer goes to the client",
    connections: one(get("/a"), "auth"),
    replies: [reply("401 Unauthorized", "who are you?", 'WWW-Authenticate: Basic realm="x"')],
  },
  {
    id: "field-auth-forbidden",
    title: "a status without a body",
    connections: one(post("/a", "secret body"), "auth"),
    replies: [reply("403 Forbidden", "")],
  },
  {
    id: "field-auth-late",
    title: "no answer in time",
    connections: one(get("/a"), "auth"),
    replies: [{ steps: [{ pauseMs: 2_500 }] }],
  },
  {
    id: "field-auth-closed",
    title: "the auth server closes",
    connections: one(get("/a"), "auth"),
    replies: [{ steps: [], after: "close" }],
  },
  {
    id: "field-auth-public",
    title: "a path that needs no answer",
    connections: one(get("/public/x"), "auth"),
  },
  {
    id: "field-auth-body",
    title: "a body in chunks waits for the answer",
    connections: [
      { site: "auth", send: chunked("/a", ["first", "second"], { trailers: ["x-t: 1"] }) },
    ],
    replies: [
      {
        steps: [
          { pauseMs: 90 },
          "HTTP/1.1 200 OK\r\nx-auth-user: bob\r\ncontent-length: 0\r\n\r\n",
        ],
      },
    ],
  },
  {
    id: "field-auth-two",
    title: "two requests of a connection, one of them denied",
    connections: [{ site: "auth", send: [get("/a"), get("/b")], responses: 2 }],
    replies: [
      reply("200 OK", "", "x-auth-user: ann"),
      reply("200 OK", "hello"),
      reply("401 Unauthorized", "no"),
    ],
  },
];

const TEXT = ["content-type: text/plain"];
const BODY: readonly Case[] = [
  {
    id: "field-body-hidden",
    title: "a word is taken out of a response of known length",
    connections: one(get("/a"), "body"),
    replies: [reply("200 OK", "the secret is a secret", ...TEXT)],
  },
  {
    id: "field-body-split",
    title: "the word stands in two chunks",
    connections: one(get("/a"), "body"),
    replies: [chunkedReply(["the sec", "ret is", " out"], TEXT)],
  },
  {
    id: "field-body-trailers",
    title: "with trailers, the body ends without an end and passes as it is",
    connections: one(get("/a", "TE: trailers"), "trailers"),
    replies: [chunkedReply(["the secret"], [...TEXT, "trailer: x-end"], ["x-end: 1"])],
  },
  {
    id: "field-body-binary",
    title: "another type passes as it is",
    connections: one(get("/a"), "body"),
    replies: [reply("200 OK", "secret", "content-type: image/png")],
  },
  {
    id: "field-body-empty",
    title: "a text of no length",
    connections: one(get("/a"), "body"),
    replies: [reply("200 OK", "", ...TEXT)],
  },
  {
    id: "field-body-head",
    title: "an answer to HEAD has none",
    connections: [{ site: "body", send: [request("HEAD /a HTTP/1.1")], head: true }],
    replies: [
      { steps: ["HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 9\r\n\r\n"] },
    ],
  },
  {
    id: "field-body-large",
    title: "100,000 bytes are held and rewritten",
    connections: one(get("/a"), "body"),
    replies: [reply("200 OK", "a secret. ".repeat(10_000), ...TEXT)],
  },
  {
    id: "field-body-over",
    title: "more than may be held, in several reads",
    connections: one(get("/a"), "small"),
    replies: [reply("200 OK", "a secret. ".repeat(100_000), ...TEXT)],
  },
  {
    id: "field-body-over-once",
    title: "more than may be held, with its end behind it in one read",
    connections: one(get("/a"), "small"),
    replies: [reply("200 OK", "a secret. ".repeat(3_000), ...TEXT)],
  },
  {
    id: "field-body-upper",
    title: "a request becomes upper case chunk by chunk, with trailers",
    connections: [
      {
        site: "trailers",
        send: chunked("/a", ["abc", "def"], {
          trailers: ["x-t: 1", "x-u: 2"],
          lines: ["X-Upper: 1"],
        }),
      },
    ],
  },
  {
    id: "field-body-binary-trailers",
    title: "trailers of what is not rewritten get a note, too",
    connections: one(get("/a", "TE: trailers"), "trailers"),
    replies: [chunkedReply(["bytes"], ["content-type: image/png"], ["x-end: 1", "x-more: 2"])],
  },
  {
    id: "field-body-upper-length",
    title: "the same with a known length",
    connections: one(post("/a", "some text", "X-Upper: 1"), "body"),
  },
];

const key = "X-Api-Key: k1";
const RATE: readonly Case[] = [
  {
    id: "field-rate-no-key",
    title: "a request without a key",
    connections: one(get("/a"), "rate"),
  },
  {
    id: "field-rate-used-up",
    title: "three requests pass, the fourth does not",
    connections: [{ site: "rate", send: [1, 2, 3, 4].map((n) => get(`/${n}`, key)), responses: 4 }],
  },
  {
    id: "field-rate-shared",
    title: "another listener, with a VM of its own, shares the count",
    connections: one(get("/a", key), "rate_too"),
  },
  {
    id: "field-rate-other-key",
    title: "another key has its own count",
    connections: one(get("/a", "X-Api-Key: k2"), "rate"),
  },
];

const LOG: readonly Case[] = [
  {
    id: "field-log-plain",
    title: "an access logger sees request and response",
    connections: one(post("/a?b=c", "12345", "User-Agent: curl/8"), "log"),
    replies: [reply("200 OK", "hello", "content-type: text/html")],
  },
  {
    id: "field-log-trailer",
    title: "an access logger sees trailers of the response",
    connections: one(get("/a"), "log_trailers"),
    replies: [chunkedReply(["abc"], [], ["x-trailer: end"])],
  },
  {
    id: "field-log-direct",
    title: "an access logger sees direct responses",
    connections: one(get("/direct"), "log"),
  },
  {
    id: "field-log-no-route",
    title: "an access logger sees what has no route",
    connections: one(get("/nowhere"), "log"),
  },
  {
    id: "field-log-refused",
    title: "an access logger sees what was no request",
    connections: one("GET / HTTP/1.1\r\n\r\n", "log"),
  },
];

const QUEUE: readonly Case[] = [
  {
    id: "field-queue-consumed",
    title: "a service takes out what filters put into a queue",
    connections: one(get("/first"), "queue"),
  },
  {
    id: "field-queue-many",
    title: "three items, in order",
    connections: [{ site: "queue", send: [get("/1"), get("/2"), get("/3")], responses: 3 }],
  },
  {
    id: "field-queue-unknown",
    title: "a queue that nobody has registered",
    connections: one(get("/lost", "X-Queue: nobody"), "queue"),
  },
];

const ROUTING: readonly Case[] = [
  {
    id: "field-routing-new",
    title: "clients without a cookie get the versions in turn",
    connections: [{ site: "routing", send: [get("/a"), get("/b"), get("/c")], responses: 3 }],
  },
  {
    id: "field-routing-cookie",
    title: "a cookie decides the route",
    connections: [
      {
        site: "routing",
        send: [get("/a", "Cookie: x=1; version=b"), get("/a", "Cookie: version=a")],
        responses: 2,
      },
    ],
  },
  {
    id: "field-routing-unknown",
    title: "a cookie of no version is replaced",
    connections: one(get("/a", "Cookie: version=z"), "routing"),
  },
];

const GATE: readonly Case[] = [
  {
    id: "field-gate-open",
    title: "an old module that calls: 200 opens",
    connections: one(get("/a", "X-Body: sent along"), "gate"),
    replies: [reply("200 OK", "", "x-gate: 7"), reply("200 OK", "through")],
  },
  {
    id: "field-gate-closed",
    title: "an old module that calls: anything else closes",
    connections: one(get("/a"), "gate"),
    replies: [reply("404 Not Found", "nothing")],
  },
  {
    id: "field-gate-body",
    title: "an old module that calls: the body comes behind",
    connections: [{ site: "gate", send: chunked("/a", ["abc", "defg"]) }],
    replies: [reply("200 OK", "", "x-gate: 8")],
  },
];

const VERSIONS = [
  {
    name: "all",
    domains: ["*"],
    routes: [
      {
        name: "version-b",
        match: {
          prefix: "/",
          headers: [{ name: "x-version", string_match: { exact: "b" } }],
        },
        route: { cluster: "other" },
      },
      { name: "version-a", match: { prefix: "/" }, route: { cluster: "up" } },
    ],
  },
];

const LOGGED = [
  {
    name: "all",
    domains: ["*"],
    routes: [
      { name: "direct", match: { path: "/direct" }, direct_response: { status: 202 } },
      { name: "a", match: { prefix: "/a" }, route: { cluster: "up" } },
    ],
  },
];

const QUOTA = { configuration: "3/3600" };

export const wasmField: Group = {
  id: "wasm-field",
  title: "filters of the field: Rust, Go, C, old AssemblyScript",
  guests: true,
  stats: "wasmcustom\\.(c_guest|rust_guest|go_guest\\.requests)",
  sites: {
    main: {},
    ...EDITORS,
    edit_all: EDIT_ALL,
    redirect: { hcm: { ...fieldChain(fieldPlugin("c-redirect")), ...PATIENT } },
    metrics: { hcm: fieldChain(fieldPlugin("c-metrics")) },
    auth: { hcm: fieldChain(fieldPlugin("rust-auth-callout")) },
    body: { hcm: fieldChain(fieldPlugin("rust-body-rewrite")) },
    trailers: {
      hcm: { ...fieldChain(fieldPlugin("rust-body-rewrite")), ...WITH_TRAILERS },
      virtualHosts: TRAILER_HOSTS,
    },
    small: {
      hcm: fieldChain(fieldPlugin("rust-body-rewrite")),
      listener: { per_connection_buffer_limit_bytes: 20_000 },
    },
    rate: { hcm: fieldChain(fieldPlugin("rust-rate-limit", { ...QUOTA, vmId: "quota" })) },
    rate_too: {
      hcm: fieldChain(fieldPlugin("rust-rate-limit", { configuration: "3/3600 ", vmId: "quota" })),
    },
    log: { hcm: fieldAccessLog(fieldPlugin("rust-access-log")), virtualHosts: LOGGED },
    log_trailers: {
      hcm: { ...fieldAccessLog(fieldPlugin("rust-access-log")), ...WITH_TRAILERS },
      virtualHosts: TRAILER_HOSTS,
    },
    queue: { hcm: fieldChain(fieldPlugin("rust-shared-queue", { configuration: "producer" })) },
    routing: {
      hcm: fieldChain(fieldPlugin("go-plugins", { rootId: "ab-routing" })),
      virtualHosts: VERSIONS,
    },
    counting: {
      hcm: fieldChain(fieldPlugin("go-plugins", { rootId: "counting", configuration: "60" })),
    },
    gate: {
      hcm: fieldChain(fieldPlugin("as-solo-0.2.0", { rootId: "gate", configuration: "gate" })),
    },
  },
  clusters: [cluster("auth", ["$up:other"]), TRAILER_CLUSTER],
  bootstrap: {
    bootstrap_extensions: [
      fieldService(
        fieldPlugin("rust-shared-queue", { configuration: "consumer", vmId: "consumer" }),
      ),
    ],
  },
  cases: [
    ...Object.keys(EDITORS).flatMap(editCases),
    ...editCases("edit_all"),
    ...REDIRECT,
    ...METRICS,
    ...AUTH,
    ...BODY,
    ...RATE,
    ...LOG,
    ...QUEUE,
    ...ROUTING,
    ...GATE,
    {
      id: "field-counting",
      title: "counts of a minute, told on a timer",
      connections: one(get("/a", "Host: count.local"), "counting"),
    },
  ],
};

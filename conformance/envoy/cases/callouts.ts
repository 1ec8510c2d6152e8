// A wasm filter that asks a cluster about each request: what the cluster is sent, and what becomes of
// its answers. The guest is runtime/test/guests/assembly/auth.ts.
import { compileGuest } from "../../../runtime/test/guests/compile.ts";
import { cluster, ROUTER_TYPE } from "../bootstrap.ts";
import { type Group, get, one, post, reply } from "../case.ts";

const WASM = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";
const GUEST: string = Buffer.from(await compileGuest("auth")).toString("base64");

const code = { local: { inline_bytes: GUEST } };
const vm_config = { runtime: "envoy.wasm.runtime.v8", code };
const AUTH = { name: "auth", typed_config: { "@type": WASM, config: { name: "auth", vm_config } } };
const ROUTER = { name: "envoy.filters.http.router", typed_config: { "@type": ROUTER_TYPE } };

const thresholds = [{ max_requests: 0, max_pending_requests: 0, max_connections: 0 }];

export const callouts: Group = {
  id: "callouts",
  title: "proxy_http_call: a filter that asks an auth server",
  sites: { main: { hcm: { http_filters: [AUTH, ROUTER] } } },
  clusters: [
    cluster("auth", ["$up:other"]),
    cluster("none", ["$up:other"], { circuit_breakers: { thresholds } }),
  ],
  cases: [
    {
      id: "callout-allowed",
      title: "the answer lets the request pass, with a header of its own",
      connections: one(get("/a", "X-User: ann")),
      replies: [reply("200 OK", "", "x-auth-id: 7"), reply("200 OK", "hello")],
    },
    {
      id: "callout-denied",
      title: "the answer becomes a local reply",
      connections: one(get("/a", "X-User: bob")),
      replies: [reply("401 Unauthorized", "who?")],
    },
    {
      id: "callout-twice",
      title: "two calls at a time about one stream",
      connections: one(get("/twice", "X-User: ann")),
      replies: [reply("200 OK", "", "x-auth-id: 7"), reply("200 OK", "", "x-auth-id: 7")],
    },
    {
      id: "callout-body",
      title: "a call while the body is held",
      connections: one(post("/body", "some bytes", "X-User: ann")),
      replies: [reply("200 OK", "", "x-auth-id: 7")],
    },
    {
      id: "callout-slow",
      title: "no answer in time is a 504 for the guest",
      connections: one(get("/a", "X-User: ann")),
      replies: [{ steps: [{ pauseMs: 400 }] }],
    },
    {
      id: "callout-closed",
      title: "a connection that ends without an answer is a 503",
      connections: one(get("/a", "X-User: ann")),
      replies: [{ steps: [], after: "close" }],
    },
    {
      id: "callout-cut",
      title: "an answer that does not end is none",
      connections: one(get("/a", "X-User: ann")),
      replies: [{ steps: ["HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc"], after: "close" }],
    },
    {
      id: "callout-garbage",
      title: "what is no HTTP is a 502",
      connections: one(get("/a", "X-User: ann")),
      replies: [{ steps: ["nonsense\r\n\r\n"], after: "close" }],
    },
    {
      id: "callout-refused",
      title: "a host that refuses is a 503",
      connections: one(get("/a", "X-Cluster: dead")),
    },
    {
      id: "callout-no-host",
      title: "a cluster without hosts fails at once",
      connections: one(get("/a", "X-Cluster: empty")),
    },
    {
      id: "callout-overflow",
      title: "a circuit breaker that is open fails at once",
      connections: one(get("/a", "X-Cluster: none")),
    },
    {
      id: "callout-unknown-cluster",
      title: "an unknown cluster is a bad argument",
      connections: one(get("/a", "X-Cluster: nowhere")),
    },
  ],
};

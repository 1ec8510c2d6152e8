// A Rust guest that asks a gRPC service about each request: by a unary call, or by a stream.
import { httpCluster } from "../bootstrap.ts";
import { DEFAULT_REPLY, type Group, get, one } from "../case.ts";
import { fieldChain, fieldPlugin } from "../field-guest.ts";

export const wasmGrpc: Group = {
  id: "wasm-grpc",
  title: "gRPC calls and streams of a Rust guest",
  guests: true,
  grpc: true,
  sites: { main: { hcm: fieldChain(fieldPlugin("rust-grpc-callout")) } },
  clusters: [httpCluster("grpc", ["$up:grpc"], { http2_protocol_options: {} })],
  cases: [
    {
      id: "wasm-grpc-allowed",
      title: "a call that lets the request pass",
      connections: one(get("/check")),
      grpc: [{ messages: ["allow ann"], metadata: { "x-start": "1" }, trailers: { "x-end": "2" } }],
    },
    {
      id: "wasm-grpc-denied",
      title: "a call that does not",
      connections: one(get("/check")),
      grpc: [{ messages: ["deny"] }],
    },
    {
      id: "wasm-grpc-status",
      title: "a status with a text",
      connections: one(get("/check")),
      grpc: [{ status: 7, text: "not you" }],
    },
    {
      id: "wasm-grpc-trailers-only",
      title: "a status without a body",
      connections: one(get("/check")),
      grpc: [{ status: 5, text: "no such thing", isTrailersOnly: true }],
    },
    {
      id: "wasm-grpc-late",
      title: "no answer in time",
      connections: one(get("/check")),
      grpc: [{ messages: ["allow"], pauseMs: 2_500 }],
    },
    {
      id: "wasm-grpc-reset",
      title: "a stream that the service resets",
      connections: one(get("/check")),
      grpc: [{ reset: true }],
    },
    {
      id: "wasm-grpc-unknown-cluster",
      title: "a cluster that there is not",
      connections: one(get("/check", "X-Cluster: nowhere")),
    },
    {
      id: "wasm-grpc-stream",
      title: "a stream of two messages each way, with metadata",
      connections: one(get("/stream")),
      grpc: [
        {
          messages: ["allow one", "second"],
          metadata: { "x-start": "begin" },
          trailers: { "x-end": "end" },
        },
      ],
      // The stream's end comes before the request's, also on a busy machine.
      replies: [{ steps: [{ pauseMs: 500 }, ...DEFAULT_REPLY.steps] }],
    },
    {
      id: "wasm-grpc-stream-status",
      title: "a stream that ends without a message",
      connections: one(get("/stream")),
      grpc: [{ status: 16, text: "who" }],
    },
    {
      id: "wasm-grpc-stream-unknown",
      title: "a stream to a cluster that there is not",
      connections: one(get("/stream", "X-Cluster: nowhere")),
    },
  ],
};

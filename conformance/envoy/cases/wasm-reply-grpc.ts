// What a guest's local response becomes for a client of gRPC: status and text in headers, in each phase
// and with each shape of the answer that it replaces.
import { type Group, one, post, reply } from "../case.ts";
import { chunked, chunkedReply, TRAILER_CLUSTER } from "../chunks.ts";
import { firstChunk, type Scripted, scriptedCase, scriptedSites } from "../scripted-case.ts";

const TYPE = "Content-Type: application/grpc";
const CHUNKED = chunkedReply(
  ["one", "two"],
  ["content-type: application/grpc"],
  ["grpc-status: 0"],
);

const LINES = [TYPE, "TE: trailers"];

function streamed(site: string): ReturnType<NonNullable<Scripted["connections"]>> {
  return [
    { site, send: chunked("/a.B/C", ["abc", "def"], { trailers: ["x-t: 1"], lines: LINES }) },
  ];
}

const unary: NonNullable<Scripted["connections"]> = (site) => one(post("/a.B/C", "x", TYPE), site);

const PHASES = [
  "request_headers",
  "request_body",
  "request_trailers",
  "response_headers",
  "response_body",
  "response_trailers",
];

/** HTTP status, body and gRPC status of `proxy_send_local_response`. */
const ANSWERS: Readonly<Record<string, string>> = {
  status: "418 guest%20says no%20way%25 x-l=1 9",
  mapped: "403 guest%20says no%20way x-l=1 -1",
};

const BY_PHASE: readonly Scripted[] = PHASES.flatMap((phase) =>
  Object.entries(ANSWERS).map(([kind, answer]) => ({
    id: `reply-grpc-${phase.replace("_", "-")}-${kind}`,
    title: `a local response in on_${phase}: ${kind}`,
    lines: [`${phase}#1 send_local_response ${answer}`, `${phase}#1 return 1`],
    connections: phase === "request_body" ? (site) => firstChunk(site, "/a.B/C", LINES) : streamed,
    replies: [CHUNKED],
  })),
);

const CALL = "http_call other :method=GET,:path=/call,:authority=call ~ ~ 1000";

/** The stream is the first of its VM. Not of on_request_body: Envoy 1.40 crashes when that is answered so. */
function afterCall(phase: string): Scripted {
  return {
    id: `reply-grpc-call-${phase.replace("_", "-")}`,
    title: `a local response in the answer to a call of on_${phase}`,
    lines: [
      `${phase}#1 ${CALL}`,
      `${phase}#1 return 1`,
      "http_call_response set_effective_context 2",
      "http_call_response send_local_response 403 - denied x-l=1 7",
    ],
    connections: unary,
    replies: phase.startsWith("request")
      ? [reply("200 OK", "called")]
      : [reply("200 OK", "answer", TYPE), reply("200 OK", "called")],
  };
}

/** In on_request_headers. */
const SHAPES: Readonly<Record<string, string>> = {
  unauthorised: "401 - ~ ~ -1",
  ok: "200 - fine ~ 0",
  "own-status": "500 - text grpc-status=5,grpc-message=own -1",
  beyond: "503 - text ~ 17",
  bytes: "503 - caf%c3%a9%0atilde~ ~ 14",
};

const ALL: readonly Scripted[] = [
  ...BY_PHASE,
  ...["request_headers", "response_headers"].map(afterCall),
  ...Object.entries(SHAPES).map(([shape, answer]) => ({
    id: `reply-grpc-${shape}`,
    title: `send_local_response ${answer}`,
    lines: [`request_headers send_local_response ${answer}`, "request_headers return 1"],
    connections: unary,
  })),
];

export const wasmReplyGrpc: Group = {
  id: "wasm-reply-grpc",
  title: "local responses of a guest to gRPC",
  guests: true,
  sites: { main: {}, ...scriptedSites(ALL) },
  clusters: [TRAILER_CLUSTER],
  cases: ALL.map(scriptedCase),
};

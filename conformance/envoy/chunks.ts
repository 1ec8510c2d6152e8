// Bodies in chunks that filters see as pieces, and both sides' leave for trailers of HTTP/1.
import { httpCluster } from "./bootstrap.ts";
import { type JsonObject, type Piece, type Reply, request } from "./case.ts";

/** Between pieces, so that each is read for itself. */
const PAUSE_MS = 40;

/** What a request with a body in chunks may have. */
export interface ChunkOptions {
  readonly trailers?: readonly string[];
  /** Further header lines. */
  readonly lines?: readonly string[];
}

/** A request whose body comes in chunks that are pieces for filters, too. */
export function chunked(
  path: string,
  chunks: readonly string[],
  options: ChunkOptions = {},
): readonly Piece[] {
  const { trailers = [], lines = [] } = options;
  const pieces = chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`);
  const end = `0\r\n${trailers.map((line) => `${line}\r\n`).join("")}\r\n`;
  const head = request(`POST ${path} HTTP/1.1`, "Transfer-Encoding: chunked", ...lines);
  return [
    head,
    ...pieces.flatMap((piece) => [{ pauseMs: PAUSE_MS }, piece]),
    { pauseMs: PAUSE_MS },
    end,
  ];
}

/** The same for an answer. */
export function chunkedReply(
  chunks: readonly string[],
  lines: readonly string[],
  trailers: readonly string[] = [],
): Reply {
  const head = ["HTTP/1.1 200 OK", "transfer-encoding: chunked", ...lines].join("\r\n");
  const pieces = chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`);
  const end = `0\r\n${trailers.map((line) => `${line}\r\n`).join("")}\r\n`;
  return {
    steps: [`${head}\r\n\r\n`, ...pieces.flatMap((piece) => [{ pauseMs: PAUSE_MS }, piece]), end],
  };
}

/** For the HCM: trailers of HTTP/1 are let through. */
export const WITH_TRAILERS: JsonObject = { http_protocol_options: { enable_trailers: true } };

/** The cluster that takes trailers, over the upstream `up`. */
export const TRAILER_CLUSTER: JsonObject = httpCluster("up_trailers", ["$up:up"], WITH_TRAILERS);

/** Virtual hosts that send everything there. */
export const TRAILER_HOSTS: readonly JsonObject[] = [
  {
    name: "all",
    domains: ["*"],
    routes: [{ name: "t", match: { prefix: "/" }, route: { cluster: "up_trailers" } }],
  },
];

/** For the HCM: who is answered early has time to send the rest. */
export const PATIENT: JsonObject = { delayed_close_timeout: "0.6s" };

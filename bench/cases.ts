// What is measured: the cases of the command line, and how they are called in the tables.

/** Which of a target's listeners a case talks to. */
export const PROTOCOLS = ["http", "tls", "tcp"] as const;
export type Protocol = (typeof PROTOCOLS)[number];

/** Requests of wrk over kept connections. */
export interface RequestCase {
  readonly kind: "requests";
  readonly id: string;
  readonly protocol: Protocol;
  readonly size: "s" | "b" | "g";
  readonly connections: number;
}

/** TLS handshakes, one after the other, by `openssl s_time`. */
export interface HandshakeCase {
  readonly kind: "handshakes";
  readonly id: string;
  readonly protocol: "tls";
  readonly key: "rsa" | "ec";
  readonly isResumed: boolean;
}

export type BenchCase = RequestCase | HandshakeCase;

export const CASE_FORMS = `
    s64 b64 g4      HTTP: a body of 100 bytes, 64 KiB, 16 MiB; then the number of connections
    ts64 tb64 ...   the same over TLS to the client
    ps64 pg4 ...    the same through a TCP proxy
    hrsa hec        full TLS 1.2 handshakes with RSA 2048, with P-256; hrsa-resumed, hec-resumed`;

const SIZES = { s: "100 bytes", b: "64 KiB", g: "16 MiB" } as const;
const PREFIXES: Readonly<Record<string, Protocol>> = { "": "http", t: "tls", p: "tcp" };

/** Undefined when `id` is no case. */
export function parseCase(id: string): BenchCase | undefined {
  const requests = /^([tp]?)([sbg])([1-9]\d{0,4})$/.exec(id);
  if (requests !== null) {
    const protocol = PREFIXES[requests[1] ?? ""] ?? "http";
    const size = requests[2] as RequestCase["size"];
    return { kind: "requests", id, protocol, size, connections: Number(requests[3]) };
  }
  const handshakes = /^h(rsa|ec)(-resumed)?$/.exec(id);
  if (handshakes === null) return undefined;
  const key = handshakes[1] as HandshakeCase["key"];
  return { kind: "handshakes", id, protocol: "tls", key, isResumed: handshakes[2] !== undefined };
}

const WAYS: Readonly<Record<Protocol, string>> = {
  http: "",
  tls: ", over TLS",
  tcp: ", through a TCP proxy",
};

export function describeCase(one: BenchCase): string {
  if (one.kind === "handshakes") {
    const key = one.key === "rsa" ? "RSA 2048" : "P-256";
    return `${one.id}: ${one.isResumed ? "resumed" : "full"} TLS 1.2 handshakes, ${key}`;
  }
  const connections = `${one.connections} connection${one.connections === 1 ? "" : "s"}`;
  return `${one.id}: ${connections}, ${SIZES[one.size]}${WAYS[one.protocol]}`;
}

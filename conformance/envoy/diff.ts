// Compares two results of a case and names each difference by aspect; used by compare.ts and tests.
import type { CaseResult, NormalConnection, NormalMessage } from "./result.ts";

/** What differs. Stats are `stats:<name>`, so that a list can name one of them. */
export type Aspect =
  | "status"
  | "headers"
  | "body"
  | "fate"
  | "tls"
  | "upstream"
  | "log"
  | "guests"
  | "config"
  | "start"
  | `stats:${string}`;

/** One difference of one case. */
export interface Difference {
  readonly caseId: string;
  readonly aspect: Aspect;
  /** Which response, request or line, for people. */
  readonly where: string;
  readonly expected: string;
  readonly actual: string;
}

const NOTHING = "(nothing)";

class Collector {
  readonly differences: Difference[];
  readonly #caseId: string;

  constructor(caseId: string) {
    this.differences = [];
    this.#caseId = caseId;
  }

  check(aspect: Aspect, where: string, expected: string, actual: string): void {
    if (expected === actual) return;
    this.differences.push({ caseId: this.#caseId, aspect, where, expected, actual });
  }
}

function bodyText(message: NormalMessage | undefined): string {
  if (message === undefined) return NOTHING;
  const cut = message.isCut === true ? " (cut short)" : "";
  const trailers = (message.trailers ?? []).map((line) => `\ntrailer ${line}`).join("");
  return `${message.framing}${cut}: ${message.body ?? ""}${trailers}`;
}

function headerText(message: NormalMessage | undefined): string {
  return message === undefined ? NOTHING : message.headers.join("\n");
}

function diffConnection(
  collector: Collector,
  name: string,
  expected: NormalConnection | undefined,
  actual: NormalConnection | undefined,
): void {
  const left = expected?.responses ?? [];
  const right = actual?.responses ?? [];
  for (let i = 0; i < Math.max(left.length, right.length); i += 1) {
    const where = `${name} response ${i + 1}`;
    collector.check("status", where, left[i]?.start ?? NOTHING, right[i]?.start ?? NOTHING);
    if (left[i] === undefined || right[i] === undefined) continue;
    collector.check("headers", where, headerText(left[i]), headerText(right[i]));
    collector.check("body", where, bodyText(left[i]), bodyText(right[i]));
  }
  collector.check("body", `${name} rest`, expected?.rest ?? "", actual?.rest ?? "");
  collector.check("fate", name, expected?.fate ?? NOTHING, actual?.fate ?? NOTHING);
  collector.check("tls", name, expected?.tls ?? NOTHING, actual?.tls ?? NOTHING);
}

function upstreamText(result: CaseResult, at: number): string {
  const request = result.upstream[at];
  if (request === undefined) return NOTHING;
  const head = [request.start, ...request.headers].join("\n");
  const tls = request.tls === undefined ? "" : ` (${request.tls})`;
  const tunnel = request.tunnel === undefined ? "" : `\ntunnel ${request.tunnel}`;
  return `${request.upstream} connection ${request.connection}${tls}\n${head}\n${bodyText(request)}${tunnel}`;
}

function streamText(result: CaseResult, at: number): string {
  const stream = result.streams?.[at];
  if (stream === undefined) return NOTHING;
  const tls = stream.tls === undefined ? "" : ` (${stream.tls})`;
  return `${stream.upstream}${tls}, ${stream.end}\n${stream.bytes}`;
}

function grpcText(result: CaseResult, at: number): string {
  const call = result.grpc?.[at];
  if (call === undefined) return NOTHING;
  return [
    `${call.path}${call.isWhole ? "" : ", not whole"}`,
    ...call.headers,
    ...call.messages,
  ].join("\n");
}

/** All differences of a case, in the order in which they would be looked at. */
export function diffCase(caseId: string, expected: CaseResult, actual: CaseResult): Difference[] {
  const collector = new Collector(caseId);
  const connections = Math.max(expected.connections.length, actual.connections.length);
  for (let i = 0; i < connections; i += 1) {
    const name = `connection ${i + 1}`;
    diffConnection(collector, name, expected.connections[i], actual.connections[i]);
  }
  const requests = Math.max(expected.upstream.length, actual.upstream.length);
  for (let i = 0; i < requests; i += 1) {
    const where = `upstream request ${i + 1}`;
    collector.check("upstream", where, upstreamText(expected, i), upstreamText(actual, i));
  }
  const streams = Math.max(expected.streams?.length ?? 0, actual.streams?.length ?? 0);
  for (let i = 0; i < streams; i += 1) {
    const where = `upstream stream ${i + 1}`;
    collector.check("upstream", where, streamText(expected, i), streamText(actual, i));
  }
  const calls = Math.max(expected.grpc?.length ?? 0, actual.grpc?.length ?? 0);
  for (let i = 0; i < calls; i += 1) {
    const where = `grpc call ${i + 1}`;
    collector.check("upstream", where, grpcText(expected, i), grpcText(actual, i));
  }
  diffLines(collector, "log", expected.log, actual.log);
  diffLines(collector, "guests", expected.guests ?? [], actual.guests ?? []);
  for (const name of new Set([...Object.keys(expected.stats), ...Object.keys(actual.stats)])) {
    const left = String(expected.stats[name] ?? 0);
    collector.check(`stats:${name}`, "delta", left, String(actual.stats[name] ?? 0));
  }
  return collector.differences;
}

function diffLines(
  collector: Collector,
  aspect: Aspect,
  expected: readonly string[],
  actual: readonly string[],
): void {
  for (let i = 0; i < Math.max(expected.length, actual.length); i += 1) {
    collector.check(aspect, `line ${i + 1}`, expected[i] ?? NOTHING, actual[i] ?? NOTHING);
  }
}

function indented(text: string): string {
  return text
    .split("\n")
    .map((line) => `      ${line}`)
    .join("\n");
}

/** A difference for people: Envoy's above ours; of two lists only the lines that differ. */
export function formatDifference(difference: Difference): string {
  const { caseId, aspect, where, expected, actual } = difference;
  return [
    `${caseId} / ${aspect} / ${where}`,
    "    expected",
    indented(expected),
    "    actual",
    indented(actual),
  ].join("\n");
}

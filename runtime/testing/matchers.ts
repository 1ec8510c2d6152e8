// What vitest's expect learns about filters under test; vitest.ts registers it. Each matcher says in its
// failure what the stream is doing instead.
import type { LogLine } from "../test/harness.ts";
import type { CalloutMatch, CalloutRequest } from "./callouts.ts";
import { differencesOf, matchText, requestText } from "./callouts.ts";
import { TestConnection } from "./connection.ts";
import { type BodyMatch, matchesBody, matchesText, shown, type TextMatch } from "./match.ts";
import { type LocalReply, Message, TestStream } from "./stream.ts";
import { TestFilter } from "./test-filter.ts";

/** What a local reply must be like. */
export interface LocalReplyMatch {
  readonly status?: number;
  readonly details?: TextMatch;
  readonly body?: BodyMatch;
  readonly headers?: Readonly<Record<string, TextMatch>>;
  readonly grpcStatus?: number;
}

/** `R` is what vitest's matchers return. */
export interface FilterMatchers<R> {
  /** Of a stream: a filter holds the request, or the response. */
  toBePaused(where?: "request" | "response"): R;
  /** Of a stream: its request has come to the upstream, with its end. */
  toHaveReachedUpstream(): R;
  /** Of a stream: a filter has answered by itself. */
  toHaveLocalReply(expected?: number | LocalReplyMatch): R;
  /** Of a stream: the downstream has a response, with this status. */
  toHaveResponse(status?: number): R;
  /** Of a stream: it was broken off. */
  toBeReset(details?: TextMatch): R;
  /** Of a message (upstreamRequest, response, localReply): a header; null = it is not there. */
  toHaveHeader(name: string, value?: TextMatch): R;
  /** Of a message: a trailer; null = it is not there. */
  toHaveTrailer(name: string, value?: TextMatch): R;
  /** Of a message: its whole body. */
  toHaveBody(expected: BodyMatch): R;
  /** Of a stream or a filter: it has called the cluster. */
  toHaveCalledOut(cluster: string, match?: CalloutMatch): R;
  /** Of a stream, a connection or a filter: a line of its log has this text in it. */
  toHaveLogged(text: string | RegExp, level?: LogLine["level"]): R;
  /** Of a filter: its counter or gauge has this value. */
  toHaveMetric(name: string, value: number): R;
}

interface Outcome {
  readonly pass: boolean;
  readonly message: () => string;
  readonly actual?: unknown;
  readonly expected?: unknown;
}

type Matchers = { [K in keyof FilterMatchers<Outcome>]: Matcher<FilterMatchers<Outcome>[K]> };
type Matcher<F> = F extends (...args: infer A) => Outcome
  ? (received: unknown, ...args: A) => Outcome
  : never;

/** `what` follows "expected" and "expected not"; `found` is what there is. */
function outcome(pass: boolean, subject: string, what: string, found: string): Outcome {
  const message = (): string => `expected ${subject} ${pass ? "not " : ""}${what}\nfound: ${found}`;
  return { pass, message };
}

export const filterMatchers: Matchers = {
  toBePaused(received, where) {
    const stream = streamOf(received, "toBePaused");
    const at = stream.pausedIn;
    const pass = at !== null && (where === undefined || where === at);
    const what = `to be paused${where === undefined ? "" : ` in its ${where}`}`;
    return outcome(pass, subjectOf(stream), what, stateText(stream));
  },

  toHaveReachedUpstream(received) {
    const stream = streamOf(received, "toHaveReachedUpstream");
    const pass = stream.upstreamRequest !== null && stream.isRequestComplete;
    return outcome(pass, subjectOf(stream), "to have reached the upstream", stateText(stream));
  },

  toHaveLocalReply(received, expected = {}) {
    const stream = streamOf(received, "toHaveLocalReply");
    const match = typeof expected === "number" ? { status: expected } : expected;
    const reply = stream.localReply;
    const wrong = reply === null ? [] : replyDifferences(reply, match);
    const pass = reply !== null && wrong.length === 0;
    const { status } = match;
    const what = `to be answered locally${status === undefined ? "" : ` with ${status}`}`;
    const found = reply === null ? stateText(stream) : `${replyText(reply)}${list(wrong)}`;
    return outcome(pass, subjectOf(stream), what, found);
  },

  toHaveResponse(received, status) {
    const stream = streamOf(received, "toHaveResponse");
    const { response } = stream;
    const pass = response !== null && (status === undefined || response.status === status);
    const what = `to have a response${status === undefined ? "" : ` with ${status}`}`;
    return outcome(pass, subjectOf(stream), what, stateText(stream));
  },

  toBeReset(received, details) {
    const stream = streamOf(received, "toBeReset");
    const { reset } = stream;
    const pass = reset !== null && (details === undefined || matchesText(reset, details));
    const what = `to be reset${details === undefined ? "" : ` with ${shown(details)}`}`;
    return outcome(pass, subjectOf(stream), what, stateText(stream));
  },

  toHaveHeader(received, name, value) {
    return fieldOutcome(received, "toHaveHeader", "header", name, value);
  },

  toHaveTrailer(received, name, value) {
    return fieldOutcome(received, "toHaveTrailer", "trailer", name, value);
  },

  toHaveBody(received, expected) {
    const message = messageOf(received, "toHaveBody");
    const text = message instanceof Message ? message.text : message.text;
    const body = message instanceof Message ? message.body : Buffer.from(message.text);
    const pass = matchesBody(body, expected);
    const result = outcome(pass, "the message", `to have the body ${shown(expected)}`, shown(text));
    return typeof expected === "string" ? { ...result, actual: text, expected } : result;
  },

  toHaveCalledOut(received, cluster, match = {}) {
    const calls = callsOf(received);
    const toIt = calls.filter((call) => call.cluster === cluster);
    const pass = toIt.some((call) => differencesOf(match, call).length === 0);
    const what = `to have called ${matchText(cluster, match)}`;
    const found = calls.map((call) => {
      const wrong = call.cluster === cluster ? differencesOf(match, call) : [];
      return `cluster ${call.cluster}, ${requestText(call)}${list(wrong)}`;
    });
    const subject = received instanceof TestStream ? subjectOf(received) : "the filter";
    return outcome(pass, subject, what, found.length === 0 ? "no calls" : found.join("\n       "));
  },

  toHaveLogged(received, text, level) {
    const logs = logsOf(received);
    const isIt = (line: LogLine): boolean =>
      (level === undefined || line.level === level) &&
      (typeof text === "string" ? line.message.includes(text) : text.test(line.message));
    const what = `to have logged ${shown(text)}${level === undefined ? "" : ` as ${level}`}`;
    const subject = received instanceof TestStream ? subjectOf(received) : "it";
    return outcome(logs.some(isIt), subject, what, logsText(logs));
  },

  toHaveMetric(received, name, value) {
    if (!(received instanceof TestFilter)) throw wrongSubject("toHaveMetric", "a filter", received);
    const { metrics } = received;
    const found = metrics.counter(name) ?? metrics.gauge(name);
    const names = metrics.names.length === 0 ? "no metrics" : metrics.names.join(", ");
    const is = found === undefined ? `no such counter or gauge among ${names}` : String(found);
    return outcome(found === value, `metric ${name}`, `to be ${value}`, is);
  },
};

function fieldOutcome(
  received: unknown,
  matcher: string,
  kind: "header" | "trailer",
  name: string,
  value: TextMatch | undefined,
): Outcome {
  const message = messageOf(received, matcher);
  const isMessage = message instanceof Message;
  const fields = kind === "header" ? message.headers : isMessage ? message.trailers : {};
  const found = fields[name.toLowerCase()];
  const pass = value === undefined ? found !== undefined : matchesText(found, value);
  const what = value === null ? `no ${kind} ${name}` : `${kind} ${name}`;
  const wanted = value === undefined || value === null ? "" : `: ${shown(value)}`;
  const names = Object.keys(fields);
  const others = names.length === 0 ? `no ${kind}s` : `only ${names.join(", ")}`;
  const is = found === undefined ? others : `${name}: ${shown(found)}`;
  return outcome(pass, "the message", `to have ${what}${wanted}`, is);
}

// ---- What matchers are used on.

function streamOf(received: unknown, matcher: string): TestStream {
  if (received instanceof TestStream) return received;
  throw wrongSubject(matcher, "a stream, what t.request() resolves with", received);
}

function messageOf(received: unknown, matcher: string): Message | LocalReply {
  if (received instanceof Message) return received;
  if (typeof received === "object" && received !== null && "grpcStatus" in received) {
    return received as LocalReply;
  }
  if (received instanceof TestStream) {
    const hint = "say s.upstreamRequest, s.response or s.localReply";
    throw new TypeError(`${matcher}: found a stream, which has several messages: ${hint}`);
  }
  const hint = received === null ? "; it has not come (yet)" : "";
  const text = "a message: s.upstreamRequest, s.response or s.localReply";
  throw wrongSubject(matcher, `${text}${hint}`, received);
}

function callsOf(received: unknown): readonly CalloutRequest[] {
  if (received instanceof TestFilter) return received.callouts.made;
  return streamOf(received, "toHaveCalledOut").callouts;
}

function logsOf(received: unknown): readonly LogLine[] {
  const has = received instanceof TestFilter || received instanceof TestConnection;
  return has ? received.logs : streamOf(received, "toHaveLogged").logs;
}

function wrongSubject(matcher: string, expected: string, received: unknown): TypeError {
  const isNull = received === null || received === undefined;
  const found = isNull ? String(received) : typeof received;
  return new TypeError(`${matcher}: found ${found}, expected ${expected}`);
}

// ---- What there is, in words.

/** "GET /orders". */
function subjectOf(stream: TestStream): string {
  return stream.requestLine;
}

/** What a stream is doing, and what it has logged as a warning or worse. */
function stateText(stream: TestStream): string {
  const { localReply, response, reset, upstreamRequest, pausedIn } = stream;
  const logs = stream.logs.filter(({ level }) => LOUD.has(level));
  const said = logs.length === 0 ? "" : `\nlogged: ${logsText(logs)}`;
  const last = stream.actions.findLast(({ answer }) => answer.startsWith("Stop"));
  const by = last === undefined ? "" : ` (${last.callback} answered ${last.answer})`;
  let state = "its request is on its way";
  if (reset !== null) state = `it was reset: ${reset}`;
  else if (localReply !== null) state = replyText(localReply);
  else if (pausedIn !== null) state = `it is paused in its ${pausedIn}${by}`;
  else if (response !== null) state = `a response of the upstream's with ${response.status}`;
  else if (upstreamRequest !== null) {
    const { method, path } = upstreamRequest;
    state = `it went on to the upstream as ${method} ${path}, which has not answered`;
  }
  return state + said;
}

function replyText({ status, details, text }: LocalReply): string {
  const because = details === "" ? "" : `, details ${details}`;
  const body = text === "" ? "" : `, body ${shown(text)}`;
  return `a local reply with ${status}${because}${body}`;
}

function replyDifferences(reply: LocalReply, match: LocalReplyMatch): string[] {
  const wrong: string[] = [];
  const check = (name: string, isGood: boolean, wanted: unknown, found: unknown): void => {
    if (!isGood) wrong.push(`${name}: expected ${shown(wanted)}, found ${shown(found)}`);
  };
  const { status, details, body, headers, grpcStatus } = match;
  if (status !== undefined) check("status", reply.status === status, status, reply.status);
  if (details !== undefined) {
    check("details", matchesText(reply.details, details), details, reply.details);
  }
  if (body !== undefined) {
    check("body", matchesBody(Buffer.from(reply.text), body), body, reply.text);
  }
  if (grpcStatus !== undefined) {
    check("grpcStatus", reply.grpcStatus === grpcStatus, grpcStatus, reply.grpcStatus);
  }
  for (const [name, wanted] of Object.entries(headers ?? {})) {
    const found = reply.headers[name.toLowerCase()];
    check(`header ${name}`, matchesText(found, wanted), wanted, found);
  }
  return wrong;
}

const LOUD: ReadonlySet<LogLine["level"]> = new Set<LogLine["level"]>([
  "warn",
  "error",
  "critical",
]);

function logsText(logs: readonly LogLine[]): string {
  if (logs.length === 0) return "nothing";
  return logs.map(({ level, message }) => `[${level}] ${message}`).join("\n       ");
}

function list(lines: readonly string[]): string {
  return lines.map((line) => `\n       ${line}`).join("");
}

// What two versions of a plugin made of the same stream, compared: by kinds, with the text of both.
import type { HeaderMap, HeaderVisitor } from "../../core/header-map.ts";
import type { LocalReply } from "../../filter/http-filter.ts";
import type { MessageOutcome, StreamOutcome } from "./outcome.ts";
import { Pause } from "./outcome.ts";

/** Their places in this list are those of their counts. */
export const differenceKinds = [
  "request_headers",
  "request_body",
  "request_trailers",
  "response_headers",
  "response_body",
  "response_trailers",
  "local_reply",
  "close",
  "pause",
  "route",
  "values",
  "callouts",
] as const;
export type DifferenceKind = (typeof differenceKinds)[number];

/** One of a stream's differences; texts are cut at 4 KiB. */
export interface Difference {
  readonly kind: DifferenceKind;
  /** By the version that serves, and by the one that is tried. */
  readonly primary: string;
  readonly shadow: string;
}

/** Of each kind so many are told whole; all are counted. */
export const TOLD_MAX = 3;
const TEXT_MAX = 4096;

/** Each kind at most once. */
export class Comparison {
  readonly differences: Difference[];

  constructor() {
    this.differences = [];
  }

  add(kind: DifferenceKind, primary: string, shadow: string): void {
    this.differences.push({ kind, primary: cut(primary), shadow: cut(shadow) });
  }

  outcomes(primary: StreamOutcome, shadow: StreamOutcome): void {
    const isSameReply = this.replies(primary.reply, shadow.reply);
    if (primary.isClosed !== shadow.isClosed) {
      this.add("close", closeText(primary), closeText(shadow));
    }
    // From there on the streams are not the same any more.
    if (!isSameReply || primary.isClosed !== shadow.isClosed) return;
    const pauses: string[][] = [[], []];
    if (primary.pauses !== shadow.pauses) {
      pauses[0]?.push(`pauses in ${pausesText(primary.pauses)}`);
      pauses[1]?.push(`pauses in ${pausesText(shadow.pauses)}`);
    }
    this.#messages("request", primary.request, shadow.request, pauses);
    this.#messages("response", primary.response, shadow.response, pauses);
    const [ofPrimary = [], ofShadow = []] = pauses;
    if (ofPrimary.length > 0) this.add("pause", ofPrimary.join("; "), ofShadow.join("; "));
    if (primary.isRouteCleared !== shadow.isRouteCleared) {
      this.add("route", routeText(primary), routeText(shadow));
    }
    this.#lists("values", valueLines(primary), valueLines(shadow));
  }

  /** Whether both have answered in the same way, or neither has. */
  replies(primary: LocalReply | null, shadow: LocalReply | null): boolean {
    const [a, b] = [replyText(primary), replyText(shadow)];
    if (a !== b) this.add("local_reply", a, b);
    return a === b;
  }

  #messages(
    name: "request" | "response",
    primary: MessageOutcome,
    shadow: MessageOutcome,
    pauses: string[][],
  ): void {
    if (primary.headers === null || shadow.headers === null) {
      const isSame = primary.headers === shadow.headers;
      if (!isSame) notePauses(pauses, `${name} headers`, primary.headers, shadow.headers);
      return;
    }
    this.#lists(`${name}_headers`, headerLines(primary.headers), headerLines(shadow.headers));
    if (primary.isEnded !== shadow.isEnded) {
      notePauses(pauses, `the ${name}'s end`, primary.isEnded || null, shadow.isEnded || null);
    }
    // A body that was broken off is not the same up to the same byte.
    if (!primary.isEnded || !shadow.isEnded) return;
    const [a, b] = [bodyText(primary), bodyText(shadow)];
    if (a !== b) {
      this.add(`${name}_body`, `${a}\n${primary.headText()}`, `${b}\n${shadow.headText()}`);
    }
    this.#lists(`${name}_trailers`, headerLines(primary.trailers), headerLines(shadow.trailers));
  }

  /** Only what one of them has is told. Both are sorted. */
  #lists(kind: DifferenceKind, primary: readonly string[], shadow: readonly string[]): void {
    const [a, b] = [without(primary, shadow), without(shadow, primary)];
    if (a.length > 0 || b.length > 0) this.add(kind, a.join("\n"), b.join("\n"));
    else if (primary.join("\n") !== shadow.join("\n")) {
      this.add(kind, primary.join("\n"), shadow.join("\n"));
    }
  }
}

function notePauses(pauses: string[][], what: string, primary: unknown, shadow: unknown): void {
  pauses[0]?.push(`${what} ${primary === null ? "held" : "let go"}`);
  pauses[1]?.push(`${what} ${shadow === null ? "held" : "let go"}`);
}

function pausesText(pauses: number): string {
  const names = Object.entries(Pause).filter(([, bit]) => (pauses & bit) !== 0);
  return names.map(([name]) => name).join(", ") || "nothing";
}

/** Each of `lines` as often as `others` do not have it. */
function without(lines: readonly string[], others: readonly string[]): string[] {
  const left = [...others];
  return lines.filter((line) => {
    const at = left.indexOf(line);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
}

function closeText({ isClosed }: StreamOutcome): string {
  return isClosed ? "the stream is reset" : "the stream goes on";
}

function routeText({ isRouteCleared }: StreamOutcome): string {
  return isRouteCleared ? "the route is chosen anew" : "the route stays";
}

function replyText(reply: LocalReply | null): string {
  if (reply === null) return "no reply";
  const { status, body, headers, grpcStatus, details } = reply;
  const lines: string[] = [];
  for (let i = 0; headers !== null && i < headers.length; i += 2) {
    lines.push(`${headers[i]}: ${headers[i + 1]}`);
  }
  const grpc = grpcStatus < 0 ? [] : [`gRPC status ${grpcStatus}`];
  return [`${status} ${details}`, ...grpc, ...lines, body].join("\n").trimEnd();
}

function bodyText(message: MessageOutcome): string {
  return `${message.bodyBytes} bytes, sha256 ${message.digest() || "of nothing"}`;
}

function valueLines({ values }: StreamOutcome): string[] {
  return [...values].map(([what, value]) => `${what}: ${value}`).sort();
}

class LineList implements HeaderVisitor {
  readonly lines: { name: string; line: string }[] = [];
  onHeader(name: string, value: string): void {
    this.lines.push({ name, line: `${name}: ${value}` });
  }
}

/** By their names: the order of lines of one name says something, that of names does not. */
function headerLines(headers: HeaderMap | null): string[] {
  const list = new LineList();
  headers?.visit(list);
  return list.lines
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
    .map(({ line }) => line);
}

function cut(text: string): string {
  return text.length <= TEXT_MAX ? text : `${text.slice(0, TEXT_MAX)}...`;
}

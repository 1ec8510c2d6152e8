// A case with its place in a run: its guest, its port, its upstream.
import type { Case, Request, Response, Scene, Step } from "../abi/case.ts";
import { REQUEST } from "../abi/case.ts";
import { type Guest, makeGuest } from "../abi/guest.ts";
import { guestOf, guestsBehind, listOf } from "../abi/make-case.ts";
import type { Reply } from "../envoy/case.ts";
import { freePort } from "../envoy/ports.ts";
import { UpstreamRecorder } from "../envoy/upstream-recorder.ts";

export interface Placed {
  readonly case: Case;
  /** Unique in a run: names its listener, cluster, file, and what its guest makes. */
  readonly tag: string;
  readonly guest: Guest;
  /** Of the plugins behind the first. */
  readonly behind: readonly Guest[];
  /** Where its listener listens. */
  readonly port: number;
  /** Its upstream, which listens. */
  readonly recorder: UpstreamRecorder;
  readonly upstreamPort: number;
}

let nextNumber = 0;

export async function place(one: Case): Promise<Placed> {
  nextNumber += 1;
  const tag = `c${String(nextNumber).padStart(5, "0")}a`;
  const recorder = await UpstreamRecorder.start({ up: 0 });
  const upstreamPort = recorder.ports["up"] ?? 0;
  const guest = guestOf(one, tag);
  const behind = guestsBehind(one).map((options, at) => {
    return makeGuest({ ...options, tag: `${caseOf(tag)}${"bcd"[at] ?? ""}` });
  });
  return { case: one, tag, guest, behind, port: await freePort(), recorder, upstreamPort };
}

/** What the tags of a case's plugins have in common. */
export function caseOf(tag: string): string {
  return tag.slice(0, -1);
}

/** What happens in a scene. */
export function stepsOf({ play = [{ request: {} }] }: Scene): readonly Step[] {
  return play;
}

/** A request of a step, with what the scene and the suite say of all. */
export function requestOf(scene: Scene, request: Request): Request {
  return { ...REQUEST, ...scene.request, ...request };
}

/** The bytes of a request, in the pieces that are written by themselves. */
export function requestPieces(request: Request): readonly string[] {
  const { method = "GET", path = "/", authority = "example.com" } = request;
  const lines = [`${method} ${path} HTTP/1.1`, `host: ${authority}`];
  return [...messagePieces(lines, request, [])];
}

/** Waits until the guest has been told what was written so far, which is the piece of this number. */
export type PieceSeen = (callback: string, pieces: number) => Promise<void>;

/** The upstream's answers to the requests of a case, in their order. */
export function repliesOf(one: Case, pieceSeen: PieceSeen): readonly Reply[] {
  const { scene } = one;
  return stepsOf(scene).flatMap((step): Reply[] => {
    if (!("request" in step)) return [];
    const { upstream = {} } = requestOf(scene, step.request);
    return [upstream === "never" ? { steps: [{ awaitEnd: true }] } : reply(upstream, pieceSeen)];
  });
}

function reply(response: Response, pieceSeen: PieceSeen): Reply {
  const lines = [`HTTP/1.1 ${response.status ?? 200} Whatever`];
  const pieces = messagePieces(lines, response, ["content-length: 0"]);
  return { steps: apart(pieces, (count) => pieceSeen("proxy_on_response_body", count)) };
}

/** Pieces that wait for one another. */
export function apart(
  pieces: readonly string[],
  seen: (count: number) => Promise<void>,
): (string | { readonly awaitOther: () => Promise<void> })[] {
  return pieces.flatMap((piece, at) =>
    at === 0 ? [piece] : [{ awaitOther: () => seen(at) }, piece],
  );
}

/** Bodies and trailers are chunked. */
function messagePieces(
  start: readonly string[],
  { headers, body, trailers }: Pick<Response, "headers" | "body" | "trailers">,
  bare: readonly string[],
): string[] {
  const isBare = body === undefined && trailers === undefined;
  const framing = isBare ? bare : ["transfer-encoding: chunked"];
  const head = [...start, ...linesOf(headers), ...framing].join("\r\n");
  if (isBare) return [`${head}\r\n\r\n`];
  const pieces = typeof body === "string" ? [body] : (body ?? []);
  const chunks = pieces.map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`);
  const end = ["0", ...linesOf(trailers), "", ""].join("\r\n");
  // The end has a write of its own: what comes with it would be told with it.
  const [first = "", ...rest] = chunks;
  return [`${head}\r\n\r\n${first}`, ...rest, end];
}

function linesOf(fields: Response["headers"]): string[] {
  return listOf(fields).map(([name, value]) => `${name}: ${value}`);
}

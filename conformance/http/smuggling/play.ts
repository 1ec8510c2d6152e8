// Plays one case through the rig and says what came of it.
import type { RawClient } from "../raw-client.ts";
import type { Outcome, RequestCase, ResponseCase } from "./case.ts";
import { head } from "./case.ts";
import { Reader, readers, type Seen, strict } from "./readers.ts";
import type { Rig, UpstreamConnection } from "./rig.ts";

const strictReader = new Reader(strict);
/** A connection that is to be closed is taken for open after this time. */
const FATE_WAIT_MS = 4000;
const PROBE = "GET /probe";

/** What came of a request case, and what readers disagree about. */
export interface RequestResult {
  readonly outcome: Outcome;
  readonly disagreements: readonly string[];
}

/** Requests of all connections that are whole, as text. */
function wholeRequests(connections: readonly UpstreamConnection[]): string[] {
  return connections.flatMap(({ bytes }) =>
    strictReader
      .requests(bytes)
      .filter((request) => request.isComplete)
      .map(({ start, body }) => (body === "" ? start : `${start} ${JSON.stringify(body)}`)),
  );
}

/** One line for each reader that sees something else than the strict one. */
export function disagreements(connections: readonly UpstreamConnection[]): string[] {
  return connections.flatMap(({ bytes }) => {
    const wanted = JSON.stringify(strictReader.requests(bytes).map(comparable));
    return readers
      .map((habits) => [habits.name, new Reader(habits).requests(bytes).map(comparable)] as const)
      .filter(([, seen]) => JSON.stringify(seen) !== wanted)
      .map(([name, seen]) => `a reader that ${name} sees ${JSON.stringify(seen)} in ${bytes}`);
  });
}

/** Of a request that was cut off, only that it was counts: it is never carried out. */
function comparable(seen: Seen): Seen {
  return seen.isComplete ? seen : { start: "", host: "", body: "", isComplete: false };
}

function statusesOf(client: RawClient, methods: readonly string[]): number[] {
  return strictReader
    .responses(client.received, methods, client.isEnded)
    .filter((response) => response.isComplete && !response.start.startsWith("1"))
    .map((response) => Number(response.start));
}

/** Methods of the requests in `bytes`, as far as a client that wrote them means them. */
function methodsIn(bytes: string): string[] {
  return [...bytes.matchAll(/^([A-Z]+) \S+ HTTP/gm)].map((match) => match[1] ?? "");
}

/** Each case forgets the connections of the cases before it, but for their reuse. */
export async function playRequest(rig: Rig, one: RequestCase): Promise<RequestResult> {
  const marks = new Map(rig.upstream.connections.map((side) => [side, side.bytes.length]));
  const client = rig.connect(one.site);
  const methods = [...methodsIn(one.send), "GET"];
  client.send(one.send, one.fin);
  const wanted = one.expected.statuses.length;
  await client.until(() => statusesOf(client, methods).length >= wanted);
  let fate: Outcome["fate"] = "closed";
  const isProbed = one.expected.fate === "open" && !client.isEnded;
  if (isProbed) {
    client.send(head("GET /probe HTTP/1.1", "Host: probe"));
    await client.until(() => statusesOf(client, methods).length > wanted);
    if (client.received.endsWith(PROBE)) fate = "open";
  } else if (!(await client.until(() => false, FATE_WAIT_MS))) fate = "open";
  const statuses = statusesOf(client, methods);
  client.close();
  const touched = rig.upstream.connections
    .filter((side) => side.bytes.length > (marks.get(side) ?? 0))
    .map((side) => ({ bytes: side.bytes.slice(marks.get(side) ?? 0), isEnded: side.isEnded }));
  const upstream = wholeRequests(touched);
  if (isProbed && fate === "open") {
    if (upstream.at(-1) === "GET /probe") upstream.pop();
    statuses.pop();
  }
  return { outcome: { upstream, statuses, fate }, disagreements: disagreements(touched) };
}

export interface ResponseResult {
  readonly status: number;
  readonly body: string;
  readonly isWhole: boolean;
  /** Body of the answer to the next request: must be the upstream's answer to it. */
  readonly next: string;
  readonly disagreements: readonly string[];
}

const NEXT = "GET /next";

/** The response, and after it a request that must get its own answer. */
export async function playResponse(rig: Rig, one: ResponseCase): Promise<ResponseResult> {
  const client = rig.connect("main");
  const methods = [one.method, "GET"];
  const finals = (): Seen[] =>
    strictReader
      .responses(client.received, methods, client.isEnded)
      .filter((response) => !response.start.startsWith("1"));
  rig.upstream.plan = one;
  client.send(head(`${one.method} /reply HTTP/1.1`, "Host: h"));
  await client.until(() => finals()[0]?.isComplete === true);
  const isOpen = !client.isEnded && finals()[0]?.isComplete === true;
  rig.upstream.plan = null;
  const second =
    isOpen && !/\r\nconnection: close\r\n/i.test(client.received) ? client : rig.connect("main");
  second.send(head("GET /next HTTP/1.1", "Host: h"));
  await second.until(() => second.received.endsWith(NEXT));
  const first = finals()[0];
  const lines = readers
    .map(
      (habits) =>
        [
          habits.name,
          new Reader(habits).responses(client.received, methods, client.isEnded),
        ] as const,
    )
    .filter(
      ([, seen]) =>
        JSON.stringify(seen) !==
        JSON.stringify(strictReader.responses(client.received, methods, client.isEnded)),
    )
    .map(
      ([name, seen]) => `a reader that ${name} sees ${JSON.stringify(seen)} in ${client.received}`,
    );
  const next = second.received.endsWith(`\r\n\r\n${NEXT}`) ? NEXT : second.received;
  client.close();
  second.close();
  return {
    status: Number(first?.start ?? 0),
    body: first?.body ?? "",
    isWhole: first?.isComplete === true,
    next,
    disagreements: lines,
  };
}

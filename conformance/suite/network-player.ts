// Plays a placed case over the network, and tells what the host did.
import { readFileSync } from "node:fs";
import net from "node:net";
import type { Scene, TcpStep } from "../abi/case.ts";
import { isReport, readReports, type Report } from "../abi/reports.ts";
import {
  type FieldList,
  ownFields,
  Seen,
  type SeenConnection,
  type SeenExchange,
  type SeenLine,
  type SeenRequest,
} from "../abi/seen.ts";
import type { Stream } from "../envoy/case.ts";
import { type ConnectionResult, playConnection } from "../envoy/raw-client.ts";
import type { UpstreamRecorder, UpstreamRequest } from "../envoy/upstream-recorder.ts";
import { statusOf } from "../envoy/wire.ts";
import {
  apart,
  type PieceSeen,
  type Placed,
  repliesOf,
  requestOf,
  requestPieces,
  stepsOf,
} from "./placed.ts";

/** For what does not come. */
const RESPONSE_MS_MAX = 3_000;
const UNTIL_MS_MAX = 2_000;
/** Between moves, when what was before them has been told: so that each is read by itself. */
const PIECE_MS = 30;
/** For what a plugin holds back, so that nobody is told of it. */
const PIECE_MS_MAX = 600;
const HELD_MS = 240;

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** What a player needs of the host. */
export interface HostView {
  /** Lines of the host's log with reports of a tag, or lines of its guest. */
  readonly linesOf: (tag: string) => readonly string[];
  readonly logLine: RegExp | undefined;
  readonly accessLog: string;
  /** Those whose names begin so. */
  readonly metrics: (prefix: string) => Promise<ReadonlyMap<string, number>>;
  readonly drain: (placed: Placed) => void;
  readonly isRunning: () => boolean;
}

export class NetworkPlayer {
  readonly #placed: Placed;
  readonly #scene: Scene;
  readonly #host: HostView;
  readonly #patience: number;
  readonly #recorder: UpstreamRecorder;
  /** Responses that are waited for, or were. */
  readonly #responses: Promise<ConnectionResult>[];
  readonly #results: (ConnectionResult | undefined)[];
  /** How many requests the upstream had got when each was sent: those of it come behind. */
  readonly #firstRequests: number[];
  readonly #connections: TcpClient[];

  constructor(placed: Placed, host: HostView, patience: number) {
    const { recorder } = placed;
    const isNetwork = placed.case.scene.position === "network";
    this.#placed = placed;
    this.#scene = placed.case.scene;
    this.#host = host;
    this.#patience = patience;
    this.#recorder = recorder;
    this.#responses = [];
    this.#results = [];
    this.#firstRequests = [];
    this.#connections = [];
    const replies = repliesOf(placed.case, (name, count) => this.#pieceSeen(name, count));
    recorder.script(replies, isNetwork ? this.#streams() : undefined);
  }

  async play(): Promise<void> {
    for (const step of stepsOf(this.#scene)) {
      if (!this.#host.isRunning()) return;
      if ("request" in step) {
        const pieces = requestPieces(requestOf(this.#scene, step.request));
        const response = this.#send(pieces);
        if (step.open !== true) await response;
      } else if ("connect" in step) {
        const client = new TcpClient(this.#placed.port);
        this.#connections.push(client);
        await client.play(step.connect, (name, count) => this.#pieceSeen(name, count));
      } else if ("until" in step) await this.#until(step.until, step.times ?? 1);
      else if ("pauseMs" in step) await delay(step.pauseMs);
      else this.#host.drain(this.#placed);
    }
    await Promise.all(this.#responses);
  }

  async #send(pieces: readonly string[]): Promise<void> {
    const at = this.#results.push(undefined) - 1;
    this.#firstRequests.push(this.#recorder.requests().length);
    const waits = { responseMs: RESPONSE_MS_MAX * this.#patience, closeMs: 0 };
    const send = apart(pieces, (count) => this.#pieceSeen("proxy_on_request_body", count));
    const response = playConnection(this.#placed.port, { send }, waits);
    this.#responses.push(response);
    this.#results[at] = await response;
  }

  /** What its guest is not told of needs time alone. */
  async #pieceSeen(name: string, count: number): Promise<void> {
    const isTold = this.#placed.guest.callbacks.some((one) => one.name === name);
    if (isTold) await this.#until(name, count, PIECE_MS_MAX);
    await delay(PIECE_MS);
  }

  /** Of each instance for itself: a host may run a plugin on several threads. */
  async #until(name: string, times: number, limitMs: number = UNTIL_MS_MAX): Promise<void> {
    const until = Date.now() + limitMs * this.#patience;
    while (Date.now() < until && this.#host.isRunning()) {
      const counts = new Map<string, number>();
      for (const { instance, callback } of this.#reports()) {
        if (callback.name === name) counts.set(instance, (counts.get(instance) ?? 0) + 1);
      }
      if ([...counts.values()].some((count) => count >= times)) return;
      await delay(5);
    }
  }

  #reports(): readonly Report[] {
    const { guest, tag } = this.#placed;
    return this.#host.linesOf(tag).flatMap((line) => readReports(line, guest));
  }

  /** Of streams: what VMs on several threads are told besides has no order. */
  #chain(): readonly Report[] {
    const { guest, behind, tag } = this.#placed;
    const guests = [guest, ...behind];
    return this.#host
      .linesOf(tag)
      .flatMap((line) => guests.flatMap((one) => readReports(line, one)));
  }

  async seen(): Promise<Seen> {
    const { tag, guest, case: one } = this.#placed;
    const details = detailsOf(this.#host.accessLog, tag);
    const requests = this.#recorder.requests();
    // Modules do not have the tag in the names of theirs.
    const prefix = one.scene.module === undefined ? tag : "";
    const metrics = one.needs.includes("metrics") ? await this.#host.metrics(prefix) : new Map();
    return new Seen({
      guest,
      reports: this.#reports(),
      chain: this.#chain(),
      exchanges: this.#results.map((result, at) =>
        seenExchange(result, this.#requestOf(at, requests), details?.[at]),
      ),
      connections: this.#seenConnections(),
      logs: this.#logs(),
      metrics,
      refusal: null,
    });
  }

  /** What reached the upstream of a request, if anything did. */
  #requestOf(at: number, requests: readonly UpstreamRequest[]): UpstreamRequest | undefined {
    const from = this.#firstRequests[at] ?? 0;
    const isOfNext = at + 1 < this.#firstRequests.length && this.#firstRequests[at + 1] === from;
    return isOfNext ? undefined : requests[from];
  }

  #logs(): readonly SeenLine[] {
    const { logLine } = this.#host;
    if (logLine === undefined) return [];
    return this.#host.linesOf(this.#placed.tag).flatMap((line) => {
      const [, level = "", message = ""] = logLine.exec(line) ?? [];
      const isOwn = level !== "" && !isReport(message);
      return isOwn ? [{ level: level.replace(/ing$/, ""), message }] : [];
    });
  }

  #seenConnections(): readonly SeenConnection[] {
    const streams = this.#recorder.streams();
    return this.#connections.map((client, at) => {
      const stream = streams[at];
      const bytes = stream?.bytes ?? "";
      return {
        toServer: stream?.end === "closed" && !client.hasLeft ? `${bytes}(end)` : bytes,
        toClient: client.received,
        isClosed: client.isClosed,
      };
    });
  }

  /** What the upstream does with each connection: its moves, when the client's before them have come. */
  #streams(): readonly Stream[] {
    return stepsOf(this.#scene).flatMap((step): Stream[] => {
      if (!("connect" in step)) return [];
      const steps: Stream["steps"][number][] = [];
      let sent = "";
      let pieces = 0;
      for (const move of step.connect) {
        if (move === "server ends") {
          const before = pieces;
          if (before > 0) {
            steps.push({ awaitOther: () => this.#pieceSeen("proxy_on_upstream_data", before) });
          }
          steps.push({ fin: true });
        } else if (move === "client ends") steps.push({ awaitEnd: true });
        else if (move === "client leaves") continue;
        else if ("client" in move) sent += move.client;
        else {
          const awaited = move.after ?? sent;
          if (pieces === 0 && awaited !== "") steps.push({ awaitText: awaited });
          const before = pieces;
          if (before > 0) {
            steps.push({ awaitOther: () => this.#pieceSeen("proxy_on_upstream_data", before) });
          }
          steps.push(move.server);
          pieces += 1;
        }
      }
      // Its own side stays open: a case that says nothing of it does not want an end.
      return [
        {
          steps: steps.some((one) => typeof one === "object")
            ? steps
            : [...steps, { awaitEnd: true }],
        },
      ];
    });
  }

  async stop(): Promise<void> {
    for (const client of this.#connections) client.destroy();
    await this.#recorder.stop();
  }
}

function detailsOf(file: string, tag: string): readonly string[] | undefined {
  let text: string;
  try {
    text = readFileSync(file, "latin1");
  } catch {
    return undefined;
  }
  const lines = text.split("\n").filter((line) => line.startsWith(`${tag}|`));
  return lines.map((line) => line.slice(tag.length + 1));
}

function seenExchange(
  result: ConnectionResult | undefined,
  request: UpstreamRequest | undefined,
  details: string | undefined,
): SeenExchange {
  const message = result?.messages[0];
  return {
    status: statusOf(message?.start ?? ""),
    headers: ownFields(fieldsOf(message?.headers ?? [])),
    body: message?.body ?? "",
    trailers: fieldsOf(message?.trailers ?? []),
    isComplete: message?.isComplete ?? false,
    upstream: request === undefined ? null : seenRequest(request),
    details,
  };
}

function seenRequest({ message }: UpstreamRequest): SeenRequest {
  const fields = fieldsOf(message.headers);
  const [method = "", path = ""] = message.start.split(" ");
  return {
    method,
    path,
    authority: fields.find(([name]) => name === "host")?.[1] ?? "",
    headers: ownFields(fields),
    body: message.body,
    trailers: fieldsOf(message.trailers),
  };
}

function fieldsOf(lines: readonly string[]): FieldList {
  return lines.map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
  });
}

/** A client whose connection stays until its case is judged. */
class TcpClient {
  readonly #socket: net.Socket;
  received: string;
  isClosed: boolean;
  hasLeft: boolean;

  constructor(port: number) {
    this.received = "";
    this.isClosed = false;
    this.hasLeft = false;
    this.#socket = net.connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    this.#socket.setNoDelay(true);
    this.#socket.on("data", (part) => {
      this.received += part.toString("latin1");
    });
    this.#socket.on("end", () => {
      this.received += "(end)";
      this.isClosed = true;
    });
    this.#socket.on("error", () => undefined);
    this.#socket.on("close", () => {
      this.isClosed = true;
    });
  }

  async play(moves: readonly TcpStep[], pieceSeen: PieceSeen): Promise<void> {
    let wanted = "";
    let sent = 0;
    for (const move of moves) {
      if (move === "client leaves") {
        this.hasLeft = true;
        this.#socket.resetAndDestroy();
      } else if (move === "client ends") {
        this.#socket.end();
        sent += 1;
      } else if (move === "server ends") wanted += "(end)";
      else if ("client" in move) {
        this.#socket.write(move.client, "latin1");
        sent += 1;
      } else wanted += move.server;
      await this.#until(wanted);
      await pieceSeen("proxy_on_downstream_data", sent);
    }
  }

  /** What a plugin holds back does not come: then the wait is short. */
  async #until(wanted: string): Promise<void> {
    const until = Date.now() + HELD_MS;
    while (this.received.length < wanted.length && !this.isClosed && Date.now() < until) {
      await delay(5);
    }
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

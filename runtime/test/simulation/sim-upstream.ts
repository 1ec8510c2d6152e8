// A simulated upstream host: reads requests, judges them, and answers each as its exchange says.
import type { Dice } from "../../src/engine-sim/dice.ts";
import type { SimEngine } from "../../src/engine-sim/sim-engine.ts";
import type { SimIo } from "../../src/engine-sim/sim-io.ts";
import type { SimTlsIo } from "../../src/engine-sim/sim-tls-io.ts";
import type {
  IoEvents,
  IoHandle,
  ListenEvents,
  ListenHandle,
} from "../../src/engine/network-engine.ts";
import { BodyCheck, bodyBytes, type Exchange } from "./exchange.ts";
import { fieldOf, type Head, type MessageEvents, MessageReader } from "./message-reader.ts";
import type { Party, PeerIo } from "./party.ts";
import type { UpstreamAddress } from "./bootstrap-yaml.ts";

const listenOptions = { reusePort: false, backlog: 0, ipv4Compat: false, mode: 0 };
/** Longer than any timeout of the configuration. */
const silenceMs = 30_000;
const garbage = [
  "\x00\x01\x02\x03garbage\r\n\r\n",
  "HTTP/1.1 2OO OK\r\n\r\n",
  "HTTP/1.1 200 OK\r\nbad header\r\n\r\n",
];

export class SimUpstream implements ListenEvents {
  readonly address: UpstreamAddress;
  readonly connections: Set<UpstreamConnection>;
  readonly #engine: SimEngine;
  readonly #party: Party;
  readonly #dice: Dice;
  readonly #closesIdle: boolean;
  #handle: ListenHandle | null;

  constructor(
    engine: SimEngine,
    party: Party,
    dice: Dice,
    address: UpstreamAddress,
    closesIdle: boolean,
  ) {
    this.address = address;
    this.connections = new Set();
    this.#engine = engine;
    this.#party = party;
    this.#dice = dice;
    this.#closesIdle = closesIdle;
    this.#handle = null;
  }

  listen(): void {
    this.#handle ??= this.#engine.listen({ ...this.address, family: "ipv4" }, listenOptions, this);
  }

  /** Connects are refused until listen(). */
  goDown(): void {
    this.#handle?.close();
    this.#handle = null;
  }

  onListening(): void {}

  onError(code: string): void {
    this.#party.fail(`upstream cannot listen: ${code}`, undefined);
  }

  onAccept(io: IoHandle): IoEvents {
    const own = this.#party.accept(io as SimIo);
    const dice = this.#dice.fork();
    const connection = new UpstreamConnection(this, own, this.#party, dice, this.#closesIdle);
    this.connections.add(connection);
    this.#party.readSlowly(connection.io.id, connection.io, () => this.connections.has(connection));
    if (own === io) return connection;
    own.setEvents(connection);
    return own as SimTlsIo;
  }
}

export class UpstreamConnection implements IoEvents, MessageEvents {
  readonly io: PeerIo;
  readonly #host: SimUpstream;
  readonly #party: Party;
  readonly #dice: Dice;
  readonly #closesIdle: boolean;
  readonly #reader: MessageReader;
  #exchange: Exchange | null;
  #body: BodyCheck | null;
  #isRequestComplete: boolean;
  #isAnswering: boolean;
  #isGone: boolean;

  constructor(host: SimUpstream, io: PeerIo, party: Party, dice: Dice, closesIdle: boolean) {
    this.io = io;
    this.#host = host;
    this.#party = party;
    this.#dice = dice;
    this.#closesIdle = closesIdle;
    this.#reader = new MessageReader(false, this);
    this.#exchange = null;
    this.#body = null;
    this.#isRequestComplete = false;
    this.#isAnswering = false;
    this.#isGone = false;
  }

  /** The request that it works on. */
  get exchange(): Exchange | null {
    return this.#exchange;
  }

  // ---- IoEvents.

  onConnect(): void {}

  onRead(buffer: Buffer, length: number): void {
    this.#reader.read(buffer.subarray(0, length));
    if (this.#reader.error !== "") {
      this.#party.fail(`bad request: ${this.#reader.error}`, this.#exchange ?? undefined);
    }
  }

  onWritable(): void {}

  onEnd(): void {
    this.io.close();
    this.#gone();
  }

  onClose(): void {
    this.#gone();
  }

  // ---- MessageEvents.

  isBodiless(): boolean {
    return false;
  }

  onHead(head: Head): void {
    const exchange = this.#party.findExchange(fieldOf(head, "x-sim-id"));
    if (exchange === undefined) this.#party.fail(`an upstream got ${head.startLine}`, undefined);
    if (this.#exchange !== null) {
      // The unasked answer to the last request was taken for this one's.
      if (this.#party.hasSurplus) exchange.excuses.add("surplus");
      else this.#party.fail("a request before the last was answered", exchange);
    }
    this.#exchange = exchange;
    this.#isRequestComplete = false;
    this.#isAnswering = false;
    exchange.attempts += 1;
    this.#checkHead(head, exchange);
    const { filter, request } = exchange;
    const tail = filter.requestTail;
    this.#body = new BodyCheck(exchange.id, false, request.bodyBytes, filter.requestShift, tail);
    if (exchange.answer.kind.endsWith("-at-head")) {
      exchange.excuses.add(exchange.answer.kind);
      this.#end(exchange.answer.kind === "reset-at-head");
    } else if (exchange.answer.kind === "early") {
      exchange.excuses.add("early");
      this.#later(exchange.answer.delayMs, () => this.#answer(exchange));
    } else if (exchange.answer.kind === "silent") this.#beSilent(exchange);
  }

  onBody(bytes: Buffer): void {
    const body = this.#body as BodyCheck;
    const exchange = this.#exchange as Exchange;
    exchange.hasUpstreamBody = true;
    body.take(bytes);
    if (body.fault !== "") this.#party.fail(`request body: ${body.fault}`, exchange);
  }

  onComplete(trailers: Head["fields"] | null): void {
    const exchange = this.#exchange as Exchange;
    const body = this.#body as BodyCheck;
    this.#isRequestComplete = true;
    if (body.bytes !== body.expected) {
      this.#party.fail(`request complete with ${body.bytes} of ${body.expected} bytes`, exchange);
    }
    const trailer = trailers?.find(([name]) => name === "x-sim-trailer")?.[1];
    if (exchange.request.hasTrailers && trailer !== `request-${exchange.id}`) {
      this.#party.fail(`request trailers are ${JSON.stringify(trailers)}`, exchange);
    }
    const { kind } = exchange.answer;
    if (kind === "silent" || kind === "early") {
      if (exchange.isAnswerSent) this.#becomeIdle();
      return;
    }
    this.#later(exchange.answer.delayMs, () => this.#answer(exchange));
  }

  // ---- Judging the request.

  #checkHead(head: Head, exchange: Exchange): void {
    const { request } = exchange;
    const expected = `${request.method} ${request.path}/${exchange.id} HTTP/1.1`;
    if (head.startLine !== expected)
      this.#party.fail(`${head.startLine} instead of ${expected}`, exchange);
    for (const name of ["connection", "upgrade", "keep-alive", "expect"]) {
      if (fieldOf(head, name) !== null) this.#party.fail(`${name} reached the upstream`, exchange);
    }
    // A kept connection that turns out to be dead is replaced once, if the method allows it.
    if (exchange.attempts > (request.method === "POST" ? 1 : 2)) {
      this.#party.fail(`sent upstream ${exchange.attempts} times`, exchange);
    }
  }

  // ---- Answering.

  #answer(exchange: Exchange): void {
    const { answer } = exchange;
    if (this.#isGone || this.#exchange !== exchange || this.#isAnswering) return;
    this.#isAnswering = true;
    if (answer.kind === "garbage-head") {
      exchange.excuses.add("garbage-head");
      this.io.writeText(this.#dice.pick(garbage));
      return;
    }
    if (answer.kind.endsWith("-before-answer")) {
      exchange.excuses.add(answer.kind);
      this.#end(answer.kind === "reset-before-answer");
      return;
    }
    for (const status of answer.interim)
      this.io.writeText(`HTTP/1.1 ${status} Interim\r\nx-sim-interim: 1\r\n\r\n`);
    this.io.writeText(responseHead(exchange));
    if (exchange.isBodiless) this.#answered(exchange);
    else this.#sendBody(exchange, 0);
  }

  /** A piece of the body, and the rest later. */
  #sendBody(exchange: Exchange, from: number): void {
    const { answer } = exchange;
    if (this.#isGone || this.#exchange !== exchange) return;
    const left = answer.bodyBytes - from;
    const breaks = answer.kind.endsWith("-in-body") || answer.kind === "garbage-chunk";
    // Before the last byte: the response must not be complete.
    if (breaks && (left <= 1 || this.#dice.chance(0.4))) {
      this.#break(exchange);
      return;
    }
    if (left === 0) {
      this.#endBody(exchange);
      return;
    }
    const size = Math.min(breaks ? left - 1 : left, 1 + this.#dice.spread(0, 60_000));
    const bytes = bodyBytes(exchange.id, from, from + size, true);
    if (answer.framing === "chunked") {
      this.io.writeText(`${size.toString(16)}\r\n`);
      this.io.write(bytes);
      this.io.writeText("\r\n");
    } else this.io.write(bytes);
    // With the last byte of a length the response is complete: the next request may be on its way.
    if (size === left && answer.framing === "length" && !breaks) {
      this.#endBody(exchange);
      return;
    }
    const delayMs = answer.pieceDelayMs === 0 ? 0 : this.#dice.spread(0, answer.pieceDelayMs);
    this.#later(delayMs, () => this.#sendBody(exchange, from + size));
  }

  #endBody(exchange: Exchange): void {
    const { answer } = exchange;
    if (answer.framing === "chunked") {
      const trailers = answer.hasTrailers ? `x-sim-trailer: response-${exchange.id}\r\n` : "";
      this.io.writeText(`0\r\n${trailers}\r\n`);
    }
    this.#answered(exchange);
  }

  #answered(exchange: Exchange): void {
    const { answer } = exchange;
    exchange.isAnswerSent = true;
    const isUntilClose = answer.framing === "close" && !exchange.isBodiless;
    if (answer.kind === "surplus" && !isUntilClose)
      this.io.writeText("HTTP/1.1 200 surplus\r\ncontent-length: 5\r\n\r\nextra");
    if (isUntilClose || answer.says === "close") this.#end(false);
    else if (this.#isRequestComplete) this.#becomeIdle();
  }

  #becomeIdle(): void {
    const last = this.#exchange;
    this.#exchange = null;
    if (!this.#closesIdle || !this.#dice.chance(0.4)) return;
    const { completed } = this.#reader;
    this.#later(this.#dice.spread(0, 60), () => {
      // The bad moment: a request may be on its way.
      if (this.#exchange !== null || this.#reader.completed !== completed) return;
      this.#party.noteIdleClose();
      const withReset = this.#dice.chance(0.3);
      // A reset takes what has not arrived of the last answer.
      if (withReset) last?.excuses.add("reset-when-idle");
      this.#end(withReset);
    });
  }

  #break(exchange: Exchange): void {
    const { kind } = exchange.answer;
    exchange.excuses.add(kind);
    if (kind === "garbage-chunk" && exchange.answer.framing === "chunked")
      this.io.writeText("zz\r\nnot a chunk\r\n");
    else this.#end(kind === "reset-in-body");
  }

  #beSilent(exchange: Exchange): void {
    exchange.excuses.add("silent");
    this.#later(silenceMs, () => {
      if (this.#exchange === exchange) this.#end(false);
    });
  }

  #end(withReset: boolean): void {
    if (this.#isGone) return;
    if (withReset) this.io.reset();
    else this.io.close();
    this.#gone();
  }

  #gone(): void {
    this.#isGone = true;
    this.#reader.stop();
    this.#exchange = null;
    this.#host.connections.delete(this);
  }

  #later(delayMs: number, callback: () => void): void {
    this.#party.later(delayMs, "upstream", this.io.id, () => {
      if (!this.#isGone) callback();
    });
  }
}

function responseHead(exchange: Exchange): string {
  const { answer, id } = exchange;
  const lines = [`HTTP/1.1 ${answer.status} Simulated`, `X-Sim-Id: ${id}`];
  if (answer.status !== 204) {
    if (answer.framing === "length") lines.push(`Content-Length: ${answer.bodyBytes}`);
    if (answer.framing === "chunked") lines.push("Transfer-Encoding: chunked");
  }
  if (answer.says === "close" || answer.framing === "close") lines.push("Connection: close");
  return `${lines.join("\r\n")}\r\n\r\n`;
}

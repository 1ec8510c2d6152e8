// A simulated client: sends its exchanges over one connection after the other, as well or as badly as planned, and
// judges what comes back.
import type { Dice } from "../../src/engine-sim/dice.ts";
import type { IoEvents } from "../../src/engine/network-engine.ts";
import { BodyCheck, bodyBytes, type Exchange, requestHead } from "./exchange.ts";
import { fieldOf, type Head, type MessageEvents, MessageReader } from "./message-reader.ts";
import type { Party, PeerIo } from "./party.ts";
import { proxyPort } from "./bootstrap-yaml.ts";
import { SlowReader } from "./slow-reader.ts";

/** What the client does besides sending requests and reading answers. */
export interface ClientPlan {
  /** Requests sent before the first is answered. */
  readonly depth: number;
  /** Ends a connection at a moment of its own choosing. */
  readonly ending: "none" | "reset" | "close" | "half-close";
  readonly endingAfterMs: number;
  /** Instead of a request, after so many; -1 = never. */
  readonly garbageAt: number;
  readonly isSlowReader: boolean;
  readonly isSlowSender: boolean;
  /** Stops in the middle of a request, or stops reading, for longer than timeouts allow. */
  readonly stalls: "none" | "in-head" | "in-body" | "reading";
  /** Stops reading for ever, without going away. */
  readonly isDeaf: boolean;
  /** The last request says `connection: close`. */
  readonly saysClose: boolean;
  /** Keeps the connection at the end and waits for the proxy to close it. */
  readonly staysIdle: boolean;
}

type Step =
  | { readonly kind: "bytes"; readonly bytes: Buffer }
  | { readonly kind: "wait"; readonly ms: number }
  | { readonly kind: "continue" }
  | { readonly kind: "sent"; readonly exchange: Exchange };

/** How long a client waits for 100 Continue. */
const continueWaitMs = 800;
/** Longer than any timeout of the configuration. */
const stallMs = 20_000;
const garbage = [
  "GET / HTTP/1.1\nhost: a\n\n",
  "\x16\x03\x01\x02garbage\r\n\r\n",
  "G@T / HTTP/1.1\r\nhost: a\r\n\r\n",
];
/** Statuses of the proxy's own answers. */
const localStatuses = new Set([
  301, 400, 403, 404, 408, 413, 418, 426, 431, 500, 501, 502, 503, 504,
]);

export class SimClient implements IoEvents, MessageEvents {
  readonly id: number;
  readonly #party: Party;
  readonly #dice: Dice;
  readonly #plan: ClientPlan;
  readonly #all: readonly Exchange[];
  /** Not sent yet. */
  readonly #waiting: Exchange[];
  /** Sent, or being sent; answers come in this order. */
  #open: Exchange[];
  #io: PeerIo | null;
  #reader: MessageReader;
  #steps: Step[];
  #isSending: boolean;
  #awaitsContinue: boolean;
  #body: BodyCheck | null;
  #isLocal: boolean;
  #saysClose: boolean;
  #connections: number;
  #isConnected: boolean;
  #isHalfClosed: boolean;
  #sentGarbage: boolean;
  #isDone: boolean;

  constructor(
    id: number,
    party: Party,
    dice: Dice,
    plan: ClientPlan,
    exchanges: readonly Exchange[],
  ) {
    this.id = id;
    this.#party = party;
    this.#dice = dice;
    this.#plan = plan;
    this.#all = exchanges;
    this.#waiting = [...exchanges];
    this.#open = [];
    this.#io = null;
    this.#reader = new MessageReader(true, this);
    this.#steps = [];
    this.#isSending = false;
    this.#awaitsContinue = false;
    this.#body = null;
    this.#isLocal = false;
    this.#saysClose = false;
    this.#connections = 0;
    this.#isConnected = false;
    this.#isHalfClosed = false;
    this.#sentGarbage = false;
    this.#isDone = false;
  }

  get isDone(): boolean {
    return this.#isDone;
  }

  get io(): PeerIo | null {
    return this.#io;
  }

  /** For people. */
  describe(): string {
    const open = this.#open.map((exchange) => exchange.id).join(",");
    const state = `${this.#waiting.length} waiting, open [${open}], ${this.#steps.length} steps`;
    return `client ${this.id}: ${state}, connected ${this.#isConnected}, ${JSON.stringify(this.#plan)}`;
  }

  /** All it wanted has come to its end before that. */
  isIdleSince(ms: number): boolean {
    return this.#all.every(({ endedMs }) => endedMs >= 0 && endedMs < ms);
  }

  start(): void {
    this.#connect();
  }

  /** Everything that is open on this connection has this excuse. */
  excuse(reason: string): void {
    for (const exchange of this.#open) exchange.excuses.add(reason);
    for (const exchange of this.#waiting) exchange.excuses.add(reason);
  }

  // ---- IoEvents.

  onConnect(): void {
    this.#isConnected = true;
    this.#pump();
    const { ending, endingAfterMs, isSlowReader } = this.#plan;
    const io = this.#io;
    if (ending !== "none") {
      this.#party.later(endingAfterMs, "ending", this.id, () => {
        if (this.#io === io) this.#endOwn(ending);
      });
    }
    if (isSlowReader && io !== null) {
      new SlowReader(this.#party, this.#dice, this.id, io, () => this.#io === io).start();
    }
    if (this.#plan.isDeaf) {
      this.#party.later(this.#dice.spread(0, 60), "deaf", this.id, () => {
        if (this.#io === io && io !== null) this.#turnDeaf(io);
      });
    }
    if (this.#plan.stalls === "reading" && this.#connections === 1) {
      this.#party.later(this.#dice.spread(0, 60), "stall", this.id, () => {
        if (this.#io !== io || io === null) return;
        this.excuse("stalled-reader");
        io.readDisable(true);
        this.#party.later(stallMs, "unstall", this.id, () => {
          if (this.#io === io) io.readDisable(false);
        });
      });
    }
  }

  onRead(buffer: Buffer, length: number): void {
    this.#reader.read(buffer.subarray(0, length));
    if (this.#reader.error !== "") {
      this.#party.fail(`client ${this.id}: bad response: ${this.#reader.error}`, this.#open[0]);
    }
    this.#pump();
  }

  onWritable(): void {}

  onEnd(): void {
    const io = this.#io;
    if (this.#reader.isUntilClose) {
      this.#party.fail(`client ${this.id}: a response that only the close ends`, this.#open[0]);
    }
    io?.close();
    this.#gone("closed");
  }

  onClose(): void {
    this.#gone(this.#isConnected ? "reset" : "not-connected");
  }

  // ---- MessageEvents.

  isBodiless(head: Head): boolean {
    return this.#open[0]?.isHead === true || head.status === 204 || head.status === 304;
  }

  onHead(head: Head): void {
    if (head.status < 200) {
      this.#interim(head);
      return;
    }
    const exchange = this.#open[0];
    this.#saysClose = fieldOf(head, "connection") === "close";
    if (exchange === undefined) {
      // The answer to garbage, to a head that took too long, or to nothing on an idle connection.
      this.#isLocal = true;
      if (!this.#sentGarbage)
        this.#party.fail(`client ${this.id}: ${head.startLine} to no request`, undefined);
      return;
    }
    exchange.status = head.status;
    this.#party.answered(this, exchange, head);
    const id = fieldOf(head, "x-sim-id");
    this.#isLocal = id === null;
    if (
      this.#party.hasSurplus &&
      (id === null ? head.status === 200 : id !== String(exchange.id))
    ) {
      // What an upstream sends unasked answers whoever asks next on that connection, and the real
      // answer the one behind: HTTP/1 cannot tell.
      exchange.excuses.add("surplus");
      this.#isLocal = true;
      return;
    }
    if (id === null) {
      if (!localStatuses.has(head.status))
        this.#party.fail(`${head.startLine} without x-sim-id`, exchange);
      return;
    }
    if (id !== String(exchange.id)) this.#party.fail(`answer of exchange ${id}`, exchange);
    if (head.status !== exchange.answer.status) this.#party.fail(`status ${head.status}`, exchange);
    const { answer, filter } = exchange;
    const planned = exchange.isBodiless ? 0 : answer.bodyBytes;
    const tail = exchange.isBodiless ? 0 : filter.responseTail;
    this.#body = new BodyCheck(exchange.id, true, planned, filter.responseShift, tail);
  }

  onBody(bytes: Buffer): void {
    const exchange = this.#open[0];
    if (exchange === undefined) return;
    exchange.clientBytes += bytes.length;
    if (this.#isLocal || this.#body === null) return;
    this.#body.take(bytes);
    if (this.#body.fault !== "") this.#party.fail(`response body: ${this.#body.fault}`, exchange);
  }

  onComplete(trailers: Head["fields"] | null): void {
    const exchange = this.#open.shift();
    if (exchange !== undefined) {
      if (this.#isLocal) this.#settle(exchange, "local-reply");
      else this.#complete(exchange, trailers);
    }
    this.#body = null;
    if (this.#saysClose) {
      for (const other of this.#open) other.excuses.add("after-close");
      this.#steps = [];
      this.#isSending = true;
      if (this.#dice.chance(0.5)) this.#obeyClose();
    }
  }

  /** Some clients close when they are told to, others wait for the proxy. */
  #obeyClose(): void {
    const io = this.#io;
    this.#party.later(this.#dice.spread(0, 30), "obey", this.id, () => {
      if (io === null || this.#io !== io) return;
      io.close();
      this.#gone("closed");
    });
  }

  // ---- Answers.

  #interim(head: Head): void {
    const exchange = this.#open[0];
    if (head.status !== 100 || exchange === undefined || !exchange.request.expectsContinue) {
      this.#party.fail(`unasked ${head.startLine}`, exchange);
    }
    this.#awaitsContinue = false;
    this.#step();
  }

  #complete(exchange: Exchange, trailers: Head["fields"] | null): void {
    const body = this.#body as BodyCheck;
    if (body.bytes < body.expected && exchange.answer.framing === "close") {
      // As Envoy: a reset, too, ends a body that the close of the connection ends.
      exchange.excuses.add("cut-until-close");
      this.#settle(exchange, "broken");
      return;
    }
    if (body.bytes !== body.expected) {
      this.#party.fail(`complete with ${body.bytes} of ${body.expected} bytes`, exchange);
    }
    const wantsTrailers = exchange.answer.hasTrailers && !exchange.isBodiless;
    const trailer = trailers?.find(([name]) => name === "x-sim-trailer")?.[1];
    if (wantsTrailers && trailer !== `response-${exchange.id}`) {
      this.#party.fail(`response trailers are ${JSON.stringify(trailers)}`, exchange);
    }
    this.#settle(exchange, "answered");
  }

  #settle(exchange: Exchange, outcome: Exchange["outcome"]): void {
    exchange.outcome = outcome;
    this.#party.settled(exchange);
  }

  // ---- Sending.

  #connect(): void {
    this.#connections += 1;
    this.#reader = new MessageReader(true, this);
    this.#isConnected = false;
    this.#isHalfClosed = false;
    this.#isSending = false;
    this.#awaitsContinue = false;
    this.#saysClose = false;
    this.#sentGarbage = false;
    this.#steps = [];
    this.#io = this.#party.connect(proxyPort, this);
  }

  #pump(): void {
    if (this.#io === null || !this.#isConnected || this.#isHalfClosed || this.#saysClose) return;
    if (this.#isSending) return;
    if (this.#waiting.length === 0) {
      if (this.#open.length === 0 && !this.#plan.staysIdle) this.#finish();
      return;
    }
    if (this.#open.length >= this.#plan.depth) return;
    const exchange = this.#waiting.shift() as Exchange;
    this.#isSending = true;
    if (this.#plan.garbageAt === this.#waiting.length) {
      this.#sendGarbage(exchange);
      return;
    }
    this.#open.push(exchange);
    this.#party.noteSent(exchange, this.#io.socket);
    this.#steps = this.#stepsOf(exchange);
    this.#step();
  }

  #finish(): void {
    const io = this.#io;
    this.#io = null;
    this.#isDone = true;
    io?.close();
  }

  /** The exchange is not sent: the connection ends here. */
  #sendGarbage(exchange: Exchange): void {
    this.#settle(exchange, "abandoned");
    this.excuse("garbage");
    exchange.excuses.add("garbage");
    this.#sentGarbage = true;
    this.#io?.writeText(this.#dice.pick(garbage));
  }

  #step(): void {
    for (;;) {
      const step = this.#steps[0];
      const io = this.#io;
      if (step === undefined || io === null || this.#awaitsContinue) return;
      this.#steps.shift();
      if (step.kind === "bytes") io.write(step.bytes);
      else if (step.kind === "sent") {
        this.#isSending = false;
        this.#pump();
        return;
      } else if (step.kind === "wait") {
        const { length } = this.#steps;
        this.#party.later(step.ms, "send", this.id, () => {
          // Unless the connection was replaced meanwhile.
          if (this.#io === io && this.#steps.length === length) this.#step();
        });
        return;
      } else {
        this.#awaitsContinue = true;
        this.#party.later(continueWaitMs, "no-100", this.id, () => {
          if (this.#io !== io || !this.#awaitsContinue) return;
          this.#awaitsContinue = false;
          this.#step();
        });
        return;
      }
    }
  }

  #stepsOf(exchange: Exchange): Step[] {
    const { request } = exchange;
    const steps: Step[] = [];
    const isLast = this.#plan.saysClose && this.#waiting.length === 0;
    const head = requestHead(exchange, isLast);
    const cut = this.#dice.chance(0.3) ? this.#dice.between(1, head.length - 1) : head.length;
    steps.push({ kind: "bytes", bytes: head.subarray(0, cut) });
    if (cut < head.length) {
      this.#addPause(steps);
      if (this.#plan.stalls === "in-head") this.#addStall(steps, exchange);
      steps.push({ kind: "bytes", bytes: head.subarray(cut) });
    }
    if (request.expectsContinue) steps.push({ kind: "continue" });
    if (request.framing !== "none") this.#addBody(steps, exchange);
    steps.push({ kind: "sent", exchange });
    return steps;
  }

  #addBody(steps: Step[], exchange: Exchange): void {
    const { request, id } = exchange;
    let at = 0;
    while (at < request.bodyBytes) {
      const size = Math.min(request.bodyBytes - at, 1 + this.#dice.spread(0, 60_000));
      const bytes = bodyBytes(id, at, at + size, false);
      at += size;
      if (request.framing === "length") steps.push({ kind: "bytes", bytes });
      else {
        const extension = this.#dice.chance(0.1) ? ";name=value" : "";
        const line = Buffer.from(`${size.toString(16)}${extension}\r\n`);
        steps.push({ kind: "bytes", bytes: Buffer.concat([line, bytes, Buffer.from("\r\n")]) });
      }
      this.#addPause(steps);
      if (this.#plan.stalls === "in-body" && this.#dice.chance(0.3))
        this.#addStall(steps, exchange);
    }
    if (request.framing === "length") return;
    const trailers = request.hasTrailers ? `x-sim-trailer: request-${id}\r\n` : "";
    steps.push({ kind: "bytes", bytes: Buffer.from(`0\r\n${trailers}\r\n`) });
  }

  #addPause(steps: Step[]): void {
    if (this.#plan.isSlowSender) steps.push({ kind: "wait", ms: this.#dice.spread(1, 300) });
    else if (this.#dice.chance(0.2)) steps.push({ kind: "wait", ms: this.#dice.spread(0, 5) });
  }

  #addStall(steps: Step[], exchange: Exchange): void {
    exchange.excuses.add("stalled-sender");
    for (const other of this.#waiting) other.excuses.add("stalled-sender");
    steps.push({ kind: "wait", ms: stallMs });
  }

  // ---- The end of a connection.

  /** The client's own decision: it hears nothing more, except after a half-close. */
  #endOwn(ending: "reset" | "close" | "half-close"): void {
    const io = this.#io;
    if (io === null) return;
    this.excuse(`client-${ending}`);
    if (ending === "half-close") {
      this.#isHalfClosed = true;
      io.shutdownWrite();
      return;
    }
    this.#io = null;
    if (ending === "reset") io.reset();
    else io.close();
    for (const exchange of this.#open) this.#settle(exchange, "abandoned");
    for (const exchange of this.#waiting) this.#settle(exchange, "abandoned");
    this.#open = [];
    this.#waiting.length = 0;
    this.#isDone = true;
  }

  /** It has what it wants, and keeps the connection until the proxy gives up. */
  #turnDeaf(io: PeerIo): void {
    io.readDisable(true);
    this.excuse("deaf");
    this.#io = null;
    for (const exchange of [...this.#open, ...this.#waiting]) this.#settle(exchange, "abandoned");
    this.#open = [];
    this.#waiting.length = 0;
    this.#isDone = true;
  }

  #gone(how: "closed" | "reset" | "not-connected"): void {
    if (this.#io === null) return;
    this.#io = null;
    const open = this.#open;
    this.#open = [];
    for (const [index, exchange] of open.entries()) {
      // Behind the first nothing was begun to be answered.
      if (index > 0) exchange.excuses.add("behind-broken");
      this.#settle(exchange, "broken");
    }
    if (how === "not-connected") {
      if (!this.#party.mayFailToConnect) {
        this.#party.fail(`client ${this.id}: could not connect`, open[0]);
      }
      this.excuse("not-connected");
    }
    if (this.#waiting.length === 0 || this.#connections > 20) {
      for (const exchange of this.#waiting.splice(0)) this.#settle(exchange, "abandoned");
      this.#isDone = true;
    } else this.#party.later(this.#dice.spread(0, 20), "reconnect", this.id, () => this.#connect());
  }
}

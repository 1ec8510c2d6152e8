// TLS on a connection of the simulated engine: a handshake of three messages, records, alerts,
// close_notify, and what goes wrong with them. Transparent: it says what a real one says to the
// rooms above, and proves no identity.
//
//   Handshaking -> Open -> Dead
import type { Duplex } from "node:stream";
import { assert } from "../core/assert.ts";
import type { IoEvents, IoHandle, SocketAddress } from "../engine/network-engine.ts";
import { CloseReason } from "../engine/network-engine.ts";
import type { TlsEvents, TlsFailure, TlsSession, TlsStart } from "../engine/tls.ts";
import type { SimIo } from "./sim-io.ts";
import {
  alerted,
  clientHello,
  closeNotify,
  dataRecords,
  fatalAlert,
  finished,
  isCloseNotify,
  isFinished,
  masked,
  readClientHello,
  readServerHello,
  RecordType,
  type Refusal,
  refusals,
  serverHello,
  takeRecord,
} from "./sim-records.ts";
import type { SimSocket } from "./sim-socket.ts";

/** How a peer does it. */
export interface TlsManners {
  /** Ends the handshake with an alert when its turn comes to answer. */
  readonly refuses: boolean;
  /** Leaves without close_notify: its FIN is the end. */
  readonly isCurt: boolean;
}

export const goodManners: TlsManners = { refuses: false, isCurt: false };

const State = { Handshaking: 0, Open: 1, Dead: 2 } as const;
type State = (typeof State)[keyof typeof State];

const noBytes = Buffer.alloc(0);

export class SimTlsIo implements IoHandle, IoEvents {
  readonly #io: SimIo;
  readonly #start: TlsStart;
  readonly #manners: TlsManners;
  readonly #tlsEvents: TlsEvents;
  #events: IoEvents;
  #state: State = State.Handshaking;
  /** The server's answer has left: what comes next is the client's last word. */
  #hasAnswered: boolean = false;
  #serverName: string = "";
  #protocol: string = "";
  /** Written before the handshake was over; ours. */
  readonly #early: Buffer[];
  #earlyBytes: number = 0;
  #canWrite: boolean = true;
  #owesWritable: boolean = false;
  /** A record that has not come whole. */
  #partial: Buffer;
  /** What the application has not taken: it does not read, or put it back. */
  readonly #parked: Buffer[];
  #isDeliveryDue: boolean = false;
  #readDisables: number = 0;
  /** close_notify or FIN came, */
  #hasEnded: boolean = false;
  /** and the application knows. */
  #isEndTold: boolean = false;

  constructor(io: SimIo, start: TlsStart, events: TlsEvents, manners: TlsManners) {
    this.#io = io;
    this.#start = start;
    this.#manners = manners;
    this.#tlsEvents = events;
    this.#events = events;
    this.#early = [];
    this.#partial = noBytes;
    this.#parked = [];
    io.setEvents(this);
    if (start.side === "server") return;
    const { serverName, protocols } = start;
    this.#serverName = serverName;
    io.write(clientHello({ serverName, protocols }));
  }

  /** The socket below; null before it is connected. Only simulations look. */
  get socket(): SimSocket | null {
    return this.#io.socket;
  }

  get id(): number {
    return this.#io.id;
  }

  // ---- IoHandle.

  get localAddress(): SocketAddress {
    return this.#io.localAddress;
  }

  get remoteAddress(): SocketAddress {
    return this.#io.remoteAddress;
  }

  get writeQueueBytes(): number {
    return this.#earlyBytes + this.#io.writeQueueBytes;
  }

  setEvents(events: IoEvents): void {
    this.#events = events;
  }

  write(bytes: Buffer): boolean {
    if (!this.#canWrite || bytes.length === 0) return true;
    if (this.#state === State.Open) return this.#answer(this.#io.write(dataRecords(bytes)));
    this.#early.push(Buffer.from(bytes));
    this.#earlyBytes += bytes.length;
    return this.#answer(false);
  }

  writeText(text: string): boolean {
    return this.write(Buffer.from(text, "latin1"));
  }

  writeLent(buffer: Buffer, from: number, to: number): boolean {
    assert(from >= 0 && from <= to && to <= buffer.length);
    return this.write(buffer.subarray(from, to));
  }

  writeFramed(before: string, buffer: Buffer, from: number, to: number, behind: string): boolean {
    return this.writeText(before + buffer.toString("latin1", from, to) + behind);
  }

  /** A handshake goes on reading. */
  readDisable(disabled: boolean): void {
    this.#readDisables += disabled ? 1 : -1;
    assert(this.#readDisables >= 0, "assertion failed: readDisable(false) without its true");
    const hasChanged = this.#readDisables === (disabled ? 1 : 0);
    if (this.#state !== State.Open || !hasChanged) return;
    this.#io.readDisable(disabled);
    if (!disabled) this.#deliverLater();
  }

  unread(bytes: Buffer): void {
    if (bytes.length === 0 || this.#state === State.Dead) return;
    this.#parked.unshift(bytes);
    this.#deliverLater();
  }

  shutdownWrite(): void {
    if (!this.#canWrite) return;
    this.#canWrite = false;
    if (this.#state === State.Open) this.#sendEnd();
  }

  close(): void {
    if (this.#state === State.Dead) return;
    const mayNotify = this.#state === State.Open && this.#canWrite;
    this.#die();
    this.#io.flush();
    const waited = this.#io.writeQueueBytes > 0;
    if (mayNotify) this.#notifyClose();
    this.#io.flush();
    // As Envoy: who takes nothing is not waited for to take that, too.
    if (!waited && this.#io.writeQueueBytes > 0) this.#io.crash();
    else this.#io.close();
  }

  /** Also ends what close() has begun. */
  reset(): void {
    this.#die();
    this.#io.reset();
  }

  setReadBytesMax(): void {}

  setNoDelay(): void {}

  setKeepAlive(): void {}

  detach(): Duplex {
    throw new Error("the simulated network has no Duplex to give away");
  }

  // ---- IoEvents of the connection below.

  onConnect(): void {}

  onRead(buffer: Buffer, length: number): void {
    this.#partial = Buffer.concat([this.#partial, buffer.subarray(0, length)]);
    while (this.#state !== State.Dead && !this.#hasEnded) {
      const taken = takeRecord(this.#partial);
      if (taken === null) return;
      if ("alert" in taken) {
        this.#fail(taken);
        return;
      }
      this.#partial = this.#partial.subarray(taken.length);
      this.#takeRecord(taken.type, taken.body);
    }
  }

  onWritable(): void {
    if (this.#state !== State.Open || !this.#owesWritable) return;
    this.#owesWritable = false;
    this.#events.onWritable();
  }

  onEnd(): void {
    if (this.#state === State.Dead) return;
    if (this.#state === State.Open) this.#ended();
    else this.#handshakeFailed({ kind: "closed", code: "", reason: "" });
  }

  onClose(reason: CloseReason, code: string): void {
    if (this.#state === State.Handshaking)
      this.#handshakeFailed({ kind: "reset", code, reason: "" });
    else if (this.#state === State.Open) this.#broken(reason, code);
  }

  // ---- Records.

  #takeRecord(type: number, body: Buffer): void {
    if (type === RecordType.Alert) {
      if (!isCloseNotify(body)) this.#over(alerted(body));
      else if (this.#state === State.Open) this.#ended();
      else this.onEnd();
    } else if (type === RecordType.Handshake && this.#state === State.Handshaking) {
      this.#shake(body);
    } else if (type === RecordType.Data && this.#state === State.Open) {
      this.#parked.push(masked(body));
      if (!this.#isDeliveryDue) this.#deliver();
    } else this.#fail(refusals.unexpected);
  }

  #shake(body: Buffer): void {
    if (this.#start.side === "client") this.#shakeAsClient(readServerHello(body));
    else if (!this.#hasAnswered) this.#shakeAsServer(body);
    else if (!isFinished(body)) this.#fail(refusals.unexpected);
    // Nobody here has certificates to show. As in TLS 1.3 the client has finished by then.
    else if (this.#start.clientCertificate === "required") this.#fail(refusals.noCertificate);
    else this.#secured();
  }

  #shakeAsClient(protocol: string | null): void {
    if (protocol === null) this.#fail(refusals.unexpected);
    else if (this.#manners.refuses) this.#fail(refusals.stranger);
    else {
      this.#protocol = protocol;
      this.#io.write(finished);
      this.#secured();
    }
  }

  #shakeAsServer(body: Buffer): void {
    const start = this.#start;
    const hello = readClientHello(body);
    if (hello === null || start.side !== "server") {
      this.#fail(refusals.unexpected);
      return;
    }
    const { serverName, protocols } = hello;
    start.chooseContext?.(serverName);
    this.#serverName = serverName;
    this.#protocol = start.protocols.find((name) => protocols.includes(name)) ?? "";
    const isAtOdds = this.#protocol === "" && start.protocols.length > 0 && protocols.length > 0;
    if (isAtOdds) this.#fail(refusals.protocol);
    else if (this.#manners.refuses) this.#fail(refusals.stranger);
    else {
      this.#hasAnswered = true;
      this.#io.write(serverHello(this.#protocol));
    }
  }

  #secured(): void {
    this.#state = State.Open;
    if (this.#readDisables > 0) this.#io.readDisable(true);
    this.#tlsEvents.onSecured(this.#session());
    if (this.#isDead()) return;
    const early = this.#early.splice(0);
    this.#earlyBytes = 0;
    let isTaken = true;
    for (const bytes of early) isTaken = this.#io.write(dataRecords(bytes));
    if (!this.#canWrite) this.#sendEnd();
    else if (isTaken) this.onWritable();
  }

  #session(): TlsSession {
    return {
      version: "TLSv1.3",
      cipher: "TLS_AES_128_GCM_SHA256",
      group: "X25519",
      serverName: this.#serverName,
      protocol: this.#protocol,
      isResumed: false,
      verifyError: "",
      sessionId: "",
      peerCertificate: null,
      localCertificate: null,
    };
  }

  // ---- Writing.

  #answer(isTaken: boolean): boolean {
    if (!isTaken) this.#owesWritable = true;
    return isTaken;
  }

  #sendEnd(): void {
    this.#notifyClose();
    this.#io.shutdownWrite();
  }

  #notifyClose(): void {
    if (!this.#manners.isCurt) this.#io.write(closeNotify);
  }

  // ---- Reading.

  #ended(): void {
    this.#hasEnded = true;
    if (!this.#isDeliveryDue) this.#deliver();
  }

  #deliverLater(): void {
    const hasNews = this.#parked.length > 0 || (this.#hasEnded && !this.#isEndTold);
    if (this.#isDeliveryDue || this.#readDisables > 0 || !hasNews) return;
    this.#isDeliveryDue = true;
    const { core, id } = this.#io;
    core.loop.after(0, "decoded", id, () => {
      this.#isDeliveryDue = false;
      core.runTurn(() => this.#deliver());
    });
  }

  /** What is there, until the application does not read. */
  #deliver(): void {
    while (this.#state === State.Open && this.#readDisables === 0 && !this.#isDeliveryDue) {
      const bytes = this.#parked.shift();
      if (bytes === undefined) break;
      this.#io.core.addLent(bytes);
      this.#events.onRead(bytes, bytes.length);
    }
    const mayEnd = this.#state === State.Open && this.#readDisables === 0;
    if (!mayEnd || this.#parked.length > 0 || !this.#hasEnded || this.#isEndTold) return;
    this.#isEndTold = true;
    this.#events.onEnd();
  }

  // ---- The end.

  #fail(refusal: Refusal): void {
    this.#io.write(fatalAlert(refusal));
    this.#over(refusal);
  }

  #over({ code, reason }: Refusal): void {
    if (this.#state === State.Handshaking) this.#handshakeFailed({ kind: "tls", code, reason });
    else this.#broken(CloseReason.RemoteReset, code);
  }

  #handshakeFailed(failure: TlsFailure): void {
    this.#die();
    this.#io.close();
    this.#tlsEvents.onHandshakeFailed(failure);
  }

  #broken(reason: CloseReason, code: string): void {
    this.#die();
    this.#io.close();
    this.#events.onClose(reason, code);
  }

  #isDead(): boolean {
    return this.#state === State.Dead;
  }

  #die(): void {
    this.#state = State.Dead;
    this.#canWrite = false;
    this.#parked.length = 0;
    this.#early.length = 0;
    this.#earlyBytes = 0;
    this.#partial = noBytes;
  }
}

// Both ends of a WebSocket for tests of tunnels: frames (RFC 6455, 5), a client on a raw socket and an
// upstream that answers frames. Both keep count and digest of every byte of the tunnel, so that a test
// can tell that all of them arrived as they were.
import { createHash } from "node:crypto";
import type { Hash } from "node:crypto";
import { connect, createServer } from "node:net";
import type { Socket } from "node:net";
import { LocalServer } from "./upstreams.ts";

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
export const ACCEPT: string = createHash("sha1")
  .update(KEY + GUID)
  .digest("base64");
export const ASK: string =
  "GET /chat HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
  `Sec-WebSocket-Key: ${KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n`;
export const SWITCH: string =
  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
  `Sec-WebSocket-Accept: ${ACCEPT}\r\n\r\n`;

export const Op = {
  Continuation: 0,
  Text: 1,
  Binary: 2,
  Close: 8,
  Ping: 9,
  Pong: 10,
} as const;

const MASK = [0x37, 0xfa, 0x21, 0x3d];

export interface Frame {
  readonly op: number;
  readonly isLast: boolean;
  readonly payload: Buffer;
}

/** The shortest form of its length; clients mask theirs. */
export function encodeFrame(op: number, payload: Buffer, isMasked: boolean, isLast = true): Buffer {
  const size = payload.length;
  const lengthBytes = size < 126 ? 0 : size < 65_536 ? 2 : 8;
  const head = Buffer.alloc(2 + lengthBytes + (isMasked ? 4 : 0));
  head[0] = (isLast ? 0x80 : 0) | op;
  head[1] = (isMasked ? 0x80 : 0) | (lengthBytes === 0 ? size : lengthBytes === 2 ? 126 : 127);
  if (lengthBytes === 2) head.writeUInt16BE(size, 2);
  if (lengthBytes === 8) head.writeBigUInt64BE(BigInt(size), 2);
  if (!isMasked) return Buffer.concat([head, payload]);
  head.set(MASK, 2 + lengthBytes);
  return Buffer.concat([head, masked(payload)]);
}

export function closeFrame(code: number, reason: string, isMasked: boolean): Buffer {
  const payload = Buffer.alloc(2 + reason.length);
  payload.writeUInt16BE(code, 0);
  payload.write(reason, 2, "latin1");
  return encodeFrame(Op.Close, payload, isMasked);
}

function masked(payload: Buffer): Buffer {
  const bytes = Buffer.from(payload);
  for (let i = 0; i < bytes.length; i += 1)
    bytes[i] = (bytes[i] as number) ^ (MASK[i & 3] as number);
  return bytes;
}

/** Cuts frames from bytes that come in any pieces. */
export class FrameReader {
  readonly #parts: Buffer[] = [];
  #length = 0;

  /** The frames that are whole now. */
  push(bytes: Buffer): Frame[] {
    this.#parts.push(bytes);
    this.#length += bytes.length;
    const frames: Frame[] = [];
    for (let frame = this.#cut(); frame !== null; frame = this.#cut()) frames.push(frame);
    return frames;
  }

  #cut(): Frame | null {
    const size = this.#frameSize();
    if (size === 0 || this.#length < size) return null;
    const all = Buffer.concat(this.#parts.splice(0));
    if (all.length > size) this.#parts.push(all.subarray(size));
    this.#length -= size;
    const second = all[1] as number;
    const isMasked = (second & 0x80) !== 0;
    const short = second & 0x7f;
    const from = 2 + (short < 126 ? 0 : short === 126 ? 2 : 8) + (isMasked ? 4 : 0);
    const raw = all.subarray(from, size);
    const first = all[0] as number;
    const payload = isMasked ? masked(raw) : Buffer.from(raw);
    return { op: first & 0x0f, isLast: (first & 0x80) !== 0, payload };
  }

  /** 0 = not known yet. */
  #frameSize(): number {
    if (this.#length < 2) return 0;
    let head = this.#parts[0] as Buffer;
    if (head.length < 10 && this.#parts.length > 1) {
      head = Buffer.concat(this.#parts.splice(0));
      this.#parts.push(head);
    }
    const second = head[1] as number;
    const mask = (second & 0x80) === 0 ? 0 : 4;
    const short = second & 0x7f;
    if (short < 126) return 2 + mask + short;
    if (short === 126) return head.length < 4 ? 0 : 4 + mask + head.readUInt16BE(2);
    return head.length < 10 ? 0 : 10 + mask + Number(head.readBigUInt64BE(2));
  }
}

/** One end of a tunnel, behind its handshake. */
export class TunnelEnd {
  readonly socket: Socket;
  readonly frames: Frame[] = [];
  sentBytes = 0;
  receivedBytes = 0;
  /** The other side's FIN has come. */
  isEnded = false;
  isClosed = false;
  readonly #sent: Hash = createHash("sha256");
  readonly #received: Hash = createHash("sha256");
  readonly #reader = new FrameReader();

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("end", () => (this.isEnded = true));
    socket.on("error", () => socket.destroy());
    socket.on("close", () => (this.isClosed = true));
  }

  send(bytes: Buffer): void {
    this.sentBytes += bytes.length;
    this.#sent.update(bytes);
    this.socket.write(bytes);
  }

  /** The frames in the bytes. */
  take(bytes: Buffer): Frame[] {
    this.receivedBytes += bytes.length;
    this.#received.update(bytes);
    const frames = this.#reader.push(bytes);
    this.frames.push(...frames);
    return frames;
  }

  get sentDigest(): string {
    return this.#sent.copy().digest("hex");
  }

  get receivedDigest(): string {
    return this.#received.copy().digest("hex");
  }
}

/** Asks for an upgrade; `tunnel` is there when it got it. */
export class WebSocketClient {
  readonly socket: Socket;
  /** All of the answer's head; "" before it is whole. */
  head = "";
  tunnel: TunnelEnd | null = null;
  #bytes: Buffer = Buffer.alloc(0);

  constructor(port: number, ask: string | Buffer = ASK) {
    this.socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    this.socket.on("error", () => this.socket.destroy());
    this.socket.on("data", (part: Buffer) => this.#take(part));
    this.socket.write(ask);
  }

  #take(part: Buffer): void {
    if (this.tunnel !== null) {
      this.tunnel.take(part);
      return;
    }
    this.#bytes = Buffer.concat([this.#bytes, part]);
    const end = this.#bytes.indexOf("\r\n\r\n") + 4;
    if (end < 4) return;
    this.head = this.#bytes.toString("latin1", 0, end);
    this.tunnel = new TunnelEnd(this.socket);
    if (this.#bytes.length > end) this.tunnel.take(this.#bytes.subarray(end));
  }
}

/** Says 101 to every upgrade, then does with each end's frames what the test says. */
export class WebSocketUpstream {
  readonly ends: TunnelEnd[] = [];
  /** Heads of requests, as they came. */
  readonly heads: string[] = [];
  onFrame: (end: TunnelEnd, frame: Frame) => void = echo;
  readonly #server: LocalServer;

  constructor() {
    const server = createServer({ allowHalfOpen: true }, (socket) => this.#onSocket(socket));
    this.#server = new LocalServer(server);
  }

  async listen(): Promise<number> {
    return await this.#server.listen();
  }

  close(): void {
    this.#server.close();
  }

  #onSocket(socket: Socket): void {
    let bytes = Buffer.alloc(0);
    let end: TunnelEnd | null = null;
    socket.on("error", () => socket.destroy());
    socket.on("data", (part: Buffer) => {
      if (end === null) {
        bytes = Buffer.concat([bytes, part]);
        const at = bytes.indexOf("\r\n\r\n") + 4;
        if (at < 4) return;
        this.heads.push(bytes.toString("latin1", 0, at));
        end = new TunnelEnd(socket);
        this.ends.push(end);
        socket.write(SWITCH);
        part = bytes.subarray(at);
      }
      if (part.length === 0) return;
      for (const frame of end.take(part)) this.onFrame(end, frame);
    });
  }
}

/** As a server does: pings get pongs, a close gets one back and a FIN, messages come back unmasked. */
export function echo(end: TunnelEnd, { op, payload, isLast }: Frame): void {
  end.send(encodeFrame(op === Op.Ping ? Op.Pong : op, payload, false, isLast));
  if (op === Op.Close) end.socket.end();
}

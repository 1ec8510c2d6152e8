// Large bodies through a proxy to a reader that is slower than the sender, with checksums of both
// ends; for the slow-reader test and for bench/memory.
import { createHash } from "node:crypto";
import type { Hash } from "node:crypto";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { Socket } from "node:net";
import { LocalServer } from "./upstreams.ts";

/** A prime: a piece that is lost, doubled or moved never leaves the same bytes behind. */
const PATTERN_BYTES = 1_048_573;
const PIECE_BYTES = 256 * 1024;

export interface Pace {
  /** Bytes that the reader takes at a time. */
  readonly burstBytes: number;
  /** Milliseconds between two bursts. */
  readonly pauseMs: number;
}

export interface Transfer {
  readonly sentDigest: string;
  readonly receivedDigest: string;
  readonly receivedBytes: number;
}

const pattern = makePattern();

/** Random-looking bytes that are the same in every run. */
function makePattern(): Buffer {
  const bytes = Buffer.alloc(PATTERN_BYTES + PIECE_BYTES);
  let state = 0x9e3779b9;
  for (let i = 0; i < PATTERN_BYTES; i += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[i] = state;
  }
  bytes.copy(bytes, PATTERN_BYTES, 0, PIECE_BYTES);
  return bytes;
}

/** Writes `total` bytes of the pattern as fast as the socket takes them; answers their digest. */
async function sendPattern(socket: Socket, total: number): Promise<string> {
  const hash = createHash("sha256");
  for (let sent = 0; sent < total; ) {
    const at = sent % PATTERN_BYTES;
    const piece = pattern.subarray(at, at + Math.min(PIECE_BYTES, total - sent));
    hash.update(piece);
    sent += piece.length;
    if (!socket.write(piece)) await once(socket, "drain");
  }
  return hash.digest("hex");
}

/** Reads a body in bursts. */
class SlowReader {
  readonly #socket: Socket;
  readonly #pace: Pace;
  readonly #hash: Hash = createHash("sha256");
  bytes = 0;
  #burst = 0;

  constructor(socket: Socket, pace: Pace) {
    this.#socket = socket;
    this.#pace = pace;
  }

  take(bytes: Buffer): void {
    this.bytes += bytes.length;
    this.#burst += bytes.length;
    this.#hash.update(bytes);
    if (this.#burst < this.#pace.burstBytes) return;
    this.#burst = 0;
    this.#socket.pause();
    setTimeout(() => this.#socket.resume(), this.#pace.pauseMs);
  }

  digest(): string {
    return this.#hash.digest("hex");
  }
}

/** The upstream: sends `/down/BYTES`, and reads uploads slowly, answering with their digest. */
export class TransferUpstream {
  readonly #server: LocalServer;
  readonly #pace: Pace;
  /** Of the last download. */
  sentDigest: Promise<string> = Promise.resolve("");

  constructor(pace: Pace) {
    this.#pace = pace;
    this.#server = new LocalServer(createServer((socket) => this.#serve(socket)));
  }

  listen(): Promise<number> {
    return this.#server.listen();
  }

  close(): void {
    this.#server.close();
  }

  #serve(socket: Socket): void {
    let head = "";
    let reader: SlowReader | null = null;
    let total = 0;
    socket.on("data", (bytes: Buffer) => {
      let body: Buffer = bytes;
      if (reader === null) {
        head += bytes.toString("latin1");
        const end = head.indexOf("\r\n\r\n");
        if (end < 0) return;
        body = Buffer.from(head.slice(end + 4), "latin1");
        const down = /^GET \/down\/(\d+) /.exec(head);
        total = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0);
        head = "";
        if (down !== null) {
          const size = Number(down[1]);
          socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`);
          this.sentDigest = sendPattern(socket, size);
          return;
        }
        reader = new SlowReader(socket, this.#pace);
      }
      reader.take(body);
      if (reader.bytes < total) return;
      const digest = reader.digest();
      reader = null;
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${digest.length}\r\n\r\n${digest}`);
    });
  }
}

async function dial(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  // What broke is seen by the close that follows.
  socket.on("error", () => {});
  return socket;
}

/** A client that reads slowly. */
export async function download(
  port: number,
  upstream: TransferUpstream,
  total: number,
  pace: Pace,
): Promise<Transfer> {
  const socket = await dial(port);
  const reader = new SlowReader(socket, pace);
  socket.write(`GET /down/${total} HTTP/1.1\r\nHost: a\r\n\r\n`);
  await new Promise<void>((resolve, reject) => {
    let head = "";
    let isBody = false;
    socket.on("close", () => reject(new Error(`closed after ${reader.bytes} bytes`)));
    socket.on("data", (bytes: Buffer) => {
      let body: Buffer = bytes;
      if (!isBody) {
        head += bytes.toString("latin1");
        const end = head.indexOf("\r\n\r\n");
        if (end < 0) return;
        isBody = true;
        body = Buffer.from(head.slice(end + 4), "latin1");
      }
      reader.take(body);
      if (reader.bytes >= total) resolve();
    });
  });
  socket.destroy();
  const receivedDigest = reader.digest();
  return { sentDigest: await upstream.sentDigest, receivedDigest, receivedBytes: reader.bytes };
}

/** A client that sends faster than the upstream reads. */
export async function upload(port: number, total: number): Promise<Transfer> {
  const socket = await dial(port);
  let answer = "";
  const answered = new Promise<void>((resolve, reject) => {
    socket.on("close", () => reject(new Error(`closed: ${answer}`)));
    socket.on("data", (bytes: Buffer) => {
      answer += bytes.toString("latin1");
      if (/\r\n\r\n[0-9a-f]{64}$/.test(answer)) resolve();
    });
  });
  socket.write(`POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: ${total}\r\n\r\n`);
  const sentDigest = await sendPattern(socket, total);
  await answered;
  socket.destroy();
  return { sentDigest, receivedDigest: answer.slice(-64), receivedBytes: total };
}

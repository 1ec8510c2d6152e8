// WebSocket through a real process: an exchange of real frames both ways, and what ends it.
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { Server } from "node:http";
import { connect } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import { bootstrap } from "./bootstrap.ts";
import { HeadgateProcess, Scratch } from "./headgate-process.ts";

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const ACCEPT = createHash("sha1")
  .update(KEY + GUID)
  .digest("base64");
const ASK =
  "GET /chat HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
  `Sec-WebSocket-Key: ${KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n`;
const BINARY = 0x82;
const MIB = 1024 * 1024;

let scratch: Scratch;
let upstream: Server;
let headgate: HeadgateProcess;
let port: number;
/** The upstream's ends of its tunnels. */
let tunnels: Duplex[];

beforeEach(async () => {
  scratch = new Scratch();
  tunnels = [];
  upstream = createServer();
  upstream.on("upgrade", (request, socket: Duplex, behind: Buffer) => {
    tunnels.push(socket);
    const accept = createHash("sha1").update(request.headers["sec-websocket-key"] + GUID);
    const lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"];
    lines.push(`Sec-WebSocket-Accept: ${accept.digest("base64")}`, "", "");
    socket.write(lines.join("\r\n"));
    socket.on("error", () => socket.destroy());
    socket.on("end", () => socket.destroy());
    echo(socket, behind);
  });
  upstream.listen(0, "127.0.0.1");
  await once(upstream, "listening");
  const upstreamPort = (upstream.address() as AddressInfo).port;
  const hcm = { upgrade_configs: [{ upgrade_type: "websocket" }] };
  const flags = ["--sigterm-drain-s", "1"];
  headgate = await HeadgateProcess.start(scratch, bootstrap({ upstreamPort, hcm }), { flags });
  port = Number((await headgate.listener()).split(":")[1]);
});

afterEach(async () => {
  for (const tunnel of tunnels) tunnel.destroy();
  upstream.close();
  await headgate.end();
  scratch.remove();
});

/** A frame with a 64-bit length (RFC 6455, 5.2); clients mask theirs. */
function frame(payload: Buffer, isMasked: boolean): Buffer {
  const head = Buffer.alloc(isMasked ? 14 : 10);
  head[0] = BINARY;
  head[1] = 127 | (isMasked ? 0x80 : 0);
  head.writeBigUInt64BE(BigInt(payload.length), 2);
  if (!isMasked) return Buffer.concat([head, payload]);
  const mask = [0x37, 0xfa, 0x21, 0x3d];
  head.set(mask, 10);
  return Buffer.concat([head, payload.map((byte, i) => byte ^ (mask[i & 3] as number))]);
}

/** The payload of the first frame in `bytes` and what follows it; null while it is not whole. */
function cutFrame(bytes: Buffer): { payload: Buffer; rest: Buffer } | null {
  if (bytes.length < 10) return null;
  const isMasked = ((bytes[1] as number) & 0x80) !== 0;
  const from = isMasked ? 14 : 10;
  const to = from + Number(bytes.readBigUInt64BE(2));
  if (bytes.length < to) return null;
  const payload = Buffer.from(bytes.subarray(from, to));
  if (isMasked) payload.forEach((byte, i) => (payload[i] = byte ^ (bytes[10 + (i & 3)] as number)));
  return { payload, rest: bytes.subarray(to) };
}

/** Sends each message back, unmasked. */
function echo(socket: Duplex, behind: Buffer): void {
  let chunks: Buffer[] = [behind];
  const advance = (): void => {
    let bytes: Buffer = Buffer.concat(chunks);
    for (let cut = cutFrame(bytes); cut !== null; cut = cutFrame(bytes)) {
      socket.write(frame(cut.payload, false));
      bytes = cut.rest;
    }
    chunks = [bytes];
  };
  socket.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    advance();
  });
  advance();
}

/** Reads a client's side, all of it. */
class Client {
  readonly socket: Socket;
  received: Buffer = Buffer.alloc(0);
  isEnded: boolean = false;
  readonly #parts: Buffer[] = [];

  constructor(send: string | Buffer) {
    this.socket = connect(port, "127.0.0.1");
    this.socket.on("data", (part: Buffer) => this.#parts.push(part));
    this.socket.on("error", () => this.socket.destroy());
    this.socket.on("close", () => {
      this.isEnded = true;
    });
    this.socket.write(send);
  }

  get bytes(): Buffer {
    this.received = Buffer.concat([this.received, ...this.#parts.splice(0)]);
    return this.received;
  }

  /** The head of the answer, taken from the bytes. */
  async head(): Promise<string> {
    const end = await headgate.waitFor(() => {
      const at = this.bytes.indexOf("\r\n\r\n");
      return at >= 0 && at + 4;
    }, "an answer");
    const head = this.received.toString("latin1", 0, end);
    this.received = this.received.subarray(end);
    return head;
  }

  async message(): Promise<Buffer> {
    const cut = await headgate.waitFor(() => cutFrame(this.bytes) ?? undefined, "a message");
    this.received = cut.rest;
    return cut.payload;
  }
}

test("messages of all sizes pass both ways, the first right behind the request", async () => {
  const first = Buffer.from("first");
  const client = new Client(Buffer.concat([Buffer.from(ASK), frame(first, true)]));
  const head = await client.head();
  expect(head).toMatch(/^HTTP\/1.1 101 Switching Protocols\r\n/);
  expect(head).toContain(`sec-websocket-accept: ${ACCEPT}\r\n`);
  expect((await client.message()).equals(first)).toBe(true);
  for (const size of [0, 1, 65_535, 4 * MIB]) {
    const payload = Buffer.alloc(size, "abcdefg");
    client.socket.write(frame(payload, true));
    expect((await client.message()).equals(payload)).toBe(true);
  }
  expect(await headgate.stat("http.main.downstream_cx_upgrades_active")).toBe(1);
  client.socket.destroy();
  const active = "http.main.downstream_cx_upgrades_active";
  await headgate.waitFor(async () => (await headgate.stat(active)) === 0, "the tunnel's end");
  expect(await headgate.stat("http.main.downstream_cx_upgrades_total")).toBe(1);
  expect(await headgate.stat("cluster.up.upstream_cx_active")).toBe(0);
});

test("the end of one side is the end of the other", async () => {
  const leaving = new Client(ASK);
  await leaving.head();
  leaving.socket.end();
  await once(tunnels[0] as Duplex, "close");
  await headgate.waitFor(() => leaving.isEnded, "the client's end");
  const left = new Client(ASK);
  await left.head();
  (tunnels[1] as Duplex).end("last words");
  await headgate.waitFor(() => left.isEnded, "the end after the upstream's");
  expect(left.bytes.toString()).toBe("last words");
});

test("who does not read is waited for", async () => {
  const client = new Client(ASK);
  await client.head();
  const tunnel = tunnels[0] as Duplex;
  client.socket.pause();
  const payload = Buffer.alloc(32 * MIB, "0123456789");
  tunnel.write(frame(payload, false));
  const paused = "cluster.up.upstream_flow_control_paused_reading_total";
  await headgate.waitFor(async () => (await headgate.stat(paused)) > 0, "back-pressure");
  expect(await headgate.stat("http.main.downstream_cx_tx_bytes_buffered")).toBeLessThan(MIB);
  client.socket.resume();
  expect((await client.message()).equals(payload)).toBe(true);
});

test("a stop ends tunnels when its time is over", async () => {
  const client = new Client(ASK);
  await client.head();
  const ended = once(tunnels[0] as Duplex, "close");
  headgate.kill("SIGTERM");
  expect(await headgate.exited).toEqual({ code: 0, signal: null });
  await ended;
});

// The upstream `grpc`: HTTP/2 without TLS, notes each call's metadata and messages and answers by a
// script. Messages are text: nothing here reads them. Used by run-group.ts.
import http2 from "node:http2";
import type { GrpcReply } from "./case.ts";

/** One call as the upstream saw it; headers are sorted, for each client has its own order. */
export interface GrpcCall {
  readonly path: string;
  readonly headers: readonly string[];
  readonly messages: readonly string[];
  /** Whether the client has said all. */
  readonly isWhole: boolean;
}

const FRAME_BYTES = 5;
const RESET = http2.constants.NGHTTP2_INTERNAL_ERROR;
/** The messages before have arrived. */
const LATE_MS = 100;
const DEFAULT_REPLY: GrpcReply = { messages: ["ok"] };

/** A message behind its flag and length. */
function framed(message: string): Buffer {
  const frame = Buffer.alloc(FRAME_BYTES + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.write(message, FRAME_BYTES, "latin1");
  return frame;
}

function messagesIn(bytes: Buffer): string[] {
  const messages: string[] = [];
  let at = 0;
  while (at + FRAME_BYTES <= bytes.length) {
    const end = at + FRAME_BYTES + bytes.readUInt32BE(at + 1);
    messages.push(bytes.toString("latin1", at + FRAME_BYTES, end));
    at = end;
  }
  return messages;
}

function headerLines(headers: http2.IncomingHttpHeaders): string[] {
  return Object.entries(headers)
    .filter(([name]) => name !== ":path")
    .map(([name, value]) => `${name}: ${String(value)}`)
    .sort();
}

class Call {
  readonly #path: string;
  readonly #headers: readonly string[];
  readonly #stream: http2.ServerHttp2Stream;
  #bytes: Buffer;
  #isWhole: boolean;

  constructor(
    stream: http2.ServerHttp2Stream,
    headers: http2.IncomingHttpHeaders,
    reply: GrpcReply,
  ) {
    this.#path = String(headers[":path"]);
    this.#headers = headerLines(headers);
    this.#stream = stream;
    this.#bytes = Buffer.alloc(0);
    this.#isWhole = false;
    stream.on("error", () => {});
    stream.on("data", (part: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, part]);
    });
    stream.on("end", () => {
      this.#isWhole = true;
      if (reply.isEarly !== true) setTimeout(() => this.#answer(reply), reply.pauseMs ?? 0);
    });
    if (reply.isEarly === true) this.#answer(reply);
  }

  get seen(): GrpcCall {
    const messages = messagesIn(this.#bytes);
    return { path: this.#path, headers: this.#headers, messages, isWhole: this.#isWhole };
  }

  #answer(reply: GrpcReply): void {
    const stream = this.#stream;
    if (stream.destroyed) return;
    const { messages = [], metadata = {}, status = 0, text, trailers = {} } = reply;
    const head = { ":status": 200, "content-type": "application/grpc", ...metadata };
    const tail = {
      "grpc-status": String(status),
      ...(text === undefined ? {} : { "grpc-message": text }),
      ...trailers,
    };
    if (reply.reset === true) stream.close(RESET);
    else if (reply.isTrailersOnly === true)
      stream.respond({ ...head, ...tail }, { endStream: true });
    else {
      stream.respond(head, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers(tail));
      for (const message of messages) stream.write(framed(message));
      if (reply.reset === "late") setTimeout(() => stream.close(RESET), LATE_MS);
      else if (reply.isEndless !== true) stream.end();
    }
  }
}

export class GrpcUpstream {
  readonly #server: http2.Http2Server;
  readonly #sessions: Set<http2.ServerHttp2Session>;
  #replies: readonly GrpcReply[];
  #calls: Call[];

  private constructor() {
    this.#server = http2.createServer();
    this.#sessions = new Set();
    this.#replies = [];
    this.#calls = [];
    this.#server.on("session", (session) => {
      this.#sessions.add(session);
      session.on("close", () => this.#sessions.delete(session));
      session.on("error", () => {});
    });
    this.#server.on("stream", (stream: http2.ServerHttp2Stream, headers) => {
      const reply = this.#replies[this.#calls.length] ?? DEFAULT_REPLY;
      this.#calls.push(new Call(stream, headers, reply));
    });
  }

  static async start(port: number): Promise<GrpcUpstream> {
    const upstream = new GrpcUpstream();
    await new Promise<void>((resolve, reject) => {
      upstream.#server.once("error", reject);
      upstream.#server.listen({ port, host: "127.0.0.1" }, resolve);
    });
    return upstream;
  }

  /** Forgets what was noted and sets the answers of the next case. */
  script(replies: readonly GrpcReply[]): void {
    this.#replies = replies;
    this.#calls = [];
  }

  calls(): readonly GrpcCall[] {
    return this.#calls.map((call) => call.seen);
  }

  /** Between cases: each begins with connections of its own. */
  closeConnections(): void {
    for (const session of this.#sessions) session.close();
  }

  async stop(): Promise<void> {
    for (const session of this.#sessions) session.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

// The admin interface's HTTP server: control plane, in the main thread, on node:http. Made by
// server/.
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { networkInterfaces } from "node:os";
import type { AddressInfo } from "node:net";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { LogLevel } from "../core/logger.ts";
import type { Logger } from "../core/logger.ts";
import type { AdminAddress, AdminDelegate } from "./admin-delegate.ts";
import { AdminHandlers } from "./admin-handlers.ts";
import { parseAdminRequest, textResponse } from "./admin-request.ts";
import type { AdminResponse } from "./admin-request.ts";
import { refuseWasmWrite } from "./wasm-access.ts";
import type { WasmAccessOptions } from "./wasm-access.ts";
import { isWasmPush, isWasmWrite } from "./wasm-handlers.ts";
import { AdminStats } from "./admin-stats.ts";

/** Where lines of the admin's access log go; access-log's FileSink is one. */
export interface LineSink {
  write(line: string): void;
}

export interface AdminServerOptions {
  /** Port 0 = any free one. */
  readonly address: AdminAddress;
  readonly accessLogs: readonly LineSink[];
  /** Who may change plugins. */
  readonly wasmAccess: WasmAccessOptions;
  /** Bytes of a request that brings a module; larger ones are answered with 413. */
  readonly pushBytesMax: number;
  readonly logger: Logger;
}

export interface AdminServer {
  /** Resolves with the address it listens on, rejects when it cannot. */
  listen(): Promise<AdminAddress>;
  /** Ends all connections. */
  close(): Promise<void>;
}

/** Longer request targets are answered with 414. */
const TARGET_BYTES_MAX = 16 * 1024;
/** Larger bodies are answered with 413. */
const BODY_BYTES_MAX = 64 * 1024;
/** Modules that are taken in at a time; others wait. */
const PUSHES_MAX = 2;
const HEADERS_BYTES_MAX = 60 * 1024;
/** Smaller pages are not worth compressing. */
const GZIP_BYTES_MIN = 4096;
const CONNECTIONS_MAX = 1000;
const REQUEST_TIMEOUT_MS = 60_000;
/**
 * Longer than clients keep connections that they do not use: one that is closed while its client
 * takes it for a push fails that push. (Node's 5 s are as long as what fetch has.)
 */
const KEEP_ALIVE_MS = 600_000;

/**
 * An import would read every export of node:http, among them a WebSocket client: 40 ms of the
 * start.
 */
const { createServer } = process.getBuiltinModule("node:http");
const gzipAsync = promisify(gzip);

export function createAdminServer(
  delegate: AdminDelegate,
  options: AdminServerOptions,
): AdminServer {
  return new NodeAdminServer(delegate, options);
}

class NodeAdminServer implements AdminServer {
  readonly #options: AdminServerOptions;
  readonly #handlers: AdminHandlers;
  readonly #stats: AdminStats;
  readonly #server: Server;
  /** Modules that are read now, and requests that wait for that. */
  #pushes: number = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(delegate: AdminDelegate, options: AdminServerOptions) {
    this.#options = options;
    this.#handlers = new AdminHandlers(delegate);
    this.#stats = new AdminStats(delegate.stats.store);
    this.#server = createServer(
      {
        maxHeaderSize: HEADERS_BYTES_MAX,
        requestTimeout: REQUEST_TIMEOUT_MS,
        keepAliveTimeout: KEEP_ALIVE_MS,
      },
      (request, response) => {
        void this.#serve(request, response);
      },
    );
    this.#server.maxConnections = CONNECTIONS_MAX;
    this.#server.on("connection", (socket) => {
      this.#stats.onConnection();
      socket.once("close", () => this.#stats.onConnectionClosed());
    });
  }

  listen(): Promise<AdminAddress> {
    const { address, port } = this.#options.address;
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      const onListening = (): void => {
        this.#server.off("error", reject);
        this.#server.on("error", (error) => this.#log(LogLevel.Error, error.message));
        const actual = this.#server.address() as AddressInfo | string;
        const isPipe = typeof actual === "string";
        resolve(isPipe ? { address, port: null } : { address: actual.address, port: actual.port });
      };
      if (port === null) this.#server.listen(address, onListening);
      else this.#server.listen(port, address, onListening);
    });
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const startMs = performance.now();
    let received = 0;
    this.#stats.onRequest();
    response.once("close", () => {
      this.#stats.onRequestDone(response.headersSent ? response.statusCode : 0);
    });
    let answer: AdminResponse;
    let sent = 0;
    try {
      const refusal = this.#refuse(request);
      if (refusal === null) {
        const body = await this.#read(request);
        received = body?.length ?? 0;
        answer = await this.#answer(request, body);
      } else {
        request.resume();
        answer = refusal;
      }
      sent = await send(request, response, answer);
    } catch (error) {
      // A client that leaves in the middle of its body is nothing to talk about.
      if (request.destroyed && !request.complete) return;
      this.#log(LogLevel.Error, `${request.method} ${request.url}: ${String(error)}`);
      if (response.headersSent) {
        response.destroy();
        return;
      }
      answer = textResponse("internal error\n", 500);
      sent = await send(request, response, answer);
    }
    this.#logAccess(request, answer.status, received, sent, performance.now() - startMs);
    if (answer.afterwards !== undefined) response.once("close", answer.afterwards);
  }

  /** Before its body is read. */
  #refuse(request: IncomingMessage): AdminResponse | null {
    if (!isWasmWrite(request.method ?? "GET", request.url ?? "/")) return null;
    const { wasmAccess } = this.#options;
    return refuseWasmWrite(wasmAccess, request.socket.remoteAddress, request.headers);
  }

  /** Modules are large: not many are taken in at a time. */
  async #read(request: IncomingMessage): Promise<Buffer | null> {
    if (!isWasmWrite(request.method ?? "GET", request.url ?? "/")) {
      return await readBody(request, BODY_BYTES_MAX);
    }
    while (this.#pushes >= PUSHES_MAX) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
    this.#pushes += 1;
    try {
      return await readBody(request, this.#options.pushBytesMax);
    } finally {
      this.#pushes -= 1;
      this.#waiting.shift()?.();
    }
  }

  #answer(request: IncomingMessage, body: Buffer | null): AdminResponse | Promise<AdminResponse> {
    const target = request.url ?? "/";
    if (body === null) return textResponse("request body is too large\n", 413);
    if (target.length > TARGET_BYTES_MAX) return textResponse("request target is too long\n", 414);
    const method = request.method ?? "GET";
    const type = request.headers["content-type"] ?? "";
    const isBytes = isWasmPush(method, target);
    return this.#handlers.handle(parseAdminRequest(method, target, type, body, isBytes));
  }

  #log(level: LogLevel, message: string): void {
    this.#options.logger.log(level, `admin: ${message}`);
  }

  /** Envoy's default access-log format. */
  #logAccess(
    request: IncomingMessage,
    status: number,
    received: number,
    sent: number,
    durationMs: number,
  ): void {
    if (this.#options.accessLogs.length === 0) return;
    const time = new Date().toISOString();
    const header = (name: string): string => String(request.headers[name] ?? "-");
    const line =
      `[${time}] "${request.method} ${request.url} HTTP/${request.httpVersion}" ${status} - ` +
      `${received} ${sent} ${Math.trunc(durationMs)} - "${peerOf(request)}" ` +
      `"${header("user-agent")}" "${header("x-request-id")}" "${header("host")}" "-"\n`;
    for (const sink of this.#options.accessLogs) sink.write(line);
  }
}

/** The body; null when it is larger than allowed (the rest is read and thrown away). */
async function readBody(request: IncomingMessage, bytesMax: number): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let size = 0;
  const body: AsyncIterable<Buffer> = request.iterator({ destroyOnReturn: false });
  for await (const chunk of body) {
    size += chunk.length;
    if (size > bytesMax) {
      request.resume();
      return null;
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Sends the answer; returns the body's size on the wire. */
async function send(
  request: IncomingMessage,
  response: ServerResponse,
  answer: AdminResponse,
): Promise<number> {
  let body: Buffer = Buffer.from(answer.body, "utf8");
  // Node would add its own spellings; Envoy's answers have neither.
  response.removeHeader("connection");
  response.sendDate = false;
  response.statusCode = answer.status;
  response.setHeader("content-type", answer.contentType);
  response.setHeader("cache-control", "no-cache, max-age=0");
  response.setHeader("x-content-type-options", "nosniff");
  response.setHeader("date", new Date().toUTCString());
  response.setHeader("server", "envoy");
  if (body.length >= GZIP_BYTES_MIN && acceptsGzip(request)) {
    body = await gzipAsync(body);
    response.setHeader("content-encoding", "gzip");
    response.setHeader("vary", "accept-encoding");
  }
  response.setHeader("content-length", body.length);
  if (answer.status === 413 || !request.complete) {
    response.setHeader("connection", "close");
    response.shouldKeepAlive = false;
  }
  response.end(body);
  return request.method === "HEAD" ? 0 : body.length;
}

function acceptsGzip(request: IncomingMessage): boolean {
  const accepted = String(request.headers["accept-encoding"] ?? "");
  return accepted
    .split(",")
    .some((coding) => /^\s*(?:gzip|\*)\s*(?:;\s*q=(?!0(?:\.0*)?\s*$).*)?$/i.test(coding));
}

/** As x-forwarded-for would say: a loopback peer has the host's own address, as in Envoy. */
function peerOf(request: IncomingMessage): string {
  const address = request.socket.remoteAddress;
  if (address === undefined || address === "") return "-";
  if (!/^(?:127\.|::1$|::ffff:127\.)/.test(address)) return address;
  const own = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return own.find((entry) => !entry.internal && entry.family === "IPv4")?.address ?? address;
}

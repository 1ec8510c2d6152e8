// Stand-ins for tests of the HTTP/1 codec: a sink that keeps what was written, and receivers that
// write down what they were told. Used by the tests of this room and by conformance/http.
import { HeaderMap } from "../../core/header-map.ts";
import type { Http1CodecOptions } from "../../core/http1-options.ts";
import type {
  ByteSink,
  ClientConnectionCallbacks,
  CodecError,
  RequestDecoder,
  ResponseDecoder,
  ResponseEncoder,
  ServerConnectionCallbacks,
  StreamResetReason,
} from "../codec.ts";

/** The defaults of Envoy's listener side. */
export const defaultOptions: Http1CodecOptions = {
  headBytesMax: 60 * 1024,
  headersMax: 100,
  acceptHttp10: false,
  defaultHostForHttp10: "",
  allowAbsoluteUrl: true,
  allowChunkedLength: false,
  enableTrailers: false,
  headerCase: "lower",
  underscores: "allow",
};

/** Keeps what was written; unread bytes wait until takeUnread(). */
export class FakeSink implements ByteSink {
  written = "";
  /** What the write methods answer. */
  isTaking = true;
  readDisables = 0;
  /** The last lent bytes, with what went out in one call with them. */
  lastFramed = "";
  #unread: Buffer[] = [];

  write(bytes: Buffer): boolean {
    this.written += bytes.toString("latin1");
    return this.isTaking;
  }

  writeText(text: string): boolean {
    this.written += text;
    return this.isTaking;
  }

  writeLent(buffer: Buffer, from: number, to: number): boolean {
    this.written += buffer.toString("latin1", from, to);
    return this.isTaking;
  }

  writeFramed(before: string, buffer: Buffer, from: number, to: number, behind: string): boolean {
    this.lastFramed = before + buffer.toString("latin1", from, to) + behind;
    return this.writeText(this.lastFramed);
  }

  readDisable(disabled: boolean): void {
    this.readDisables += disabled ? 1 : -1;
    if (this.readDisables < 0) throw new Error("readDisable is not balanced");
  }

  unread(bytes: Buffer): void {
    this.#unread.unshift(bytes);
  }

  /** What was written since the last call. */
  takeWritten(): string {
    const text = this.written;
    this.written = "";
    return text;
  }

  /** Bytes that were put back, when reading is enabled; else none. */
  takeUnread(): Buffer {
    if (this.readDisables > 0) return Buffer.alloc(0);
    const bytes = Buffer.concat(this.#unread);
    this.#unread = [];
    return bytes;
  }
}

/** Name: value of all entries, one a line, pseudo headers first. */
export function headerLines(map: HeaderMap): string[] {
  const lines: string[] = [];
  map.visit({ onHeader: (name, value) => lines.push(`${name}: ${value}`) });
  return lines;
}

/** Adds body text to the event before it, so that logs do not depend on how bytes were split. */
function pushBody(log: string[], text: string): void {
  if (text === "") return;
  const last = log.at(-1);
  if (last?.startsWith("data ")) {
    log[log.length - 1] = `data ${JSON.stringify(JSON.parse(last.slice(5)) + text)}`;
  } else log.push(`data ${JSON.stringify(text)}`);
}

/** Writes down a request; answers what `onRequestEnd` says when it is whole. */
export class RecordingRequest implements RequestDecoder {
  readonly log: string[];
  readonly encoder: ResponseEncoder;
  headers: HeaderMap | null = null;
  onEnd: (request: RecordingRequest) => void;
  onError: (request: RecordingRequest, error: CodecError) => void;

  constructor(
    log: string[],
    encoder: ResponseEncoder,
    onEnd: (request: RecordingRequest) => void,
    onError: (request: RecordingRequest, error: CodecError) => void,
  ) {
    this.log = log;
    this.encoder = encoder;
    this.onEnd = onEnd;
    this.onError = onError;
  }

  decodeHeaders(headers: HeaderMap, endStream: boolean): void {
    this.headers = headers;
    this.log.push("headers", ...headerLines(headers).map((line) => `  ${line}`));
    if (endStream) this.#end();
  }

  decodeData(buffer: Buffer, from: number, to: number, endStream: boolean): void {
    pushBody(this.log, buffer.toString("latin1", from, to));
    if (endStream) this.#end();
  }

  decodeTrailers(trailers: HeaderMap): void {
    this.log.push("trailers", ...headerLines(trailers).map((line) => `  ${line}`));
    this.#end();
  }

  onDecodeError(error: CodecError): void {
    this.log.push(`error ${error.status} ${error.details}`);
    this.onError(this, error);
  }

  onResetStream(reason: StreamResetReason): void {
    this.log.push(`reset ${reason}`);
  }

  onEncodeWritable(): void {
    this.log.push("writable");
  }

  #end(): void {
    this.log.push("end");
    this.onEnd(this);
  }
}

export class RecordingManager implements ServerConnectionCallbacks {
  readonly log: string[] = [];
  readonly streams: RecordingRequest[] = [];
  protocolErrors = 0;
  isClosed = false;
  onRequestEnd: (request: RecordingRequest) => void = () => {};
  onRequestError: (request: RecordingRequest, error: CodecError) => void = () => {};

  newStream(encoder: ResponseEncoder): RequestDecoder {
    const stream = new RecordingRequest(
      this.log,
      encoder,
      (request) => this.onRequestEnd(request),
      (request, error) => this.onRequestError(request, error),
    );
    this.streams.push(stream);
    return stream;
  }

  onProtocolError(): void {
    this.protocolErrors += 1;
  }

  onStreamComplete(closeConnection: boolean): void {
    this.isClosed = closeConnection;
    this.log.push(closeConnection ? "close" : "complete");
  }
}

export class RecordingResponse implements ResponseDecoder {
  readonly log: string[];
  readonly map: HeaderMap = new HeaderMap();

  constructor(log: string[]) {
    this.log = log;
  }

  responseHeaders(): HeaderMap {
    return this.map;
  }

  decodeInformational(headers: HeaderMap): void {
    this.log.push("informational", ...headerLines(headers).map((line) => `  ${line}`));
  }

  decodeHeaders(headers: HeaderMap, endStream: boolean): void {
    this.log.push("headers", ...headerLines(headers).map((line) => `  ${line}`));
    if (endStream) this.log.push("end");
  }

  decodeData(buffer: Buffer, from: number, to: number, endStream: boolean): void {
    pushBody(this.log, buffer.toString("latin1", from, to));
    if (endStream) this.log.push("end");
  }

  decodeTrailers(trailers: HeaderMap): void {
    this.log.push("trailers", ...headerLines(trailers).map((line) => `  ${line}`), "end");
  }

  onResetStream(reason: StreamResetReason, failureReason: string): void {
    this.log.push(`reset ${reason}${failureReason === "" ? "" : ` ${failureReason}`}`);
  }

  onEncodeWritable(): void {
    this.log.push("writable");
  }
}

export class RecordingPool implements ClientConnectionCallbacks {
  readonly log: string[];
  protocolErrors = 0;

  constructor(log: string[]) {
    this.log = log;
  }

  onStreamComplete(reusable: boolean): void {
    this.log.push(reusable ? "reusable" : "used up");
  }

  onGoAway(): void {
    this.log.push("go away");
  }

  onProtocolError(): void {
    this.protocolErrors += 1;
  }
}

/** A response head: `status`, then "name: value" lines. */
export function responseMap(status: number, ...lines: string[]): HeaderMap {
  const map = new HeaderMap();
  map.status = status;
  for (const line of lines) {
    const colon = line.indexOf(":");
    map.append(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  return map;
}

/** A request head: "METHOD target", then "name: value" lines; `host` becomes :authority. */
export function requestMap(start: string, ...lines: string[]): HeaderMap {
  const map = new HeaderMap();
  const [method, target] = start.split(" ");
  map.method = method ?? "GET";
  map.path = target ?? null;
  for (const line of lines) {
    const colon = line.indexOf(":");
    map.append(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  return map;
}

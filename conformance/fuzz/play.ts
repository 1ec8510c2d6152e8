// Feeds the real connections with bytes in pieces, and says what they made of them in the reference's terms.
import { Http1ClientConnection } from "../../runtime/src/codec/http1/client-connection.ts";
import {
  defaultOptions,
  FakeSink,
  requestMap,
  responseMap,
} from "../../runtime/src/codec/http1/recorders-for-test.ts";
import { Http1ServerConnection } from "../../runtime/src/codec/http1/server-connection.ts";
import { Http1Shared } from "../../runtime/src/codec/http1/shared.ts";
import type {
  ClientConnectionCallbacks,
  RequestDecoder,
  ResponseDecoder,
  ResponseEncoder,
  ServerConnectionCallbacks,
} from "../../runtime/src/codec/codec.ts";
import { HeaderMap } from "../../runtime/src/core/header-map.ts";
import type { Http1CodecOptions } from "../../runtime/src/core/http1-options.ts";
import type { Field, Limits, Message, Stream } from "./reference.ts";

/** Small, so that limits are met often. */
export const limits: Limits = { headBytesMax: 600, headersMax: 12 };
export const options: Http1CodecOptions = { ...defaultOptions, ...limits };

class Recorded implements Message {
  start = "";
  fields: Field[] = [];
  body = "";
  isWhole = false;

  head(headers: HeaderMap): void {
    headers.visit({
      onHeader: (name, value) => {
        if (!name.startsWith(":")) this.fields.push([name, value]);
      },
    });
  }
}

class RecordedRequest extends Recorded implements RequestDecoder {
  readonly #encoder: ResponseEncoder;
  readonly #server: Server;

  constructor(server: Server, encoder: ResponseEncoder) {
    super();
    this.#server = server;
    this.#encoder = encoder;
  }

  decodeHeaders(headers: HeaderMap, endStream: boolean): void {
    const { method, path, authority } = headers;
    this.start =
      method === "CONNECT" ? `CONNECT ${authority}` : `${method} ${path} ${authority ?? "-"}`;
    this.head(headers);
    this.#server.messages.push(this);
    if (endStream) this.#end();
  }

  decodeData(buffer: Buffer, from: number, to: number, endStream: boolean): void {
    this.body += buffer.toString("latin1", from, to);
    if (endStream) this.#end();
  }

  decodeTrailers(): void {
    this.#end();
  }

  onDecodeError(): void {
    this.#server.end = "error";
    this.#encoder.encodeHeaders(responseMap(400), true);
  }

  onResetStream(): void {
    throw new Error("a reset that nobody asked for");
  }

  onEncodeWritable(): void {}

  #end(): void {
    this.isWhole = true;
    this.#encoder.encodeHeaders(responseMap(200), true);
  }
}

class Server implements ServerConnectionCallbacks, Stream {
  readonly messages: Recorded[] = [];
  end: Stream["end"] = "more";

  newStream(encoder: ResponseEncoder): RequestDecoder {
    return new RecordedRequest(this, encoder);
  }

  onProtocolError(): void {}

  onStreamComplete(closeConnection: boolean): void {
    if (closeConnection && this.end === "more") this.end = "closed";
  }
}

/** Lent bytes: only letters may have become lower-case. */
function checkLent(lent: Buffer, original: string): void {
  const now = lent.toString("latin1");
  if (now.length === original.length && now.toLowerCase() === original.toLowerCase()) return;
  throw new Error(`lent bytes were changed: ${JSON.stringify(original)} to ${JSON.stringify(now)}`);
}

/** What a server connection makes of requests that are answered as soon as they are whole. */
export function serve(pieces: readonly string[], use: Http1CodecOptions = options): Stream {
  const sink = new FakeSink();
  const server = new Server();
  const connection = new Http1ServerConnection(sink, server, use, new Http1Shared(), null);
  for (const piece of pieces) {
    let bytes: Buffer = Buffer.from(piece, "latin1");
    while (bytes.length > 0) {
      const original = bytes.toString("latin1");
      connection.dispatch(bytes, bytes.length);
      checkLent(bytes, original);
      bytes = sink.takeUnread();
    }
  }
  return server;
}

class RecordedResponse extends Recorded implements ResponseDecoder {
  isReset = false;
  readonly #map: HeaderMap = new HeaderMap();

  responseHeaders(): HeaderMap {
    return this.#map;
  }

  decodeInformational(): void {}

  decodeHeaders(headers: HeaderMap, endStream: boolean): void {
    this.start = String(headers.status);
    this.head(headers);
    this.isWhole = endStream;
  }

  decodeData(buffer: Buffer, from: number, to: number, endStream: boolean): void {
    this.body += buffer.toString("latin1", from, to);
    this.isWhole = endStream;
  }

  decodeTrailers(): void {
    this.isWhole = true;
  }

  onResetStream(): void {
    this.isReset = true;
  }

  onEncodeWritable(): void {}
}

const pool: ClientConnectionCallbacks = {
  onStreamComplete: () => undefined,
  onGoAway: () => undefined,
  onProtocolError: () => undefined,
};

/** What a client connection makes of the response to a request of `method`. */
export interface Received {
  readonly message: Message;
  readonly isRefused: boolean;
}

export function receive(pieces: readonly string[], method: string, isEnded: boolean): Received {
  const response = new RecordedResponse();
  const connection = new Http1ClientConnection(new FakeSink(), pool, options, new Http1Shared());
  connection.newStream(response).encodeHeaders(requestMap(`${method} /`, "host: h"), true);
  for (const piece of pieces) {
    const bytes = Buffer.from(piece, "latin1");
    connection.dispatch(bytes, bytes.length);
    checkLent(bytes, piece);
  }
  const isRefused = response.isReset;
  if (isEnded) connection.onEnd();
  return { message: response, isRefused };
}

// One request and its response on an HTTP/2 connection; made by Http2ClientSession.
import type { ClientHttp2Stream } from "node:http2";
import { BytesMeter } from "../../core/bytes-meter.ts";
import { HeaderMap } from "../../core/header-map.ts";
import { type RequestEncoder, type ResponseDecoder, StreamResetReason } from "../codec.ts";
import type { Http2ClientSession } from "./client-session.ts";
import {
  listBytes,
  readResponse,
  readTrailers,
  requestList,
  trailerObject,
} from "./header-lists.ts";

const EMPTY: Buffer = Buffer.alloc(0);
const FRAME_HEAD_BYTES = 9;
/** Bits of frames' flags. */
const END_STREAM = 1;
/** Codes of RST_STREAM (RFC 9113, 7). */
const Code = { NoError: 0, ProtocolError: 1, RefusedStream: 7, Cancel: 8 } as const;

const Event = {
  Response: 0,
  Informational: 1,
  Data: 2,
  Trailers: 3,
  End: 4,
  Drain: 5,
  WantTrailers: 6,
  Close: 7,
  Failed: 8,
} as const;

/** Who gave up on a stream, if anybody did. */
export type StreamEnd = "complete" | "local" | "remote";

interface HeadEvent {
  readonly list: readonly string[];
  readonly endStream: boolean;
}

const owners: WeakMap<object, Http2ClientStream> = new WeakMap();

/**
 * The response ends once (`#isAnswered`), the request once (`#isSent`); the stream is over when
 * both have, or when either side gave up.
 */
export class Http2ClientStream implements RequestEncoder {
  readonly bytes: BytesMeter;
  readonly #session: Http2ClientSession;
  #decoder: ResponseDecoder | null;
  #stream: ClientHttp2Stream | null = null;
  #trailers: Record<string, string | string[]> | null = null;
  /** How it ended, once it has. */
  end: StreamEnd = "complete";
  #isSent: boolean = false;
  #isAnswered: boolean = false;
  #readDisables: number = 0;
  /** A write was not taken at once, and onEncodeWritable has not come since. */
  #isBackedUp: boolean = false;

  constructor(session: Http2ClientSession, decoder: ResponseDecoder) {
    this.bytes = new BytesMeter();
    this.#session = session;
    this.#decoder = decoder;
  }

  // ---- RequestEncoder.

  encodeHeaders(headers: HeaderMap, endStream: boolean): void {
    if (this.#decoder === null) return;
    const list = requestList(headers, "http");
    this.bytes.headersSent = listBytes(list);
    this.bytes.sent += this.bytes.headersSent + FRAME_HEAD_BYTES;
    try {
      const stream = this.#session.request(list, endStream);
      this.#stream = stream;
      owners.set(stream, this);
      listen(stream);
    } catch {
      // Headers that HTTP/2 does not know, or a session that has just ended: told in a later turn.
      setImmediate(() => this.#session.deliver(this, Event.Failed, null));
    }
    if (endStream) this.#finishRequest();
  }

  encodeData(buffer: Buffer, from: number, to: number, endStream: boolean): boolean {
    const stream = this.#stream;
    if (stream === null || this.#decoder === null) return true;
    let isFlowing = true;
    if (to > from) {
      this.bytes.sent += to - from + FRAME_HEAD_BYTES;
      // The bytes are lent, and node:http2 keeps them until they leave.
      isFlowing = stream.write(Buffer.from(buffer.subarray(from, to)));
      if (!isFlowing && !this.#isBackedUp) {
        this.#isBackedUp = true;
        this.#session.onBackedUp(true);
      }
    }
    if (endStream) {
      stream.end();
      this.#finishRequest();
    }
    return isFlowing;
  }

  encodeTrailers(trailers: HeaderMap): void {
    if (this.#stream === null || this.#decoder === null) return;
    this.#trailers = trailerObject(trailers);
    this.bytes.sent += trailers.byteSize + FRAME_HEAD_BYTES;
    this.#stream.end();
    this.#finishRequest();
  }

  resetStream(reason: StreamResetReason): void {
    if (this.#decoder === null) return;
    if (this.#isSent && this.#isAnswered) {
      // Asked for while the end of the answer is told: there is nothing left to reset.
      this.#leave();
      return;
    }
    this.#reset(
      reason === StreamResetReason.LocalRefusedStreamReset ? Code.RefusedStream : Code.Cancel,
    );
  }

  readDisable(disabled: boolean): void {
    const stream = this.#stream;
    if (stream === null || this.#decoder === null) return;
    if (disabled) {
      this.#readDisables += 1;
      if (this.#readDisables !== 1) return;
      stream.pause();
      this.#session.onReadDisabled(true);
    } else if (this.#readDisables > 0) {
      this.#readDisables -= 1;
      if (this.#readDisables !== 0) return;
      stream.resume();
      this.#session.onReadDisabled(false);
    }
  }

  /** A tunnel over HTTP/2 is a stream like any other. */
  startTunnel(): void {}

  endTunnel(): void {
    this.resetStream(StreamResetReason.LocalReset);
  }

  // ---- For the session.

  get isOver(): boolean {
    return this.#decoder === null;
  }

  /** Nobody is told of anything any more. */
  forget(): void {
    this.#decoder = null;
  }

  onSessionClosed(): void {
    this.#fail(
      this.#session.isProtocolError
        ? StreamResetReason.ProtocolError
        : StreamResetReason.ConnectionTermination,
    );
  }

  onEvent(event: number, value: unknown): void {
    const decoder = this.#decoder;
    if (decoder === null) return;
    switch (event) {
      case Event.Response:
        this.#onResponse(decoder, value as HeadEvent);
        return;
      case Event.Informational: {
        const headers = new HeaderMap();
        if (readResponse((value as HeadEvent).list, headers)) decoder.decodeInformational(headers);
        return;
      }
      case Event.Data: {
        const chunk = value as Buffer;
        this.bytes.received += chunk.length + FRAME_HEAD_BYTES;
        if (!this.#isAnswered) decoder.decodeData(chunk, 0, chunk.length, false);
        return;
      }
      case Event.Trailers:
        this.#onTrailers(decoder, value as HeadEvent);
        return;
      case Event.End:
        this.#onEnd(decoder);
        return;
      case Event.Drain:
        if (this.#isBackedUp) {
          this.#isBackedUp = false;
          this.#session.onBackedUp(false);
        }
        decoder.onEncodeWritable();
        return;
      case Event.WantTrailers:
        this.#stream?.sendTrailers(this.#trailers ?? {});
        return;
      case Event.Failed:
        this.#fail(StreamResetReason.LocalReset);
        return;
      default:
        this.#onClose(value as number);
    }
  }

  // ---- Private parts.

  #onResponse(decoder: ResponseDecoder, { list, endStream }: HeadEvent): void {
    this.bytes.received += listBytes(list) + FRAME_HEAD_BYTES;
    const headers = decoder.responseHeaders();
    if (!readResponse(list, headers)) {
      headers.reset();
      this.#reset(Code.ProtocolError);
      decoder.onResetStream(StreamResetReason.ProtocolError, "");
      return;
    }
    if (endStream) this.#isAnswered = true;
    decoder.decodeHeaders(headers, endStream);
    this.#settle();
  }

  #onTrailers(decoder: ResponseDecoder, { list }: HeadEvent): void {
    if (this.#isAnswered) return;
    this.bytes.received += listBytes(list) + FRAME_HEAD_BYTES;
    this.#isAnswered = true;
    decoder.decodeTrailers(readTrailers(list));
    this.#settle();
  }

  #onEnd(decoder: ResponseDecoder): void {
    // Also told for a stream that was reset; its close says so.
    if (this.#isAnswered || this.#stream?.rstCode !== Code.NoError) return;
    if (this.#stream.aborted) return;
    this.#isAnswered = true;
    decoder.decodeData(EMPTY, 0, 0, true);
    this.#settle();
  }

  #onClose(code: number): void {
    if (this.#session.isBroken && code !== Code.RefusedStream) this.onSessionClosed();
    else if (code === Code.RefusedStream) this.#fail(StreamResetReason.RemoteRefusedStreamReset);
    else this.#fail(StreamResetReason.RemoteReset);
  }

  #finishRequest(): void {
    this.#isSent = true;
    this.#settle();
  }

  /** Both directions have ended well. */
  #settle(): void {
    if (this.#isSent && this.#isAnswered) this.#leave();
  }

  /** An answer that is complete stands, whatever comes of the stream. */
  #fail(reason: StreamResetReason): void {
    const decoder = this.#decoder;
    if (decoder === null) return;
    const isAnswered = this.#isAnswered;
    const isReset =
      reason === StreamResetReason.RemoteReset ||
      reason === StreamResetReason.RemoteRefusedStreamReset;
    if (isReset) this.end = "remote";
    this.#leave();
    if (!isAnswered) decoder.onResetStream(reason, "");
  }

  #reset(code: number): void {
    const stream = this.#stream;
    this.end = "local";
    this.#leave();
    // Paused streams would not end.
    stream?.resume();
    // In a later turn: node:http2 aborts the process when a stream whose request has not ended is
    // closed while the end of its answer is told.
    if (stream !== null) setImmediate(closeStream, stream, code);
  }

  #leave(): void {
    if (this.#decoder === null) return;
    this.#decoder = null;
    this.#session.onStreamEnd(this);
  }

  // ---- From listeners.

  noteError(error: Error): void {
    this.#session.onSessionError(error);
  }

  tell(event: number, value: unknown): void {
    if (this.#decoder !== null) this.#session.deliver(this, event, value);
  }
}

function closeStream(stream: ClientHttp2Stream, code: number): void {
  if (!stream.destroyed) stream.close(code);
}

function listen(stream: ClientHttp2Stream): void {
  stream.on("response", onResponse);
  stream.on("headers", onInformational);
  stream.on("data", onData);
  stream.on("trailers", onTrailers);
  stream.on("end", onEnd);
  stream.on("drain", onDrain);
  stream.on("wantTrailers", onWantTrailers);
  stream.on("close", onClose);
  stream.on("error", onError);
}

/** node:http2 gives the flat list behind the object that its types know. */
type HeadListener = (headers: unknown, flags: number, list?: readonly string[]) => void;

function headEvent(flags: number, list: readonly string[] | undefined): HeadEvent {
  return { list: list ?? [], endStream: (flags & END_STREAM) !== 0 };
}

const onResponse: HeadListener = function (this: object, _headers, flags, list): void {
  owners.get(this)?.tell(Event.Response, headEvent(flags, list));
} as HeadListener;

const onInformational: HeadListener = function (this: object, _headers, flags, list): void {
  owners.get(this)?.tell(Event.Informational, headEvent(flags, list));
} as HeadListener;

const onTrailers: HeadListener = function (this: object, _headers, flags, list): void {
  owners.get(this)?.tell(Event.Trailers, headEvent(flags, list));
} as HeadListener;

function onData(this: object, chunk: Buffer): void {
  owners.get(this)?.tell(Event.Data, chunk);
}

function onEnd(this: object): void {
  owners.get(this)?.tell(Event.End, null);
}

function onDrain(this: object): void {
  owners.get(this)?.tell(Event.Drain, null);
}

/** At once: the stream does not end before. Also for a stream that nobody waits for. */
function onWantTrailers(this: ClientHttp2Stream): void {
  const owner = owners.get(this);
  if (owner === undefined || owner.isOver) this.sendTrailers({});
  else owner.tell(Event.WantTrailers, null);
}

function onClose(this: ClientHttp2Stream): void {
  owners.get(this)?.tell(Event.Close, this.rstCode);
}

/** Its close follows, and says the same by its code, but for what broke the whole connection. */
function onError(this: object, error: Error): void {
  owners.get(this)?.noteError(error);
}

// The client side of one HTTP/2 connection, on node:http2: many streams at once, each with its own
// end. Made by the pool's connection, which gives the socket away to it.
//
// node:http2 emits events outside of turns: each is delivered as a turn of the engine, so that the
// clock is right and what it makes us write leaves together.
import type { ClientHttp2Session, ClientHttp2Stream } from "node:http2";
import type { Duplex } from "node:stream";
import type { Http2ClientOptions } from "../../core/http2-options.ts";
import type { RequestEncoder, ResponseDecoder } from "../codec.ts";
import { Http2ClientStream } from "./client-stream.ts";

/** What a session tells its owner, always from within a turn. */
export interface Http2SessionCallbacks {
  /** A stream ended, in whatever way; another one may have its place. */
  onStreamEnd(stream: Http2ClientStream): void;
  /** A stream is not read now, or is again. */
  onReadDisabled(disabled: boolean): void;
  /** The peer does not take what a stream writes, or does again. */
  onBackedUp(isBackedUp: boolean): void;
  /** The peer's limits have changed. */
  onSettings(): void;
  /** The peer announced the end: streams that run may end, new ones must not begin. */
  onGoAway(): void;
  /** The connection is gone; its streams were told. Not after destroy(). */
  onSessionClose(isProtocolError: boolean, hadStreams: boolean): void;
}

/** What node:http2 may hold for one connection. */
const SESSION_MEMORY_MIB = 128;
/** nghttp2: the peer broke the protocol. */
const PROTOCOL_ERRORS: ReadonlySet<string> = new Set([
  "ERR_HTTP2_ERROR",
  "ERR_HTTP2_SESSION_ERROR",
  "ERR_HTTP2_TOO_MANY_INVALID_FRAMES",
]);

type SessionEvent = "settings" | "goaway" | "close";

/** Owners by node:http2's objects: listeners are functions of the module, made once. */
const owners: WeakMap<object, Http2ClientSession> = new WeakMap();

export class Http2ClientSession {
  readonly options: Http2ClientOptions;
  readonly #session: ClientHttp2Session;
  readonly #callbacks: Http2SessionCallbacks;
  readonly #runTurn: (callback: () => void) => void;
  readonly #streams: Set<Http2ClientStream>;
  /** The peer's settings have come; before, nobody knows how many streams it takes. */
  #isSettled: boolean = false;
  #isGoingAway: boolean = false;
  #isDestroyed: boolean = false;
  #isProtocolError: boolean = false;
  // The event that the next turn delivers.
  #turnStream: Http2ClientStream | null = null;
  #turnEvent: number = 0;
  #turnValue: unknown = null;
  readonly #deliverTurn: () => void;

  constructor(
    socket: Duplex,
    options: Http2ClientOptions,
    runTurn: (callback: () => void) => void,
    callbacks: Http2SessionCallbacks,
  ) {
    this.options = options;
    this.#callbacks = callbacks;
    this.#runTurn = runTurn;
    this.#streams = new Set();
    this.#deliverTurn = (): void => this.#onTurn();
    // Not at the top: most processes have no HTTP/2 upstream.
    const { connect } = process.getBuiltinModule("node:http2");
    this.#session = connect("http://upstream", {
      createConnection: () => socket,
      maxSessionMemory: SESSION_MEMORY_MIB,
      maxHeaderListPairs: options.headersMax,
      settings: {
        enablePush: false,
        headerTableSize: options.headerTableBytes,
        initialWindowSize: options.streamWindowBytes,
        maxHeaderListSize: options.headBytesMax,
      },
    });
    owners.set(this.#session, this);
    this.#session.on("connect", onConnect);
    this.#session.on("remoteSettings", onRemoteSettings);
    this.#session.on("goaway", onGoAway);
    this.#session.on("error", onError);
    this.#session.on("close", onClose);
  }

  get activeStreams(): number {
    return this.#streams.size;
  }

  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** Streams that may run at once, as both sides have it; one until the peer has said it. */
  get streamsMax(): number {
    if (!this.#isSettled) return 1;
    const theirs = this.#session.remoteSettings?.maxConcurrentStreams;
    return Math.min(this.options.streamsMax, theirs ?? this.options.streamsMax);
  }

  /** Whether another stream may begin now. */
  get canOpen(): boolean {
    return this.isUsable && this.#streams.size < this.streamsMax;
  }

  /** Whether streams may begin at all. */
  get isUsable(): boolean {
    return !this.#isGoingAway && !this.#isDestroyed && !this.#session.closed;
  }

  newStream(decoder: ResponseDecoder): RequestEncoder {
    const stream = new Http2ClientStream(this, decoder);
    this.#streams.add(stream);
    return stream;
  }

  /** Ends the connection when its streams have ended. */
  drain(): void {
    this.#isGoingAway = true;
    if (!this.#session.closed) this.#session.close();
  }

  /** Ends it now; streams are not told. */
  destroy(): void {
    if (this.#isDestroyed) return;
    this.#isDestroyed = true;
    for (const stream of this.#streams) stream.forget();
    this.#streams.clear();
    this.#session.destroy();
  }

  /** Tells all streams that the connection is gone. */
  failStreams(): void {
    for (const stream of this.#streams) stream.onSessionClosed();
  }

  // ---- For its streams.

  /** Throws what node:http2 throws about headers. */
  request(list: string[], endStream: boolean): ClientHttp2Stream {
    const options = { endStream, waitForTrailers: !endStream };
    // A flat list keeps order and repetitions; its type does not know that yet.
    return this.#session.request(list as unknown as Record<string, string>, options);
  }

  /** The socket is gone, or going. */
  get isBroken(): boolean {
    return this.#session.destroyed;
  }

  get isProtocolError(): boolean {
    return this.#isProtocolError;
  }

  deliver(stream: Http2ClientStream, event: number, value: unknown): void {
    this.#turnStream = stream;
    this.#turnEvent = event;
    this.#turnValue = value;
    this.#runTurn(this.#deliverTurn);
  }

  onStreamEnd(stream: Http2ClientStream): void {
    if (this.#streams.delete(stream)) this.#callbacks.onStreamEnd(stream);
  }

  onReadDisabled(disabled: boolean): void {
    this.#callbacks.onReadDisabled(disabled);
  }

  onBackedUp(isBackedUp: boolean): void {
    this.#callbacks.onBackedUp(isBackedUp);
  }

  #onTurn(): void {
    const stream = this.#turnStream;
    this.#turnStream = null;
    stream?.onEvent(this.#turnEvent, this.#turnValue);
  }

  // ---- Events of the session.

  onSessionEvent(event: SessionEvent): void {
    if (this.#isDestroyed) return;
    this.#runTurn(() => {
      if (event === "settings") {
        this.#isSettled = true;
        this.#callbacks.onSettings();
      } else if (event === "goaway") {
        this.#isGoingAway = true;
        this.#callbacks.onGoAway();
      } else this.#onClose();
    });
  }

  onConnected(): void {
    this.#session.setLocalWindowSize(this.options.connectionWindowBytes);
  }

  onSessionError(error: Error): void {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== undefined && PROTOCOL_ERRORS.has(code)) this.#isProtocolError = true;
  }

  #onClose(): void {
    const hadStreams = this.#streams.size > 0;
    this.#isDestroyed = true;
    // Their own end has not come, and never will.
    this.failStreams();
    this.#callbacks.onSessionClose(this.#isProtocolError, hadStreams);
  }
}

function onConnect(this: object): void {
  owners.get(this)?.onConnected();
}

function onRemoteSettings(this: object): void {
  owners.get(this)?.onSessionEvent("settings");
}

function onGoAway(this: object): void {
  owners.get(this)?.onSessionEvent("goaway");
}

function onError(this: object, error: Error): void {
  owners.get(this)?.onSessionError(error);
}

function onClose(this: object): void {
  owners.get(this)?.onSessionEvent("close");
}

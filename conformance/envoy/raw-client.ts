// Writes a connection's pieces to a proxy byte for byte and notes all that comes back.
import type { Connection, Piece } from "./case.ts";
import { type DialContext, type Dialled, dial } from "./dial.ts";
import { cutResponses, isInterim, type Message } from "./wire.ts";

/** What became of the connection after its last response. */
export type Fate = "open" | "closed" | "reset" | "silent";

/** All that a client saw. */
export interface ConnectionResult {
  readonly messages: readonly Message[];
  /** Bytes that are no message. */
  readonly rest: string;
  readonly fate: Fate;
  /** Facts of the TLS handshake, and what the library said about its end. */
  readonly tls?: string;
}

/** Limits in milliseconds. */
export interface Waits {
  /** For the responses. */
  readonly responseMs: number;
  /** For the end of the connection behind the last response. */
  readonly closeMs: number;
  /** For the text that steps wait for, and for the end. Default responseMs. */
  readonly textMs?: number;
  readonly endMs?: number;
}

const PIECE_GAP_MS = 25;

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

const NO_CONTEXT: DialContext = { certificates: null, sessions: [] };

class RawClient {
  readonly #dialled: Dialled;
  readonly #connection: Connection;
  #received: string;
  #end: "closed" | "reset" | undefined;
  #tlsFacts: string | undefined;
  #tlsError: string | undefined;
  #session: Buffer | undefined;
  #wake: () => void;

  constructor(port: number, connection: Connection, context: DialContext) {
    this.#connection = connection;
    this.#received = "";
    this.#end = undefined;
    this.#tlsFacts = undefined;
    this.#tlsError = undefined;
    this.#session = undefined;
    this.#wake = () => undefined;
    this.#dialled = dial(port, connection, context);
    const { socket, transport } = this.#dialled;
    socket.on("data", (part) => {
      this.#received += part.toString("latin1");
      this.#wake();
    });
    socket.on("secureConnect", () => {
      this.#tlsFacts = this.#dialled.describe();
    });
    socket.on("session", (session: Buffer) => {
      this.#session = session;
    });
    socket.on("end", () => this.#ended("closed"));
    socket.on("error", (error: NodeJS.ErrnoException) => this.#failed(error));
    socket.on("close", () => this.#ended("closed"));
    if (transport !== socket) transport.on("error", () => this.#ended("reset"));
  }

  /** An alert is no reset: the peer said why, and then ended. */
  #failed({ code }: NodeJS.ErrnoException): void {
    const isTls = code?.startsWith("ERR_SSL_") === true;
    if (isTls) this.#tlsError = code;
    this.#ended(isTls ? "closed" : "reset");
  }

  #ended(how: "closed" | "reset"): void {
    this.#end ??= how;
    this.#wake();
  }

  async play(piece: Piece, waits: Waits): Promise<void> {
    const { responseMs, textMs = responseMs, endMs = responseMs } = waits;
    const { socket, transport } = this.#dialled;
    if (typeof piece === "string") {
      if (!socket.destroyed) socket.write(piece, "latin1");
    } else if ("pauseMs" in piece) {
      await delay(piece.pauseMs);
    } else if ("awaitText" in piece) {
      await this.until(() => this.#received.includes(piece.awaitText), textMs);
    } else if ("awaitEnd" in piece) {
      await this.until(() => this.#end !== undefined, endMs);
    } else if ("awaitOther" in piece) {
      await piece.awaitOther();
    } else if ("fin" in piece) {
      socket.end();
    } else {
      this.#ended("reset");
      transport.resetAndDestroy();
    }
  }

  destroy(): void {
    this.#dialled.socket.destroy();
    this.#dialled.transport.destroy();
  }

  get hasEnded(): boolean {
    return this.#end !== undefined;
  }

  /** What a later connection of the case can resume. */
  get session(): Buffer | undefined {
    return this.#session;
  }

  /** Complete final responses so far. */
  finals(): number {
    if (this.#connection.raw === true) return 0;
    const { messages } = this.#cut();
    return messages.filter((message) => message.isComplete && !isInterim(message)).length;
  }

  /** Waits until `isDone`, the connection's end or the limit. */
  async until(isDone: () => boolean, limitMs: number): Promise<void> {
    const stopAt = Date.now() + limitMs;
    while (!isDone() && this.#end === undefined) {
      const left = stopAt - Date.now();
      if (left <= 0) return;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  result(wanted: number): ConnectionResult {
    const { messages, rest } =
      this.#connection.raw === true ? { messages: [], rest: this.#received } : this.#cut();
    const isSilent = this.#end === undefined && this.finals() < wanted;
    const facts = [this.#tlsFacts, this.#tlsError].filter((fact) => fact !== undefined);
    return {
      messages,
      rest,
      fate: this.#end ?? (isSilent ? "silent" : "open"),
      ...(facts.length === 0 ? {} : { tls: facts.join(", then ") }),
    };
  }

  #cut(): { readonly messages: readonly Message[]; readonly rest: string } {
    return cutResponses(this.#received, this.#connection.head === true, this.hasEnded);
  }
}

/** Plays one connection of a case; `number` is its place in the case, from 0. */
export async function playConnection(
  port: number,
  connection: Connection,
  waits: Waits,
  context: DialContext = NO_CONTEXT,
  number = 0,
): Promise<ConnectionResult> {
  const client = new RawClient(port, connection, context);
  const wanted = connection.raw === true ? 0 : (connection.responses ?? 1);
  for (const [at, piece] of connection.send.entries()) {
    const isSecondWrite = at > 0 && typeof connection.send[at - 1] === "string";
    if (typeof piece === "string" && isSecondWrite) await delay(PIECE_GAP_MS);
    await client.play(piece, waits);
  }
  if (connection.fin === true) await client.play({ fin: true }, waits);
  if (connection.abort !== true) {
    await client.until(() => client.finals() >= wanted, waits.responseMs);
    await client.until(() => false, waits.closeMs);
  }
  const result = client.result(wanted);
  context.sessions[number] = client.session;
  client.destroy();
  // The proxy must see the client's end before the upstream's, which follows.
  if (connection.abort === true) await delay(PIECE_GAP_MS);
  return result;
}

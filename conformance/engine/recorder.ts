// What the engine cases share: receivers that write down their events, and pairs of connections.
import type {
  CloseReason,
  ConnectOptions,
  IoEvents,
  IoHandle,
  ListenEvents,
  ListenHandle,
  ListenOptions,
  NetworkEngine,
  SocketAddress,
} from "../../runtime/src/engine/network-engine.ts";

export const anyPort: SocketAddress = { address: "127.0.0.1", port: 0, family: "ipv4" };

export const listenOptions: ListenOptions = {
  reusePort: false,
  backlog: 0,
  ipv4Compat: false,
  mode: 0,
};

export const connectOptions: ConnectOptions = { bindAddress: null, keepAlive: null };

/** Wakes waiters after each event. */
class Waiting {
  readonly #waiters: { isReady: () => boolean; wake: () => void }[] = [];

  until(isReady: () => boolean): Promise<void> {
    if (isReady()) return Promise.resolve();
    return new Promise((wake) => this.#waiters.push({ isReady, wake }));
  }

  changed(): void {
    for (let at = this.#waiters.length - 1; at >= 0; at -= 1) {
      const waiter = this.#waiters[at];
      if (waiter === undefined || !waiter.isReady()) continue;
      this.#waiters.splice(at, 1);
      waiter.wake();
    }
  }
}

/** Keeps what came; `on*` hooks run inside the event. */
export class Recorder extends Waiting implements IoEvents {
  readonly log: string[] = [];
  /** One text per onRead. */
  readonly reads: string[] = [];
  bytes = 0;
  reason: CloseReason | null = null;
  code = "";
  keepsText = true;
  whenRead: ((buffer: Buffer, length: number) => void) | null = null;
  whenConnected: (() => void) | null = null;
  whenWritable: (() => void) | null = null;
  whenEnded: (() => void) | null = null;
  whenClosed: (() => void) | null = null;

  get text(): string {
    return this.reads.join("");
  }

  get isClosed(): boolean {
    return this.log.includes("close");
  }

  get hasEnded(): boolean {
    return this.log.includes("end");
  }

  count(event: string): number {
    return this.log.filter((entry) => entry === event).length;
  }

  onConnect(): void {
    this.log.push("connect");
    this.whenConnected?.();
    this.changed();
  }

  onRead(buffer: Buffer, length: number): void {
    this.bytes += length;
    if (this.keepsText) {
      this.log.push("read");
      this.reads.push(buffer.toString("latin1", 0, length));
    }
    this.whenRead?.(buffer, length);
    this.changed();
  }

  onWritable(): void {
    this.log.push("writable");
    this.whenWritable?.();
    this.changed();
  }

  onEnd(): void {
    this.log.push("end");
    this.whenEnded?.();
    this.changed();
  }

  onClose(reason: CloseReason, code: string): void {
    this.log.push("close");
    this.reason = reason;
    this.code = code;
    this.whenClosed?.();
    this.changed();
  }
}

export class ListenRecorder extends Waiting implements ListenEvents {
  readonly accepted: { io: IoHandle; events: Recorder }[] = [];
  readonly errors: string[] = [];
  isListening = false;
  refuses = false;
  whenAccepted: ((io: IoHandle, events: Recorder) => void) | null = null;

  onListening(): void {
    this.isListening = true;
    this.changed();
  }

  onAccept(io: IoHandle): IoEvents | null {
    if (this.refuses) return null;
    const events = new Recorder();
    this.accepted.push({ io, events });
    this.whenAccepted?.(io, events);
    this.changed();
    return events;
  }

  onError(code: string): void {
    this.errors.push(code);
    this.changed();
  }
}

export interface Listening {
  readonly handle: ListenHandle;
  readonly events: ListenRecorder;
}

export async function listen(
  engine: NetworkEngine,
  address: SocketAddress = anyPort,
  options: ListenOptions = listenOptions,
): Promise<Listening> {
  const events = new ListenRecorder();
  const handle = engine.listen(address, options, events);
  await events.until(() => events.isListening || events.errors.length > 0);
  return { handle, events };
}

export interface Side {
  readonly io: IoHandle;
  readonly events: Recorder;
}

export function connect(
  engine: NetworkEngine,
  address: SocketAddress,
  options: ConnectOptions = connectOptions,
): Side {
  const events = new Recorder();
  return { io: engine.connect(address, options, events), events };
}

export interface Pair {
  readonly client: Side;
  readonly server: Side;
}

/** Two connected ends; the listener is closed already. */
export async function connectPair(
  engine: NetworkEngine,
  address: SocketAddress = anyPort,
): Promise<Pair> {
  const listening = await listen(engine, address);
  const client = connect(engine, listening.handle.localAddress);
  await client.events.until(() => client.events.log.length > 0);
  await listening.events.until(() => listening.events.accepted.length > 0);
  listening.handle.close();
  return { client, server: listening.events.accepted[0] as Side };
}

/** The other side of the loop: what was under way has been delivered, and more than once. */
export async function settle(engine: NetworkEngine): Promise<void> {
  const { client, server } = await connectPair(engine);
  for (const [from, to] of [
    [client, server],
    [server, client],
  ] as const) {
    from.io.writeText("?");
    await to.events.until(() => to.events.bytes > 0);
  }
  client.io.reset();
  server.io.reset();
  await new Promise<void>((resolve) => setImmediate(resolve));
}

/** A stream of bytes that is the same for the same seed: what goes in is what must come out. */
export class Pattern {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  fill(buffer: Buffer): void {
    const words = new Uint32Array(buffer.buffer, buffer.byteOffset, buffer.length >>> 2);
    let state = this.#state;
    for (let at = 0; at < words.length; at += 1) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      words[at] = state;
    }
    this.#state = state;
  }
}

// An upstream that notes the exact bytes it is sent and answers by a script; used by run-group.ts.
import net from "node:net";
import tls from "node:tls";
import { DEFAULT_REPLY, type Reply, type Step, type Stream, type TlsUpstream } from "./case.ts";
import { type CertificateSet, the } from "./certificates.ts";
import { describeTls } from "./dial.ts";
import { cutRequest, type Message } from "./wire.ts";

/** One request as the upstream saw it. */
export interface UpstreamRequest {
  /** Name of the upstream. */
  readonly upstream: string;
  /** Number of the connection among those of this case, from 1. */
  readonly connection: number;
  readonly message: Message;
  /** Facts of the TLS handshake. */
  readonly tls?: string;
  /** What came behind the request of a tunnel. */
  readonly tunnel?: string;
}

/** One connection that is no HTTP. */
export interface UpstreamStream {
  readonly upstream: string;
  readonly bytes: string;
  /** What the proxy did with its side: `closed` is FIN. */
  readonly end: "open" | "closed" | "reset";
  readonly tls?: string;
}

interface Pending {
  readonly upstream: string;
  readonly connection: UpstreamConnection;
  message: Message;
  tunnel: string | undefined;
}

/** The upstreams of a run. */
export interface UpstreamOptions {
  /** Those that speak TLS, by name. */
  readonly secure?: Readonly<Record<string, TlsUpstream | null>> | undefined;
  readonly certificates?: CertificateSet | null;
}

const CLOSE_MS_MAX = 300;
/** For tunnels that a proxy forgets. */
const TUNNEL_MS_MAX = 2_000;
const STREAM_BYTES_WAIT_MS_MAX = 10_000;
const DEFAULT_STREAM: Stream = { steps: [] };

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** One accepted connection: a stream of bytes, or requests that are answered one after the other. */
class UpstreamConnection {
  readonly socket: net.Socket;
  readonly upstream: string;
  number: number;
  end: "open" | "closed" | "reset";
  #received: string;
  #current: Pending | undefined;
  #isAnswering: boolean;
  /** Set on a connection that is no HTTP. */
  readonly #stream: Stream | undefined;
  readonly tlsFacts: string | undefined;
  readonly #recorder: UpstreamRecorder;

  constructor(
    recorder: UpstreamRecorder,
    upstream: string,
    socket: net.Socket,
    stream: Stream | undefined,
  ) {
    this.socket = socket;
    this.upstream = upstream;
    this.number = 0;
    this.end = "open";
    this.#received = "";
    this.#current = undefined;
    this.#isAnswering = stream !== undefined;
    this.#stream = stream;
    this.#recorder = recorder;
    this.tlsFacts = socket instanceof tls.TLSSocket ? describeTls(socket) : undefined;
    socket.setNoDelay(true);
    socket.on("error", () => {
      if (this.end === "open") this.end = "reset";
      socket.destroy();
    });
    socket.on("data", (part) => {
      this.#received += part.toString("latin1");
      if (this.#stream === undefined) this.#advance();
    });
    socket.on("end", () => {
      if (this.end === "open") this.end = "closed";
      // A script that has bytes behind the peer's FIN sends them first.
      if (!this.#isScripted || !this.#isAnswering) socket.end();
    });
    if (stream !== undefined) void this.#playStream(stream);
  }

  /** The bytes of a connection that is no HTTP. */
  get received(): string {
    return this.#received;
  }

  get isStream(): boolean {
    return this.#stream !== undefined;
  }

  /** Whether bytes go both ways as a script says. */
  get #isScripted(): boolean {
    return this.#stream !== undefined || this.#current?.tunnel !== undefined;
  }

  async #playStream(stream: Stream): Promise<void> {
    await this.#playSteps(stream.steps);
    this.#isAnswering = false;
    this.#finish(stream.after);
  }

  #finish(after: Reply["after"]): void {
    const hasPeerEnded = this.#isScripted && this.end === "closed";
    if (after === "reset") this.socket.resetAndDestroy();
    else if (after === "close" || hasPeerEnded) this.socket.end();
  }

  #advance(): void {
    if (this.#current?.tunnel !== undefined) {
      this.#current.tunnel = this.#received;
      return;
    }
    const cut = cutRequest(this.#received);
    if (cut === undefined) return;
    if (this.#current === undefined) {
      this.#current = {
        upstream: this.upstream,
        connection: this,
        message: cut.message,
        tunnel: undefined,
      };
      this.#recorder.note(this.#current);
    } else {
      this.#current.message = cut.message;
    }
    const reply = this.#recorder.replyFor(this.#current);
    if (!this.#isAnswering && (cut.message.isComplete || reply.when === "head")) {
      this.#isAnswering = true;
      if (reply.tunnel === true) {
        this.#received = this.#received.slice(cut.used);
        this.#current.tunnel = this.#received;
      }
      void this.#answer(reply).finally(() => this.#next());
    }
  }

  async #answer(reply: Reply): Promise<void> {
    await this.#playSteps(reply.steps);
    this.#finish(reply.after);
  }

  async #playSteps(steps: readonly Step[]): Promise<void> {
    for (const [at, step] of steps.entries()) {
      if (typeof step === "string") {
        if (at > 0 && typeof steps[at - 1] === "string") await delay(25);
        if (!this.socket.destroyed) this.socket.write(step, "latin1");
      } else if ("pauseMs" in step) {
        await delay(step.pauseMs);
      } else if ("fin" in step) {
        this.socket.end();
      } else if ("awaitText" in step) {
        await this.#until(() => this.#received.includes(step.awaitText));
      } else if ("awaitEnd" in step) {
        await this.#until(() => this.end !== "open");
      } else if ("awaitOther" in step) {
        await step.awaitOther();
      } else {
        await this.#until(() => this.#current?.message.isComplete === true);
      }
    }
  }

  async #until(isDone: () => boolean): Promise<void> {
    const stopAt = Date.now() + STREAM_BYTES_WAIT_MS_MAX;
    while (!isDone() && !this.socket.destroyed && Date.now() < stopAt) await delay(5);
  }

  /** The answer is out: whatever came behind the request is the next one. */
  #next(): void {
    this.#isAnswering = false;
    if (this.#current?.tunnel !== undefined) return;
    const cut = cutRequest(this.#received);
    if (cut === undefined || !cut.message.isComplete) return;
    this.#received = this.#received.slice(cut.used);
    this.#current = undefined;
    this.#advance();
  }
}

/** Servers on ports of loopback, one per name, that share one script. */
export class UpstreamRecorder {
  readonly ports: Record<string, number>;
  readonly #servers: net.Server[];
  readonly #connections: Set<UpstreamConnection>;
  readonly #options: UpstreamOptions;
  #replies: readonly Reply[];
  /** Undefined = connections are HTTP. */
  #streams: readonly Stream[] | undefined;
  #pending: Pending[];
  #accepted: UpstreamConnection[];
  #connectionCount: number;

  private constructor(options: UpstreamOptions) {
    this.#options = options;
    this.ports = {};
    this.#servers = [];
    this.#connections = new Set();
    this.#replies = [];
    this.#streams = undefined;
    this.#pending = [];
    this.#accepted = [];
    this.#connectionCount = 0;
  }

  /** Listens for each name on a port of the caller's choice. */
  static async start(
    ports: Readonly<Record<string, number>>,
    options: UpstreamOptions = {},
  ): Promise<UpstreamRecorder> {
    const recorder = new UpstreamRecorder(options);
    for (const [name, port] of Object.entries(ports)) await recorder.#listen(name, port);
    return recorder;
  }

  #listen(name: string, port: number): Promise<void> {
    const server = this.#createServer(name);
    this.#servers.push(server);
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen({ port, host: "127.0.0.1" }, () => {
        this.ports[name] = (server.address() as net.AddressInfo).port;
        resolve();
      });
    });
  }

  #createServer(name: string): net.Server {
    const accept = (socket: net.Socket): void => this.#accept(name, socket);
    const secure = this.#options.secure?.[name];
    if (secure === undefined || secure === null) {
      return net.createServer({ allowHalfOpen: true }, accept);
    }
    const certificates = this.#options.certificates;
    if (!certificates) throw new Error(`upstream ${name}: the group needs \`certificates: true\``);
    const own = the(certificates.byName, secure.certificate);
    const { clientAuthority, alpn, minVersion, maxVersion } = secure;
    const server = tls.createServer(
      {
        allowHalfOpen: true,
        cert: own.chainPem,
        key: own.keyPem,
        rejectUnauthorized: clientAuthority !== undefined,
        requestCert: clientAuthority !== undefined,
        ...(clientAuthority === undefined
          ? {}
          : { ca: the(certificates.byName, clientAuthority).pem }),
        ...(alpn === undefined ? {} : { ALPNProtocols: [...alpn] }),
        ...(minVersion === undefined ? {} : { minVersion }),
        ...(maxVersion === undefined ? {} : { maxVersion }),
      },
      accept,
    );
    // What a failed handshake means is seen at the client.
    server.on("tlsClientError", () => undefined);
    return server;
  }

  #accept(name: string, socket: net.Socket): void {
    const stream =
      this.#streams === undefined
        ? undefined
        : (this.#streams[this.#accepted.length] ?? DEFAULT_STREAM);
    const connection = new UpstreamConnection(this, name, socket, stream);
    this.#accepted.push(connection);
    this.#connections.add(connection);
    socket.on("close", () => this.#connections.delete(connection));
  }

  /** Forgets what was noted and sets the answers of the next case. */
  script(replies: readonly Reply[], streams?: readonly Stream[]): void {
    this.#replies = replies;
    this.#streams = streams;
    this.#pending = [];
    this.#accepted = [];
    this.#connectionCount = 0;
    for (const connection of this.#connections) connection.number = 0;
  }

  /** Called by a connection when the head of a request is there. */
  note(pending: Pending): void {
    if (pending.connection.number === 0) {
      this.#connectionCount += 1;
      pending.connection.number = this.#connectionCount;
    }
    this.#pending.push(pending);
  }

  /** The answer to a noted request. */
  replyFor(pending: Pending): Reply {
    return this.#replies[this.#pending.indexOf(pending)] ?? DEFAULT_REPLY;
  }

  /** What came since `script`. */
  requests(): UpstreamRequest[] {
    return this.#pending.map(({ upstream, connection, message, tunnel }) => ({
      upstream,
      connection: connection.number,
      message,
      ...(connection.tlsFacts === undefined ? {} : { tls: connection.tlsFacts }),
      ...(tunnel === undefined ? {} : { tunnel }),
    }));
  }

  /** Connections since `script` that are no HTTP. */
  streams(): UpstreamStream[] {
    return this.#accepted
      .filter((connection) => connection.isStream)
      .map(({ upstream, received, end, tlsFacts }) => ({
        upstream,
        bytes: received,
        end,
        ...(tlsFacts === undefined ? {} : { tls: tlsFacts }),
      }));
  }

  /** Waits until the proxy has ended its side of every tunnel: its client has gone. */
  async tunnelsEnded(): Promise<void> {
    const isOpen = ({ connection, tunnel }: Pending): boolean =>
      tunnel !== undefined && connection.end === "open" && !connection.socket.destroyed;
    const until = Date.now() + TUNNEL_MS_MAX;
    while (this.#pending.some(isOpen) && Date.now() < until) await delay(2);
  }

  /** Ends all connections and waits until the proxy has ended its side too. */
  async closeConnections(): Promise<void> {
    for (const { socket } of this.#connections) socket.end();
    const until = Date.now() + CLOSE_MS_MAX;
    while (this.#connections.size > 0 && Date.now() < until) await delay(2);
    for (const { socket } of this.#connections) socket.destroy();
  }

  async stop(): Promise<void> {
    await this.closeConnections();
    const closed = this.#servers.map(
      (server) => new Promise<void>((resolve) => server.close(() => resolve())),
    );
    await Promise.all(closed);
  }
}

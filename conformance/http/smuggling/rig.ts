// A real proxy process between raw sockets of ours: plays cases one after the other and keeps every byte
// that reaches the upstream, by connection.
import net from "node:net";
import { bootstrap, listener } from "../../../runtime/test/bootstrap.ts";
import { HeadgateProcess, Scratch } from "../../../runtime/test/headgate-process.ts";
import { LocalServer } from "../../../runtime/test/upstreams.ts";
import { RawClient } from "../raw-client.ts";
import type { ResponseCase, Site } from "./case.ts";
import { Reader, strict } from "./readers.ts";

/** Laid over the connection manager of each site. */
const sites: Readonly<Record<Site, object>> = {
  main: {},
  http10: { http_protocol_options: { accept_http_10: true } },
  length_dropped: { http_protocol_options: { allow_chunked_length: true } },
  trailers: { http_protocol_options: { enable_trailers: true } },
  preserve: {
    http_protocol_options: {
      header_key_format: {
        stateful_formatter: {
          name: "preserve",
          typed_config: {
            "@type":
              "type.googleapis.com/envoy.extensions.http.header_formatters.preserve_case.v3" +
              ".PreserveCaseFormatterConfig",
          },
        },
      },
    },
  },
  normalize: { normalize_path: true },
  no_absolute: { http_protocol_options: { allow_absolute_url: false } },
  upgrades: { upgrade_configs: [{ upgrade_type: "websocket" }, { upgrade_type: "other" }] },
};

/** How long the proxy waits for a client whose answer ended the connection. */
const CLOSE_DELAY = "0.01s";

const reader = new Reader(strict);

/** One connection that the proxy made to the upstream. */
export interface UpstreamConnection {
  readonly bytes: string;
  readonly isEnded: boolean;
}

class UpstreamSide implements UpstreamConnection {
  readonly socket: net.Socket;
  bytes: string;
  isEnded: boolean;
  answered: number;

  constructor(socket: net.Socket) {
    this.socket = socket;
    this.bytes = "";
    this.isEnded = false;
    this.answered = 0;
  }
}

/** Answers each whole request with its request line as body; `plan` takes one request's place. */
export class Upstream {
  readonly connections: UpstreamSide[];
  readonly #server: LocalServer;
  /** The response to the next request. */
  plan: Pick<ResponseCase, "reply" | "closes"> | null;

  constructor() {
    this.connections = [];
    this.plan = null;
    this.#server = new LocalServer(net.createServer((socket) => this.#onConnection(socket)));
  }

  listen(): Promise<number> {
    return this.#server.listen();
  }

  close(): void {
    this.#server.close();
  }

  #onConnection(socket: net.Socket): void {
    const side = new UpstreamSide(socket);
    this.connections.push(side);
    socket.setNoDelay(true);
    socket.on("data", (part) => {
      side.bytes += part.toString("latin1");
      this.#answer(side);
    });
    const end = (): void => {
      side.isEnded = true;
      socket.destroy();
    };
    socket.on("end", end).on("error", end).on("close", end);
  }

  #answer(side: UpstreamSide): void {
    const whole = reader.requests(side.bytes).filter((request) => request.isComplete);
    for (const request of whole.slice(side.answered)) {
      side.answered += 1;
      const plan = this.plan;
      this.plan = null;
      if (plan === null) side.socket.write(defaultReply(request.start), "latin1");
      else {
        side.socket.write(plan.reply, "latin1");
        if (plan.closes) side.socket.end();
      }
    }
  }
}

/** What the upstream says when nothing else is planned. */
export function defaultReply(start: string): string {
  const body = start.startsWith("HEAD ") ? "" : start;
  return `HTTP/1.1 200 OK\r\ncontent-length: ${start.length}\r\n\r\n${body}`;
}

/** The proxy, its upstream, and the port of each site. */
export class Rig {
  readonly upstream: Upstream;
  readonly #scratch: Scratch;
  readonly #ports: Map<Site, number>;
  #proxy: HeadgateProcess | null;

  constructor() {
    this.upstream = new Upstream();
    this.#scratch = new Scratch();
    this.#ports = new Map();
    this.#proxy = null;
  }

  /** `command` starts another proxy than ours, for example Envoy. */
  async start(command: readonly string[] | null): Promise<void> {
    const upstreamPort = await this.upstream.listen();
    const [first, ...more] = Object.entries(sites).map(([site, hcm]) => ({
      site: site as Site,
      hcm: { delayed_close_timeout: CLOSE_DELAY, ...hcm },
    }));
    if (first === undefined) throw new Error("no sites");
    const config = bootstrap(
      { upstreamPort, hcm: first.hcm },
      more.map(({ site, hcm }) => listener({ hcm }, site)),
    );
    this.#proxy = await HeadgateProcess.start(
      this.#scratch,
      config,
      command === null ? {} : { command, flags: ["--use-dynamic-base-id"] },
    );
    for (const site of Object.keys(sites) as Site[]) {
      const address = await this.#proxy.listener(site);
      this.#ports.set(site, Number(address.slice(address.lastIndexOf(":") + 1)));
    }
  }

  connect(site: Site): RawClient {
    return new RawClient(this.#ports.get(site) ?? 0);
  }

  async stat(name: string): Promise<number> {
    return (await this.#proxy?.stat(name)) ?? 0;
  }

  async end(): Promise<void> {
    await this.#proxy?.end();
    this.upstream.close();
    this.#scratch.remove();
  }
}

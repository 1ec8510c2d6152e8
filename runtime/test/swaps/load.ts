// A steady load that must not notice swaps of a plugin's module: kept connections, each with one
// request after the other, whose answers say which module saw the request and which the response.
import { connect } from "node:net";
import type { Socket } from "node:net";
import { Pace } from "../pace.ts";
import { HttpUpstream } from "../upstreams.ts";

const REQUEST = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
const FAILURES_KEPT = 20;

/** The upstream that goes with it: its body is the module that the request has passed. */
export function moduleUpstream(): HttpUpstream {
  return new HttpUpstream((request, response) => {
    response.end(String(request.headers["x-module"] ?? "none"));
  });
}

export class SwapLoad {
  answered: number = 0;
  /** Answers of two versions. */
  mixed: number = 0;
  /** Connections that were closed, or asked to close, though nobody had stopped. */
  closed: number = 0;
  /** The first ones, in words. */
  readonly failures: string[] = [];
  failed: number = 0;
  /** By the name of the module. */
  readonly byModule: Map<string, number> = new Map();
  #latenciesMs: number[] = [];
  #isStopping: boolean = false;
  readonly #rests: boolean;
  readonly #clients: Promise<void>[];

  /** `target`: "host:port". With `rests` there are some between requests; default: as fast as answers come. */
  constructor(target: string, connections: number, rests = false) {
    const [host = "", port = ""] = target.split(":");
    this.#rests = rests;
    this.#clients = Array.from({ length: connections }, () => this.#run(host, Number(port)));
  }

  /** Milliseconds of the answers since the last call. */
  takeLatencies(): number[] {
    const taken = this.#latenciesMs;
    this.#latenciesMs = [];
    return taken;
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#clients);
  }

  async #run(host: string, port: number): Promise<void> {
    while (!this.#isStopping) await this.#useConnection(connect(port, host));
  }

  #useConnection(socket: Socket): Promise<void> {
    let text = "";
    let sentMs = 0;
    const pace = new Pace();
    const send = (): void => {
      if (this.#isStopping) socket.destroy();
      if (!socket.writable) return;
      sentMs = performance.now();
      socket.write(REQUEST);
    };
    socket.setEncoding("latin1").setNoDelay(true);
    socket.on("connect", send);
    socket.on("data", (chunk: string) => {
      text += chunk;
      const answer = parse(text);
      if (answer === null) return;
      text = "";
      this.#latenciesMs.push(performance.now() - sentMs);
      this.#judge(answer.head, answer.body);
      if (this.#isStopping) socket.destroy();
      else if (this.#rests) pace.step(send);
      else send();
    });
    return new Promise((resolve) => {
      socket.on("error", (error) => this.#fail(error.message));
      socket.on("close", () => {
        if (!this.#isStopping) {
          this.closed += 1;
          this.#fail(`closed after ${JSON.stringify(text)}`);
        }
        resolve();
      });
    });
  }

  #judge(head: string, body: string): void {
    if (!head.startsWith("HTTP/1.1 200 ")) return this.#fail(head.slice(0, 40));
    if (/\r\nconnection: close/i.test(head)) this.closed += 1;
    const module = /\r\nx-module: (\S+)/.exec(head)?.[1] ?? "none";
    if (module === body) this.answered += 1;
    else {
      this.mixed += 1;
      this.#fail(`the request passed ${body}, its response ${module}`);
    }
    this.byModule.set(module, (this.byModule.get(module) ?? 0) + 1);
  }

  #fail(what: string): void {
    this.failed += 1;
    if (this.failures.length < FAILURES_KEPT) this.failures.push(what);
  }
}

/** Null while it is not whole. */
function parse(text: string): { readonly head: string; readonly body: string } | null {
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return null;
  const [head, body] = [text.slice(0, end), text.slice(end + 4)];
  const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
  const isWhole = length === undefined ? body.endsWith("0\r\n\r\n") : body.length >= Number(length);
  if (!isWhole) return null;
  if (length !== undefined) return { head, body };
  return { head, body: body.replace(/^[0-9a-f]+\r\n/, "").replace(/\r\n0\r\n\r\n$/, "") };
}

// Requests without a pause on connections that are kept, for tests that change something meanwhile:
// counts what is not a whole 200, whatever the reason.
import { Agent, request as httpRequest } from "node:http";

export interface LoadOptions {
  /** "host:port" of each listener, taken in turn. */
  readonly targets: readonly string[];
  /** Requests that are under way at any time. */
  readonly concurrency: number;
  /** The whole body that each answer has; null = any. */
  readonly body: string | null;
  readonly path?: string;
}

export class LoadDriver {
  /** Whole answers of status 200. */
  succeeded: number;
  /** What went wrong, one line each; at most 20 are kept. */
  readonly failures: string[];
  failed: number;
  /** Bodies and how often they came. */
  readonly bodies: Map<string, number>;
  readonly #options: LoadOptions;
  readonly #agent: Agent;
  #isStopped: boolean;
  readonly #loops: Promise<void>[];

  constructor(options: LoadOptions) {
    this.succeeded = 0;
    this.failures = [];
    this.failed = 0;
    this.bodies = new Map();
    this.#options = options;
    this.#agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });
    this.#isStopped = false;
    this.#loops = Array.from({ length: options.concurrency }, (_, at) => this.#loop(at));
  }

  /** Ends when the requests under way have been answered. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#loops);
    this.#agent.destroy();
  }

  async #loop(at: number): Promise<void> {
    const { targets } = this.#options;
    for (let i = at; !this.#isStopped; i += 1) {
      await this.#ask(targets[i % targets.length] as string);
    }
  }

  #ask(target: string): Promise<void> {
    const [host, port] = target.split(":");
    const { path = "/", body } = this.#options;
    return new Promise((resolve) => {
      const fail = (reason: string): void => {
        this.failed += 1;
        if (this.failures.length < 20) this.failures.push(`${target}: ${reason}`);
        resolve();
      };
      const options = { host, port: Number(port), path, agent: this.#agent };
      const request = httpRequest(options, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => {
          text += chunk;
        });
        response.on("error", (error: Error) => fail(`body: ${error.message}`));
        response.on("end", () => {
          if (response.statusCode !== 200) return fail(`status ${response.statusCode} ${text}`);
          if (!response.complete || (body !== null && text !== body)) return fail(`body ${text}`);
          this.bodies.set(text, (this.bodies.get(text) ?? 0) + 1);
          this.succeeded += 1;
          resolve();
        });
      });
      request.on("error", (error: NodeJS.ErrnoException) => fail(error.code ?? error.message));
      request.end();
    });
  }
}

// What test files about real processes share: a folder for each test, processes that end with the test
// however it went, and upstream servers that live as long as the file.
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
import { HeadgateProcess, Scratch } from "./headgate-process.ts";
import type { StartOptions } from "./headgate-process.ts";
import { HttpUpstream } from "./upstreams.ts";

/** The processes of the test under way, and their folder. */
export class Processes {
  readonly #defaults: StartOptions;
  readonly #running: HeadgateProcess[];
  #scratch: Scratch | null;

  constructor(defaults: StartOptions) {
    this.#defaults = defaults;
    this.#running = [];
    this.#scratch = null;
  }

  /** The test's folder. */
  get scratch(): Scratch {
    if (this.#scratch === null) throw new Error("the folder is there while a test runs");
    return this.#scratch;
  }

  begin(): void {
    this.#scratch = new Scratch();
  }

  async end(): Promise<void> {
    for (const headgate of this.#running.splice(0)) await headgate.end();
    this.#scratch?.remove();
    this.#scratch = null;
  }

  /** A process that is live, with an admin file of its own. */
  async start(config: string | object, options: StartOptions = {}): Promise<HeadgateProcess> {
    const adminFile = `admin-address-${this.#running.length}`;
    const all = { adminFile, ...this.#defaults, ...options };
    const headgate = HeadgateProcess.launch(this.scratch, config, all);
    this.#running.push(headgate);
    await headgate.isLive();
    return headgate;
  }

  /** A process of this command line. */
  launch(...args: readonly string[]): HeadgateProcess {
    const headgate = new HeadgateProcess(args);
    this.#running.push(headgate);
    return headgate;
  }

  /** Runs a command line that ends by itself. */
  async run(...args: readonly string[]): Promise<HeadgateProcess> {
    const headgate = this.launch(...args);
    await headgate.exited;
    return headgate;
  }
}

/** To be called once at the top of a test file; `defaults` are those of all its processes. */
export function useProcesses(defaults: StartOptions = {}): Processes {
  const processes = new Processes(defaults);
  beforeEach(() => processes.begin());
  afterEach(() => processes.end());
  return processes;
}

/** Upstream servers for all tests of a file, one for each body; their ports are known in tests. */
export function useUpstreams(...bodies: readonly string[]): readonly HttpUpstream[] {
  const upstreams = bodies.map((body) => new HttpUpstream(body));
  beforeAll(async () => {
    for (const upstream of upstreams) await upstream.listen();
  });
  beforeEach(() => {
    for (const upstream of upstreams) upstream.held = [];
  });
  afterAll(() => {
    for (const upstream of upstreams) upstream.close();
  });
  return upstreams;
}

/** As `useUpstreams`, for the one that most files need. */
export function useUpstream(body: string): HttpUpstream {
  return useUpstreams(body)[0] as HttpUpstream;
}

// Has many configurations validated by Headgate in one process: started for each, Headgate would
// take half a second of a core for a few milliseconds of work.
import { type ChildProcess, fork } from "node:child_process";
import { join } from "node:path";
import { configFlags, REPOSITORY, type Validation } from "./target.ts";
import type { ValidatorAnswer } from "./validator-process.ts";

/** Started with the first configuration. Whoever makes it stops it. One configuration at a time. */
export class Validator {
  #child: ChildProcess | null;
  /** What the process has logged of the configuration at hand. */
  #log: string;

  constructor() {
    this.#child = null;
    this.#log = "";
  }

  /** Whether Headgate takes the configuration, with what it said. */
  validate(configFile: string): Promise<Validation> {
    const child = (this.#child ??= this.#start());
    this.#log = "";
    return new Promise((resolve, reject) => {
      const settle = (act: () => void): void => {
        child.off("message", onAnswer).off("error", onError).off("exit", onExit);
        act();
      };
      const onAnswer = (message: unknown): void => {
        const { code, output } = message as ValidatorAnswer;
        settle(() => resolve({ isAccepted: code === 0, output: this.#log + output }));
      };
      const onError = (error: Error): void => settle(() => reject(error));
      const onExit = (code: number | null, signal: string | null): void => {
        // The next configuration gets a new process.
        this.#child = null;
        const what = `${configFile}: the validator ended: ${code ?? signal}\n${this.#log}`;
        settle(() => reject(new Error(what)));
      };
      child.on("message", onAnswer).on("error", onError).on("exit", onExit);
      child.send(["--mode", "validate", ...configFlags(configFile)]);
    });
  }

  stop(): void {
    this.#child?.kill("SIGKILL");
    this.#child = null;
  }

  #start(): ChildProcess {
    const folder = join(REPOSITORY, "node_modules/.cache/headgate");
    const child = fork(join(import.meta.dirname, "validator-process.ts"), {
      // As bin/headgate.mjs keeps compiled code.
      env: Object.assign({ NODE_COMPILE_CACHE: folder }, process.env),
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    child.stderr?.setEncoding("latin1").on("data", (text: string) => {
      this.#log += text;
    });
    return child;
  }
}

// A compiler in a child process: one that stays loaded compiles again in a fraction of the time. Plain
// JavaScript: it runs before anything else.
import { spawn } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const script = fileURLToPath(new URL("asc-process.mjs", import.meta.url));
const transform = fileURLToPath(new URL("transform", import.meta.url));
const compiler = dirname(fileURLToPath(import.meta.resolve("assemblyscript/package.json")));
/** What it takes levels off at half of this. */
const RSS_BYTES_MAX = 1024 * 1024 * 1024;
const COMPILES_MAX = 200;
/** Of what a compiler says that has crashed. */
const SAID_CHARACTERS_MAX = 64 * 1024;

/** The compiler did not do its work; `output` is what it said. */
export class AscError extends Error {
  constructor(message, output) {
    super(output === "" ? message : `${message}\n${output}`);
    this.name = "AscError";
    this.output = output;
  }
}

/**
 * asc, loaded at once and kept. Its process is replaced when it has grown, when the compiler or the
 * transform on disk are others than those that it has loaded, and when a compile took too long or
 * crashed. Never keeps this process from ending, unless it compiles.
 */
export class ResidentAsc {
  #process = null;
  #compiles = 0;
  #id = 0;
  #version = "";
  #before = Promise.resolve();
  #kill = () => this.#process?.kill("SIGKILL");
  #compilesMax;
  #rssBytesMax;

  constructor({ compilesMax = COMPILES_MAX, rssBytesMax = RSS_BYTES_MAX } = {}) {
    this.#compilesMax = compilesMax;
    this.#rssBytesMax = rssBytesMax;
    process.once("exit", this.#kill);
    this.#start();
  }

  /** Of the compiler's process; null = there is none now. */
  get pid() {
    return this.#process?.pid ?? null;
  }

  /** As `asc` of withCompiler; one call waits for the other. */
  compile(args, cwd, env, timeMaxMs) {
    const run = () => this.#compile(args, cwd, env, timeMaxMs);
    const result = this.#before.then(run);
    this.#before = result.catch(() => {});
    return result;
  }

  /** Ends what runs. A compile later starts it again. */
  stop() {
    process.off("exit", this.#kill);
    this.#kill();
    this.#process = null;
  }

  #start() {
    this.stop();
    process.once("exit", this.#kill);
    this.#version = versionOnDisk();
    this.#compiles = 0;
    const child = spawn(process.execPath, [script], { stdio: ["ignore", "pipe", "pipe", "ipc"] });
    this.#process = child;
    child.once("exit", () => {
      if (this.#process === child) this.#process = null;
    });
    // Told by the compile that needs it.
    child.on("error", () => {});
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8");
    hold(child, "unref");
  }

  async #compile(args, cwd, env, timeMaxMs) {
    if (this.#process === null || this.#version !== versionOnDisk()) this.#start();
    const child = this.#process;
    hold(child, "ref");
    const { isDone, output, rssBytes } = await this.#exchange(child, args, cwd, env, timeMaxMs);
    hold(child, "unref");
    this.#compiles += 1;
    const isWorn = this.#compiles >= this.#compilesMax || rssBytes > this.#rssBytesMax;
    // Started now, it is loaded when it is needed.
    if (isWorn && this.#process === child) this.#start();
    const said = output.trim();
    if (!isDone) throw new AscError("asc ended with 1", said);
    return said;
  }

  #exchange(child, args, cwd, env, timeMaxMs) {
    const id = (this.#id += 1);
    return new Promise((resolve, reject) => {
      let said = "";
      let why = "";
      const collect = (chunk) => {
        said = (said + chunk).slice(-SAID_CHARACTERS_MAX);
      };
      const answered = (answer) => {
        if (answer.id === id) end(() => resolve(answer));
      };
      const failed = (error) => end(() => reject(error));
      const closed = (code, signal) =>
        end(() => reject(new AscError(why || `asc ended with ${code ?? signal}`, said.trim())));
      const end = (tell) => {
        clearTimeout(timer);
        child.off("message", answered).off("error", failed).off("close", closed);
        child.stdout.off("data", collect);
        child.stderr.off("data", collect);
        tell();
      };
      const timer = setTimeout(() => {
        why = late(timeMaxMs);
        child.kill("SIGKILL");
      }, timeMaxMs);
      child.on("message", answered).on("error", failed).on("close", closed);
      child.stdout.on("data", collect);
      child.stderr.on("data", collect);
      // What cannot be sent any more, `close` tells.
      child.send({ id, args, cwd, env }, () => {});
    });
  }
}

/** With "unref" this process may end although the child is there. */
function hold(child, how) {
  for (const one of [child, child.channel, child.stdout, child.stderr]) one?.[how]();
}

/** Of the code that a compiler's process has loaded: other files, other times. */
function versionOnDisk() {
  const files = readdirSync(transform).map((name) => join(transform, name));
  const all = [...files, script, join(compiler, "package.json")];
  return all.map((file) => statSync(file).mtimeMs).join();
}

function late(timeMaxMs) {
  return (
    `asc did not end within ${timeMaxMs / 1000} s. Its optimiser never ends on a function that ` +
    "calls itself twice on every path: give it a way out, or build with --debug"
  );
}

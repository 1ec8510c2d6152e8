// Turns at the AssemblyScript compiler, which runs in processes of its own: at most two at once on this
// checkout, and ended when they take too long. The build of filters and the guests of tests compile through
// here. Plain JavaScript: it runs before anything else.
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ResidentAsc } from "./asc-resident.mjs";
import { compileAtService, servicePlace } from "./asc-service.mjs";

export { AscError, ResidentAsc } from "./asc-resident.mjs";

const compiler = dirname(fileURLToPath(import.meta.resolve("assemblyscript/package.json")));
const modules = dirname(compiler);
const locks = join(modules, ".cache", "headgate-asc");
/** Two compilers at a time: each takes a core and 200 MB. */
const PARALLEL_MAX = 2;
/**
 * A build takes 1 to 5 s, on a busy machine ten times that. Less than vitest gives to a hook, so that
 * this message is the one seen.
 */
const TIME_MAX_MS = 90_000;
const POLL_MS = 50;
const UNWRITABLE = new Set(["EACCES", "EPERM", "EROFS", "ENOSPC", "EDQUOT"]);

/**
 * Runs `work(asc)` when it is our turn, and resolves with its result; with null, and without
 * `work`, when `isMade()` is true, because another process made the same while we waited. `target`
 * names what is made, its path for instance: under one name nobody else works at the same time.
 * `asc(args, cwd, env)` resolves with what the compiler said, "" when it was content, or rejects with
 * an AscError; `env` is added to the environment. With `resident`, a ResidentAsc, that one compiles.
 */
export async function withCompiler({ target, isMade, timeMaxMs = TIME_MAX_MS, resident }, work) {
  if (isMade()) return null;
  const compile = (args, cwd, env = {}) =>
    resident === undefined
      ? compileOnce(args, cwd, env, timeMaxMs)
      : resident.compile(args, cwd, env, timeMaxMs);
  const free = await takeSlot(target);
  try {
    return isMade() ? null : await work(compile);
  } finally {
    free();
  }
}

/**
 * Slots are files, so that all processes of the checkout share them. They only spare the machine:
 * should two take the same one, or somebody have none where he may not write, nothing goes wrong but
 * the load.
 */
async function takeSlot(target) {
  try {
    return await takeFile(target);
  } catch (error) {
    if (!UNWRITABLE.has(error.code)) throw error;
    return () => {};
  }
}

async function takeFile(target) {
  mkdirSync(locks, { recursive: true });
  const files = Array.from({ length: PARALLEL_MAX }, (_, i) => join(locks, `slot-${i}`));
  for (;;) {
    const holders = files.map((file) => holderOf(file));
    const at = holders.indexOf(null);
    if (at >= 0 && !holders.some((holder) => holder?.target === target)) {
      const file = files[at];
      if (tryTake(file, target)) return () => rmSync(file, { force: true });
    } else {
      await new Promise((resolve) => {
        setTimeout(resolve, POLL_MS);
      });
    }
  }
}

function tryTake(file, target) {
  try {
    writeFileSync(file, JSON.stringify({ pid: process.pid, target }), { flag: "wx" });
    return true;
  } catch (error) {
    if (error.code === "EEXIST") return false;
    throw error;
  }
}

/** Who holds a slot; null = nobody. A slot whose holder has died, or must have, is freed. */
function holderOf(file) {
  let holder;
  try {
    if (Date.now() - statSync(file).mtimeMs > TIME_MAX_MS * 2) throw new Error("left behind");
    const text = readFileSync(file, "utf8");
    // Between its creation and the writing of its content it is empty.
    holder = text === "" ? { pid: process.pid, target: "" } : JSON.parse(text);
    process.kill(holder.pid, 0);
    return holder;
  } catch (error) {
    // EPERM: it lives, under another user.
    if (error.code === "EPERM") return holder;
    rmSync(file, { force: true });
    return null;
  }
}

/** At the service; where there is none, in a process of its own, which is gone when it has answered. */
async function compileOnce(args, cwd, env, timeMaxMs) {
  if (servicePlace() !== "") return await compileAtService(args, cwd, env, timeMaxMs);
  const once = new ResidentAsc();
  try {
    return await once.compile(args, cwd, env, timeMaxMs);
  } finally {
    once.stop();
  }
}

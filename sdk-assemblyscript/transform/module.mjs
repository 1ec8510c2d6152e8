// Looks at the compiled module before it is optimised: takes away callbacks that nothing needs, and
// refuses imports that no proxy provides and top-level code that calls the host.
import { readFileSync } from "node:fs";
import { ANSWERS_OF_HOSTCALL } from "./hooks.mjs";

const abi = new URL("../assembly/abi.ts", import.meta.url);
/** Traps may happen anywhere; what is said then is no call of the author's. */
const ABORT = /\/assembly\/abort\/headgate_abort$/;

/** `module.name` of each function that a proxy provides. */
export function providedImports() {
  const externals = readFileSync(abi, "utf8").matchAll(/@external\("(\w+)", "(\w+)"\)/g);
  return new Set(Array.from(externals, ([, module, name]) => `${module}.${name}`));
}

/** Who calls whom in a module, read from its text form, which has names. */
export class CallGraph {
  /** Function -> functions that it calls, in their order. */
  calls = new Map();
  /** Function -> "module.name". */
  imports = new Map();
  /** Name -> function. */
  exports = new Map();
  /** Functions that are called through a table. */
  #indirect = [];

  constructor(text) {
    let calls = [];
    for (const line of text.split("\n")) {
      const at = line.search(/\S/);
      if (line.startsWith("(call $", at)) calls.push(nameIn(line));
      else if (at === 1 && line.startsWith("(func", at)) this.calls.set(nameIn(line), (calls = []));
      else if (at === 1) this.#readPart(line.slice(1, line.indexOf(" ", 1)), line);
    }
  }

  #readPart(word, line) {
    const [, first, second] = /"([^"]*)"(?: "([^"]*)")? \(func/.exec(line) ?? [];
    if (word === "(import" && second !== undefined) {
      this.imports.set(nameIn(line), `${first}.${second}`);
    }
    if (word === "(export" && first !== undefined) this.exports.set(first, nameIn(line));
    if (word === "(elem") this.#indirect.push(...Array.from(line.matchAll(NAME), nameOf));
  }

  /** All that is reached from some functions, without going on through those of `stop`. */
  reach(from, stop = null) {
    const reached = new Set();
    const queue = [...from];
    while (queue.length > 0) {
      const name = queue.pop();
      if (reached.has(name) || stop?.test(name) === true) continue;
      reached.add(name);
      queue.push(...(this.calls.get(name) ?? []));
    }
    return reached;
  }

  /** Hostcalls, `env.proxy_...`, that are reached from some exports or through the table. */
  hostcallsFrom(names) {
    const functions = names.map((name) => this.exports.get(name));
    const reached = this.reach([...functions, ...this.#indirect]);
    return new Set([...this.imports].filter(([name]) => reached.has(name)).map(([, call]) => call));
  }
}

const NAME = /\$("[^"]*"|[^\s()]+)/g;

function nameIn(line) {
  return nameOf([...line.matchAll(NAME)][0] ?? ["", ""]);
}

function nameOf([, name]) {
  return name.startsWith('"') ? name.slice(1, -1) : name;
}

/**
 * Callbacks that bring answers to calls that the module never makes. `kept` are those of overridden
 * hooks.
 */
export function uselessCallbacks(graph, kept) {
  const answers = new Set(Object.values(ANSWERS_OF_HOSTCALL).flat());
  const useless = [...graph.exports.keys()].filter((name) => answers.has(name) && !kept.has(name));
  let isSettled = false;
  while (!isSettled) {
    const rest = [...graph.exports.keys()].filter((name) => !useless.includes(name));
    const hostcalls = graph.hostcallsFrom(rest);
    const needed = Object.entries(ANSWERS_OF_HOSTCALL)
      .filter(([hostcall]) => hostcalls.has(`env.${hostcall}`))
      .flatMap(([, callbacks]) => callbacks);
    const count = useless.length;
    for (const name of needed) if (useless.includes(name)) useless.splice(useless.indexOf(name), 1);
    isSettled = useless.length === count;
  }
  return useless;
}

/** Imports that no proxy provides. */
export function foreignImports(graph) {
  const provided = providedImports();
  return [...graph.imports.values()].filter((name) => !provided.has(name));
}

/** Calls at the top level of a file that reach the host: [{ target, hostcall }], in their order. */
export function topLevelHostcalls(graph, internalPath) {
  const found = [];
  for (const target of graph.calls.get(`start:${internalPath}`) ?? []) {
    // A file that this one imports is looked at by itself.
    if (/^start:[^~]*$/.test(target)) continue;
    const hostcall = [...graph.reach([target], ABORT)].find((name) => graph.imports.has(name));
    if (hostcall !== undefined) found.push({ target, hostcall: graph.imports.get(hostcall) });
  }
  return found;
}

/** What an author writes to call a function: `text` for "~lib/.../Property#text<i32>". */
export function calledName(target) {
  const [name] = target.replace(/@(override|varargs)$/, "").split("<");
  const [owner, method] = name.split("#");
  const called = method === undefined || method === "constructor" ? owner : method;
  return called.split(/[/.:]/).at(-1);
}

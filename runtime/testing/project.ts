// @headgate/runtime/testing/project: tells vitest about a filter's project, in vitest.config.mjs. It
// runs in vitest's main process, before the tests have a process of their own.
import { join, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import type { ResidentAsc } from "../../sdk-assemblyscript/asc.mjs";
import { compileFilter, residentAscOf } from "./compile.ts";

export interface ProjectOptions {
  /** The filter that most tests load, from the project's folder. Default "assembly/index.ts". */
  readonly entry?: string;
}

/** What is used of Vite's plugins. */
export interface ProjectPlugin {
  readonly name: string;
  config(config: { root?: string }): object;
  configureServer(server: {
    watcher: { on(event: "all", listener: (event: string, path: string) => void): unknown };
  }): void;
}

/** In place of vitest's own, which are these without the filter's. */
const forceRerunTriggers = ["**/assembly/**/*.ts", "**/package.json", "**/vitest.config.*"];

/** Folders with sources that Node itself reads faster than vite does. */
const SOURCES = ["../src/", "../../abi/src/"] as const;

/**
 * A plugin for `plugins` of vitest.config.mjs. The compiler starts as early as vitest does, and again
 * with each save; tests run again when a source of the filter was saved.
 */
export function filterProject({ entry = "assembly/index.ts" }: ProjectOptions = {}): ProjectPlugin {
  let path = "";
  let compiler: ResidentAsc | undefined;
  // What does not compile is told by the test that loads it.
  const compile = (): Promise<unknown> => compileFilter(path, compiler).catch(() => {});
  return {
    name: "headgate-filter",
    config({ root = process.cwd() }) {
      path = resolve(root, entry);
      // For the processes of tests: 0.2 s less each.
      process.env["NODE_COMPILE_CACHE"] ??= join(root, "node_modules/.cache/headgate-node");
      void compile();
      const external = SOURCES.map((source) => startingWith(source));
      return {
        // One vitest for tests and for this package, also while that is linked from elsewhere.
        resolve: { dedupe: ["vitest"] },
        test: { server: { deps: { external } }, forceRerunTriggers },
      };
    },
    configureServer({ watcher }) {
      watcher.on("all", async (_, changed) => {
        if (!changed.includes(`${sep}assembly${sep}`)) return;
        // Who saves once saves again.
        compiler ??= await residentAscOf(path).catch(() => undefined);
        void compile();
      });
    },
  };
}

function startingWith(source: string): RegExp {
  const path = fileURLToPath(new URL(source, import.meta.url));
  return new RegExp(`^${path.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")}`);
}

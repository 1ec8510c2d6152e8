// loadFilter and loadChain: from sources or modules to filters that run.
import { existsSync, readFileSync } from "node:fs";
import { dirname, extname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import {
  type ConfigInput,
  FilterStartError,
  loadForPlugin,
  type LogLine,
  type PluginOptions,
  wasiProviderOf,
} from "../test/harness.ts";
import { compileFilter } from "./compile.ts";
import { misuse, type StrictOptions } from "./errors.ts";
import { Places, shownPath } from "./places.ts";
import { type LoadedPlugin, TestFilter } from "./test-filter.ts";
import type { ForeignDouble } from "./watch.ts";
import { World } from "./world.ts";

/**
 * Where the filter is: an entry file of AssemblyScript (.ts), which is compiled when it or something
 * that it imports has changed; a module of any language (.wasm); or a module's bytes. Paths are
 * relative to the working directory: give `new URL("./index.ts", import.meta.url)` for another one.
 */
export type FilterSource = string | URL | Uint8Array;

/** What a plugin gets; the rest as in the proxy's configuration. */
export interface FilterOptions extends PluginOptions {
  /** For proxy_on_configure; an object is handed over as JSON text. Default: nothing. */
  readonly config?: ConfigInput;
}

/** What the test itself gets. */
export interface TestOptions {
  /** All checks are on unless they are set to false; false = none. */
  readonly strict?: boolean | StrictOptions;
  /** "fail": a guest that is stopped fails the test. "allow": t.traps has it. Default "fail". */
  readonly traps?: "fail" | "allow";
  /** The lowest level that is logged. Default "trace". */
  readonly logLevel?: LogLine["level"];
  /** Bytes of a body that filters may hold. Default 1 MiB. */
  readonly bufferBytesMax?: number;
  /** The wall clock at first. Default 2026-01-01T00:00:01Z. */
  readonly now?: Date | string | number;
  /** Of random numbers. Default 1. */
  readonly seed?: number;
  /** Foreign functions of the test's from the start on: a filter may call them in its configure. */
  readonly foreign?: Readonly<Record<string, ForeignDouble>>;
}

export interface ChainLink extends FilterOptions {
  readonly source: FilterSource;
  /** A wasm service: it starts and has ticks and queues, but no requests pass it. Default false. */
  readonly isService?: boolean;
}

/**
 * Loads, starts and configures a filter as the proxy would. Rejects with FilterCompileError, with
 * ModuleError for what no proxy would load, with FilterStartError when the guest refuses to start
 * or its configuration, with GuestTrapError when it is stopped in doing so.
 */
export async function loadFilter(
  source: FilterSource,
  options: FilterOptions & TestOptions = {},
): Promise<TestFilter> {
  return loadChain([{ ...options, source }], options);
}

/** The same for several filters: requests pass them in this order, responses the other way. */
export async function loadChain(
  links: readonly ChainLink[],
  options: TestOptions = {},
): Promise<TestFilter> {
  const strict = strictOf(options.strict);
  const epochMs = options.now === undefined ? undefined : new Date(options.now).getTime();
  const areTrapsErrors = options.traps !== "allow";
  const world = new World({ strict, areTrapsErrors, epochMs });
  for (const [name, double] of Object.entries(options.foreign ?? {})) {
    world.watch.foreign.set(name, double);
  }
  const plugins: LoadedPlugin[] = [];
  for (const [at, link] of links.entries()) {
    const { plugin, places } = await loadLink(link, nameOf(link, at, links.length));
    if (plugins.some(({ name }) => name === plugin.name)) {
      throw misuse(`two plugins are called ${plugin.name}: give them different names`);
    }
    world.setPlaces(plugin.name, places);
    plugins.push(plugin);
  }
  const wasiProvider = await wasiProviderOf(links);
  return start(world, { plugins, rig: rigOf(options), wasiProvider });
}

/**
 * What a filter says of a configuration that it refuses, one line each; [] = it takes it. The guest's
 * words come after the host's, which is always the first.
 */
export async function configErrors(
  source: FilterSource,
  options: FilterOptions = {},
): Promise<readonly string[]> {
  try {
    const filter = await loadFilter(source, options);
    await filter.close();
    return [];
  } catch (error) {
    if (error instanceof FilterStartError) return error.reasons;
    throw error;
  }
}

function start(world: World, chain: ConstructorParameters<typeof TestFilter>[1]): TestFilter {
  try {
    const filter = new TestFilter(world, chain);
    world.judge();
    return filter;
  } catch (error) {
    if (!(error instanceof FilterStartError)) throw error;
    const [trap] = world.forgetFailures();
    throw trap ?? error;
  }
}

async function loadLink(
  { source, isService = false, ...options }: ChainLink,
  name: string,
): Promise<{ plugin: LoadedPlugin; places: Places }> {
  if (source instanceof Uint8Array) {
    const module = await loadForPlugin(source, options);
    const places = await Places.of(source, "", process.cwd());
    return { plugin: { name, module, isService, options: { ...options, name } }, places };
  }
  const path = pathOf(source);
  const isModule = extname(path) === ".wasm";
  const { wasm, root } = isModule ? { wasm: path, root: dirname(path) } : await compileFilter(path);
  const module = await loadForPlugin(wasm, options);
  const places = await Places.of(readFileSync(wasm), wasm, root);
  return { plugin: { name, module, isService, options: { ...options, name } }, places };
}

function pathOf(source: string | URL): string {
  const isUrl = source instanceof URL || source.startsWith("file:");
  const path = isUrl ? fileURLToPath(source) : resolve(source);
  const extension = extname(path);
  if (extension !== ".ts" && extension !== ".wasm") {
    throw misuse(`found a filter ${String(source)}, expected a .ts or a .wasm file`);
  }
  if (existsSync(path)) return path;
  const shown = shownPath(path);
  throw misuse(
    `there is no filter ${shown}; paths are relative to the working directory, ${process.cwd()}: ` +
      'new URL("./file", import.meta.url) is relative to the test',
  );
}

function nameOf(link: ChainLink, at: number, count: number): string {
  return link.name ?? (count === 1 ? "filter" : `filter ${at + 1}`);
}

function strictOf(strict: TestOptions["strict"]): StrictOptions {
  if (strict === false) {
    return { wrongPhase: false, afterReply: false, callouts: false, contexts: false };
  }
  return strict === true || strict === undefined ? {} : strict;
}

function rigOf({ logLevel, bufferBytesMax, seed }: TestOptions): object {
  return {
    ...(logLevel !== undefined && { logLevel }),
    ...(bufferBytesMax !== undefined && { bufferBytesMax }),
    ...(seed !== undefined && { seed }),
  };
}

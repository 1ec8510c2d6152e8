// `npm run bench -- --sdks`: the same three filters in AssemblyScript, Rust, Go and C: what their modules
// weigh, how long they build, and what a request through them costs Headgate and Envoy.
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { moduleSize } from "../../sdk-assemblyscript/build.mjs";
import { type Binding, bindingOf } from "../binding.ts";
import { playGroups, roundsByTarget } from "../filter-rounds.ts";
import { freePort, start, type Started } from "../processes.ts";
import { foundProxies, type Proxy, startProxy } from "../proxies.ts";
import type { Sample } from "../report.ts";
import { takeSample } from "../sample.ts";
import { findBinary, upstreamCommand } from "../target.ts";
import { runWrk } from "../wrk.ts";
import { askedCount, differencesOf, play, Upstream } from "./sameness.ts";
import { FILTERS, type FilterName, LABELS, type Language, LANGUAGES } from "./sources.ts";
import { type Built, type Measured, publish, type Rounds, sdkTables } from "./tables.ts";
import { copySources, edit, findToolchain, keepModule, type Toolchain } from "./toolchains.ts";

const CONNECTIONS = 64;
const EDITS = 2;
const NO_PLAY = Promise.resolve(undefined);
/** What starting wrk and reading what was used take. */
const PLAY_SECONDS = 0.1;
/** V8 optimises in the background, and this is when. */
const WARM_SECONDS = 1;

const PATHS: Readonly<Record<FilterName, string>> = { header: "s", auth: "s", body: "t" };
const HEADERS: readonly string[] = ["Authorization: Bearer ada"];
const CALLS_AUTH = { kind: "wasm", count: 1, clusters: ["auth"] } as const;

export interface SdkOptions {
  readonly rounds: number;
  readonly seconds: number;
  /** Nobody is bound to a processor. */
  readonly isFree: boolean;
  /** Builds what has changed since, and does not tell how long that takes. */
  readonly isQuick: boolean;
  /** Puts the tables into the SDK's page, too. */
  readonly isMarkdown: boolean;
}

function say(text: string): void {
  console.log(`[${(performance.now() / 1000).toFixed(0).padStart(4)} s] ${text}`);
}

function fail(text: string): never {
  console.log(text);
  process.exit(1);
}

/** Seconds that something takes. */
function secondsOf(work: () => void): number {
  const from = performance.now();
  work();
  return (performance.now() - from) / 1000;
}

function buildOne(language: Language, filter: FilterName, toolchain: Toolchain, isQuick: boolean) {
  if (!isQuick) toolchain.clean();
  let made = "";
  const cleanSeconds = secondsOf(() => {
    made = toolchain.build(filter);
  });
  const file = keepModule(made, language, filter);
  const editSeconds: number[] = [];
  for (let mark = 1; mark <= (isQuick ? 0 : EDITS); mark += 1) {
    const undo = edit(language, filter, Math.round(performance.now()) + mark);
    editSeconds.push(secondsOf(() => toolchain.build(filter)));
    undo();
  }
  const { stripped, sections } = moduleSize(readFileSync(file));
  const names = sections.find(({ name }) => name === "name")?.bytes ?? 0;
  const sizes = { stripped, withNames: stripped + names };
  return { language, filter, file, cleanSeconds, editSeconds, ...sizes };
}

function buildAll(toolchains: ReadonlyMap<Language, Toolchain>, isQuick: boolean): Built[] {
  copySources();
  return [...toolchains].flatMap(([language, toolchain]) => {
    // Downloads, and builds what a toolchain should have come with.
    say(`${LABELS[language]}: getting ready`);
    toolchain.build("header");
    return FILTERS.map((filter) => {
      const built = buildOne(language, filter, toolchain, isQuick);
      const [edited] = built.editSeconds;
      const again = edited === undefined ? "" : `, ${edited.toFixed(1)} s after an edit`;
      const took = `${built.cleanSeconds.toFixed(1)} s${again}`;
      say(`${LABELS[language]}, ${filter}: ${built.stripped} bytes, built in ${took}`);
      return built;
    });
  });
}

/** Ends the process when one module does not do what the others do. */
async function checkSameness(proxies: readonly Proxy[], built: readonly Built[], folder: string) {
  const upstream = new Upstream();
  const upstreamPort = await upstream.start();
  for (const filter of FILTERS) {
    let first: Awaited<ReturnType<typeof play>> | undefined;
    for (const { file, language } of built.filter((one) => one.filter === filter)) {
      for (const proxy of proxies) {
        const running = await startProxy(proxy, file, CALLS_AUTH, upstreamPort, folder);
        const outcomes = await play(running.port, filter, upstream);
        await running.stop();
        first ??= outcomes;
        const found = differencesOf(filter, first, outcomes);
        if (found.length > 0) fail(`NOT EQUAL: ${language} in ${proxy.name}\n${found.join("\n")}`);
      }
    }
    say(`${filter}: ${askedCount(filter)} requests came to the same everywhere`);
  }
  upstream.stop();
}

interface Target extends Started {
  readonly port: number;
  /** "PROXY LANGUAGE", or "router", or "again". */
  readonly name: string;
  /** Filters whose load it gets. */
  readonly filters: readonly FilterName[];
}

async function startTargets(
  proxies: readonly Proxy[],
  built: readonly Built[],
  upstreamPort: number,
  folder: string,
  binding: Binding,
): Promise<Target[]> {
  const targets: Target[] = [];
  for (const proxy of proxies) {
    const add = async (name: string, file: string | undefined, filters: readonly FilterName[]) => {
      try {
        const running = await startProxy(
          proxy,
          file,
          CALLS_AUTH,
          upstreamPort,
          folder,
          binding.target,
        );
        targets.push({ ...running, name: `${proxy.name} ${name}`, filters });
      } catch (error) {
        say(`SKIPPED ${proxy.name} ${name}: ${String(error)}`);
      }
    };
    await add("router", undefined, FILTERS);
    await add("again", undefined, ["header"]);
    for (const one of built) await add(one.language, one.file, [one.filter]);
  }
  return targets;
}

/** Each proxy with each filter is a group, whose targets are played side by side. */
async function measureAll(
  targets: readonly Target[],
  wrk: readonly string[],
  { rounds, seconds }: SdkOptions,
): Promise<Measured> {
  const groups = new Map<string, string[]>();
  const plays = new Map<string, (time: number) => Promise<Sample | undefined>>();
  for (const target of targets) {
    for (const filter of target.filters) {
      const name = `${target.name} ${filter}`;
      const group = `${target.name.split(" ")[0]} ${filter}`;
      groups.set(group, [...(groups.get(group) ?? []), name]);
      const url = `http://127.0.0.1:${target.port}/${PATHS[filter]}`;
      plays.set(name, (time) =>
        takeSample(target.pid, () => runWrk(wrk, url, CONNECTIONS, time, HEADERS)).catch(
          (error: unknown) => {
            say(`${name}: ${String(error)}`);
            return undefined;
          },
        ),
      );
    }
  }
  const took = WARM_SECONDS + 2 * rounds * (seconds + PLAY_SECONDS);
  say(`${plays.size} targets, about ${((plays.size * took) / 60).toFixed(1)} minutes`);
  for (const play of plays.values()) await play(WARM_SECONDS);
  const measured: Record<string, Rounds> = {};
  const list = [...groups].map(([name, members]) => ({ name, targets: members }));
  for (let round = 1; round <= rounds; round += 1) {
    const played = await playGroups(list, 1, (name) => plays.get(name)?.(seconds) ?? NO_PLAY);
    for (const [name, samples] of Object.entries(roundsByTarget(played))) {
      (measured[name] ??= []).push(...samples);
    }
    say(`round ${round} of ${rounds}`);
  }
  return measured;
}

export async function runSdks(options: SdkOptions): Promise<void> {
  const wrk = findBinary("WRK_BIN", "wrk");
  if (wrk === undefined) fail("SKIPPED: no wrk (apt-get install wrk, or WRK_BIN)");
  const toolchains = new Map<Language, Toolchain>();
  for (const language of LANGUAGES) {
    const found = findToolchain(language);
    if (typeof found === "string") console.log(`SKIPPED ${LABELS[language]}: missing ${found}`);
    else toolchains.set(language, found);
  }
  const folder = mkdtempSync(join(tmpdir(), "headgate-sdks-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  // A worker of nginx may run as another user and must read the file that the upstream serves.
  chmodSync(folder, 0o755);
  const proxies = foundProxies();
  const built = buildAll(toolchains, options.isQuick);
  await checkSameness(proxies, built, folder);
  const upstreamFolder = join(folder, "upstream");
  mkdirSync(upstreamFolder);
  const upstreamPort = await freePort();
  const binding = bindingOf(options.isFree);
  const command = [...binding.client, ...upstreamCommand(upstreamPort, upstreamFolder)];
  const upstream = await start(command, upstreamPort);
  const targets = await startTargets(proxies, built, upstreamPort, folder, binding);
  const measured = await measureAll(targets, [...binding.client, wrk], options);
  for (const one of [...targets, upstream]) await one.stop();
  const words = [...toolchains].map(
    ([language, { words: said }]) => `${LABELS[language]}: ${said}`,
  );
  const tables = sdkTables(built, measured, { words, ...options });
  console.log(`\n${tables}\n`);
  if (options.isMarkdown) say(`written: ${publish(tables)}`);
}

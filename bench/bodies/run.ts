// `npm run bench -- --bodies`: what guests that read and change bodies cost Headgate and Envoy, by size.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { median, quartiles } from "../arithmetic.ts";
import { bindingOf } from "../binding.ts";
import { playGroups, roundsByTarget } from "../filter-rounds.ts";
import { freePort, start, type Started } from "../processes.ts";
import { foundProxies, type Proxy, startProxy } from "../proxies.ts";
import { type Rounds, type Sample, whereLine } from "../report.ts";
import { takeSample } from "../sample.ts";
import { findBinary } from "../target.ts";
import { runWrk } from "../wrk.ts";
import { type BodyGuest, bodyGuests, type Direction, SIZES } from "./guests.ts";

const UPSTREAM: string = fileURLToPath(new URL("upstream.mjs", import.meta.url));
const ROUTER = "router";
const AGAIN = "router again (A/A)";
const WARM_SECONDS = 1;
/** Great bodies of many connections would measure the caches. */
const connectionsOf = (bytes: number): number => (bytes < 65_536 ? 64 : bytes < 262_144 ? 32 : 8);

export interface BodyOptions {
  readonly rounds: number;
  readonly seconds: number;
  readonly isFree: boolean;
  /** Names of SIZES, or all. */
  readonly sizes: readonly string[] | undefined;
  /** Of guests. */
  readonly guests: RegExp;
}

interface Target extends Started {
  readonly port: number;
  readonly proxy: Proxy["name"];
  readonly guest: string;
  readonly directions: readonly Direction[];
}

interface Play {
  readonly proxy: string;
  readonly guest: string;
  /** "4k response". */
  readonly body: string;
  take(seconds: number): Promise<Sample | undefined>;
}

const nameOf = ({ proxy, guest, body }: Play): string => `${proxy}, ${guest}, ${body}`;

async function startTargets(
  guests: readonly BodyGuest[],
  upstreamPort: number,
  folder: string,
  binding: readonly string[],
): Promise<Target[]> {
  const targets: Target[] = [];
  for (const proxy of foundProxies()) {
    for (const name of [ROUTER, AGAIN]) {
      const setup = { kind: "none" } as const;
      const running = await startProxy(proxy, undefined, setup, upstreamPort, folder, binding);
      const directions = ["response", "request"] as const;
      targets.push({ ...running, proxy: proxy.name, guest: name, directions });
    }
    for (const { name, file, setup, directions } of guests) {
      const running = await startProxy(proxy, file, setup, upstreamPort, folder, binding);
      targets.push({ ...running, proxy: proxy.name, guest: name, directions });
    }
  }
  return targets;
}

/** A script of wrk that posts a body. */
function postScript(folder: string, bytes: number): string {
  const file = join(folder, `post-${bytes}.lua`);
  const line = "the secret of a line of text that is posted again and again and again and so on";
  const body = `string.rep("${line}", ${Math.ceil(bytes / line.length)}):sub(1, ${bytes})`;
  writeFileSync(file, `wrk.method = "POST"\nwrk.body = ${body}\n`);
  return file;
}

function playsOf(
  targets: readonly Target[],
  sizes: typeof SIZES,
  wrk: readonly string[],
  folder: string,
): Play[] {
  return sizes.flatMap(([size, bytes]) => {
    const script = postScript(folder, bytes);
    return targets.flatMap((target) =>
      target.directions.map((direction) => {
        const isRequest = direction === "request";
        const command = isRequest ? [...wrk, "-s", script] : wrk;
        const path = isRequest ? "" : `${bytes}`;
        const url = `http://127.0.0.1:${target.port}/${path}`;
        // The Rust guest of requests asks for it.
        const headers = isRequest ? ["X-Upper: 1"] : [];
        const play: Play = {
          proxy: target.proxy,
          guest: target.guest,
          body: `${size} ${direction}`,
          take: (seconds) =>
            takeSample(target.pid, () =>
              runWrk(command, url, connectionsOf(bytes), seconds, headers),
            ).catch((error: unknown) => {
              console.log(`${nameOf(play)}: ${String(error)}`);
              return undefined;
            }),
        };
        return play;
      }),
    );
  });
}

/** Round by round: what a guest costs over the router of its proxy. */
function costs(rounds: Rounds | undefined, router: Rounds | undefined): (number | undefined)[] {
  return (rounds ?? []).map((sample, round) => {
    const base = router?.[round];
    return sample === undefined || base === undefined ? undefined : sample.cpuUs - base.cpuUs;
  });
}

function cell(values: readonly (number | undefined)[]): string {
  const known = values.filter((value) => value !== undefined);
  if (known.length === 0) return "-";
  const [low, high] = quartiles(known);
  const digits = high < 100 ? 1 : 0;
  return `${median(known).toFixed(digits)} (${low.toFixed(digits)} to ${high.toFixed(digits)})`;
}

/** The medians' ratio: single differences of small bodies may be near to 0. */
function ratioCell(
  ours: readonly (number | undefined)[],
  theirs: readonly (number | undefined)[],
): string {
  const ratio =
    median(ours.filter((value) => value !== undefined)) /
    median(theirs.filter((value) => value !== undefined));
  return Number.isFinite(ratio) ? ratio.toFixed(2) : "-";
}

function table(plays: readonly Play[], measured: Readonly<Record<string, Rounds>>): string {
  const bodies = [...new Set(plays.map(({ body }) => body))];
  const lines = bodies.flatMap((body) => {
    const own = plays.filter((play) => play.body === body);
    const guests = [...new Set(own.map(({ guest }) => guest))];
    const of = (proxy: string, guest: string): Rounds | undefined =>
      measured[`${proxy}, ${guest}, ${body}`];
    return guests.map((guest) => {
      const [ours = [], theirs = []] = ["headgate", "envoy"].map((proxy) =>
        costs(of(proxy, guest), of(proxy, ROUTER)),
      );
      const [allOurs = [], allTheirs = []] = ["headgate", "envoy"].map((proxy) =>
        (of(proxy, guest) ?? []).map((sample) => sample?.cpuUs),
      );
      const isNoGuest = guest === ROUTER || guest === AGAIN;
      const cells = [
        ...(guest === ROUTER ? ["", ""] : [cell(ours), cell(theirs)]),
        isNoGuest ? "" : ratioCell(ours, theirs),
        cell(allOurs),
        cell(allTheirs),
        ratioCell(allOurs, allTheirs),
      ];
      return `| ${body} | ${guest} | ${cells.join(" | ")} |`;
    });
  });
  return [
    "| body | guest | Headgate, us over its router (quartiles) | Envoy | ratio | Headgate, all | Envoy | ratio |",
    "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ...lines,
  ].join("\n");
}

async function measure(plays: readonly Play[], options: BodyOptions): Promise<string> {
  const { rounds, seconds } = options;
  const minutes = (plays.length * (WARM_SECONDS + 2 * rounds * (seconds + 0.1))) / 60;
  console.log(`${plays.length} plays a round, about ${minutes.toFixed(1)} minutes`);
  for (const play of plays) await play.take(WARM_SECONDS);
  const groups = new Map<string, string[]>();
  for (const play of plays) {
    const group = groups.get(play.body) ?? [];
    groups.set(play.body, group);
    group.push(nameOf(play));
  }
  const byName = new Map(plays.map((play) => [nameOf(play), play]));
  const list = [...groups].map(([name, targets]) => ({ name, targets }));
  const played = await playGroups(
    list,
    rounds,
    (name) => byName.get(name)?.take(seconds) ?? Promise.resolve(undefined),
  );
  return table(plays, roundsByTarget(played));
}

export async function runBodies(options: BodyOptions): Promise<void> {
  const wrk = findBinary("WRK_BIN", "wrk");
  if (wrk === undefined) throw new Error("no wrk (apt-get install wrk, or WRK_BIN)");
  const sizes = SIZES.filter(([name]) => options.sizes?.includes(name) ?? true);
  const guests = bodyGuests().filter(({ name }) => options.guests.test(name));
  const folder = mkdtempSync(join(tmpdir(), "headgate-bodies-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  const binding = bindingOf(options.isFree);
  const upstreamPort = await freePort();
  const command = [...binding.client, process.execPath, UPSTREAM, `${upstreamPort}`];
  const upstream = await start(command, upstreamPort);
  const targets = await startTargets(guests, upstreamPort, folder, binding.target);
  const plays = playsOf(targets, sizes, [...binding.client, wrk], folder);
  console.log(`\n${await measure(plays, options)}\n\n${whereLine()}`);
  for (const one of [...targets, upstream]) await one.stop();
}

// Compares what a host did with what a case demands.
import { type AbiVersion, findHostcall, Status } from "proxy-wasm-types";
import type { Case, ExpectedExchange, Expected, SeenFields } from "./case.ts";
import { isLike, same, shown, Unmet } from "./expect.ts";
import type { Call } from "./guest.ts";
import { NOT_MADE } from "./reports.ts";
import { fieldOf, type Seen, type SeenMessage } from "./seen.ts";

/** What is not as it must be, a line or more each; [] = the case holds. */
export function judge(one: Case, seen: Seen): readonly string[] {
  const { scene } = one;
  const { refusal } = seen.told;
  if (scene.isRefused === true) {
    return refusal === null ? ["the host takes a configuration that it must refuse"] : [];
  }
  if (refusal !== null) return [`the host does not start: ${refusal}`];
  const checks = [
    () => answersHold(one, seen),
    () => traceHolds(one, seen),
    () => chainHolds(one, seen),
    () => exchangeHolds(scene.exchange, seen),
    () => scene.holds?.(seen),
  ];
  return checks.flatMap((check) => problemsOf(check));
}

function problemsOf(check: () => void): string[] {
  try {
    check();
    return [];
  } catch (error) {
    if (!(error instanceof Unmet)) throw error;
    return [error.message];
  }
}

function answersHold({ scene, version, row }: Case, { told, answers }: Seen): void {
  const order = told.guest.calls;
  const { tag } = told.guest;
  for (const [at, [one, expected]] of (scene.calls ?? []).entries()) {
    const found = answers[order.indexOf(one)] ?? NOT_MADE;
    const wanted = expectedIn(version, expected).replaceAll("$CASE", tag);
    if (!isLike(found, wanted)) throw new Unmet(`${at + 1}. ${callText(one)}`, wanted, found);
  }
  const own = answers.filter((_, i) => order[i]?.name === row);
  same(
    `statuses that ${row} does not have`,
    own.filter((answer) => !isInTable(row, answer)),
    [],
  );
}

function expectedIn(version: AbiVersion, expected: Expected): string {
  return typeof expected === "string" ? expected : expected[version];
}

const statusNames: ReadonlyMap<number, string> = new Map(
  Object.entries(Status).map(([name, value]) => [value, name]),
);

/** The table says every status that a row may answer. */
function isInTable(row: string, answer: string): boolean {
  const name = answer.split(/[ ,]/, 1)[0] as string;
  const known = findHostcall(row)?.statuses;
  if (known === undefined || answer === NOT_MADE) return true;
  return known.some((status) => statusNames.get(status) === name);
}

/** A call as people write it. */
export function callText({ name, args, replaced }: Call): string {
  const texts = args.map((one) => {
    if (typeof one === "bigint") return `${one}n`;
    if (one instanceof Uint8Array) return `<${one.length} bytes>`;
    if (typeof one === "function") return "<bytes>";
    return typeof one === "object" ? `<what ${one.of.name} told>` : JSON.stringify(one);
  });
  const other = [...replaced].map(([at, value]) => `parameter ${at}: ${value}`);
  return `${name}(${[...texts, ...other].join(", ")})`;
}

function traceHolds({ scene, version }: Case, seen: Seen): void {
  const { of = /./, order } = scene;
  const found = seen.trace.filter((line) => of.test(line));
  if (scene.trace !== undefined) {
    const wanted = Array.isArray(scene.trace)
      ? (scene.trace as readonly string[])
      : (scene.trace as Readonly<Record<AbiVersion, readonly string[]>>)[version];
    const isSame =
      found.length === wanted.length && found.every((line, i) => isLike(line, wanted[i] as string));
    if (!isSame) throw new Unmet("callbacks", shown(wanted), shown(found));
  }
  if (order === undefined) return;
  let at = 0;
  for (const line of found) if (at < order.length && isNamed(line, order[at] as string)) at += 1;
  if (at < order.length) throw new Unmet("callbacks in order", shown(order), shown(found));
}

function chainHolds({ scene }: Case, { chain }: Seen): void {
  if (scene.chain !== undefined) same("callbacks of all plugins", chain, scene.chain);
}

/** A name alone, or a name with its arguments. */
function isNamed(line: string, wanted: string): boolean {
  return wanted.includes("(") ? isLike(line, wanted) : line.startsWith(`${wanted}(`);
}

function exchangeHolds(expected: ExpectedExchange | undefined, { exchange }: Seen): void {
  if (expected === undefined) return;
  if (exchange === undefined) throw new Unmet("exchange", "a request", "none");
  const { status, isComplete, details, upstream, ...message } = expected;
  if (status !== undefined) same("status", exchange.status, status);
  if (isComplete !== undefined) same("the response is complete", exchange.isComplete, isComplete);
  if (details !== undefined && exchange.details !== undefined) {
    same("details", exchange.details, details);
  }
  messageHolds("response", exchange, message);
  if (upstream === undefined) return;
  if (upstream === null || exchange.upstream === null) {
    same("what reached the upstream", exchange.upstream, upstream);
    return;
  }
  const { method, path, ...rest } = upstream;
  if (method !== undefined) same("upstream's method", exchange.upstream.method, method);
  if (path !== undefined) same("upstream's path", exchange.upstream.path, path);
  messageHolds("request at the upstream", exchange.upstream, rest);
}

function messageHolds(what: string, found: SeenMessage, expected: SeenFields): void {
  const { body, headers, headerList, trailers } = expected;
  if (body !== undefined) same(`body of the ${what}`, found.body, body);
  for (const [name, value] of Object.entries(headers ?? {})) {
    same(`${name} in the ${what}`, fieldOf(found.headers, name), value);
  }
  if (headerList !== undefined) same(`headers of the ${what}`, found.headers, headerList);
  if (trailers !== undefined) {
    same(`trailers of the ${what}`, Object.fromEntries(found.trailers), trailers);
  }
}

// The checks of the tables' rows: what table.test.ts asks of each hostcall and callback.
import {
  type AbiVersion,
  type Callback,
  callbacks,
  encodePairs,
  existsIn,
  type Hostcall,
} from "proxy-wasm-types";
import { FilterStartError } from "@headgate/runtime/testing";
import { expect } from "vitest";
import type { CallbackEvent } from "./callback-cases.ts";
import { type Expected, type HostcallCase, REQUEST, type Scene } from "./case.ts";
import { calloutCases } from "./cases/callouts.ts";
import { fieldCases } from "./cases/fields.ts";
import { plainCases } from "./cases/plain.ts";
import { streamCases } from "./cases/streams.ts";
import { valueCases } from "./cases/values.ts";
import {
  type Call,
  call,
  type CallbackScript,
  END,
  type GuestOptions,
  replacing,
} from "./guest.ts";
import { phaseColumns, phases } from "./phases.ts";
import { NOT_MADE, type Played, start } from "./rig.ts";

export const cases: Readonly<Record<string, HostcallCase>> = {
  ...plainCases,
  ...fieldCases,
  ...streamCases,
  ...calloutCases,
  ...valueCases,
};

const HEADERS = "proxy_on_request_headers";

export function caseOf(row: Hostcall): HostcallCase {
  return cases[row.name] as HostcallCase;
}

function script(calls: readonly Call[], name: string = HEADERS): Record<string, CallbackScript> {
  return { [name]: { calls } };
}

/** The calls of `more` stand before those of `callbacks`. */
function joined(
  callbackScripts: Readonly<Record<string, CallbackScript>> | undefined,
  name: string,
  calls: readonly Call[],
): Record<string, CallbackScript> {
  const given = callbackScripts?.[name];
  const own: CallbackScript = { ...given, calls: [...calls, ...(given?.calls ?? [])] };
  return { ...callbackScripts, [name]: own };
}

function expectedIn(version: AbiVersion, expected: Expected): string {
  return typeof expected === "string" ? expected : expected[version];
}

export async function playScene(version: AbiVersion, row: Hostcall, scene: Scene): Promise<void> {
  const name = scene.in ?? HEADERS;
  const calls = scene.calls.map(([one]) => one);
  const made = inVersion(version, joined(scene.callbacks, name, calls));
  const played = await start({ version, callbacks: made }, scene.host);
  if (scene.play === undefined) played.request({ ...REQUEST, ...scene.request });
  else scene.play(played);
  const order = played.guest.calls;
  const told = calls.map((one) => [one.name, one.args, played.answers[order.indexOf(one)]]);
  const wanted = scene.calls.map(([one, expected]) => [
    one.name,
    one.args,
    expectedIn(version, expected),
  ]);
  expect(told).toEqual(wanted);
  scene.holds?.(played);
  const own = played.answers.filter((_, i) => order[i]?.name === row.name);
  expect(own.filter((answer) => !isInTable(row, answer))).toEqual([]);
  played.host.close();
}

/** 0.1.0 has neither continue_stream nor the others that later versions have: a host serves both. */
function inVersion(
  version: AbiVersion,
  scripts: Record<string, CallbackScript>,
): Record<string, CallbackScript> {
  const exists = (name: string): boolean =>
    callbacks.some((row) => row.name === name && existsIn(row, version));
  return Object.fromEntries(Object.entries(scripts).filter(([name]) => exists(name)));
}

/** The table says every status that a row may answer. */
function isInTable(row: Hostcall, answer: string): boolean {
  const name = answer.split(/[ ,]/, 1)[0] as string;
  return answer === NOT_MADE || row.statuses.some((status) => statusName(status) === name);
}

function statusName(status: number): string {
  return STATUS_NAMES[status] as string;
}

const STATUS_NAMES = [
  "Ok",
  "NotFound",
  "BadArgument",
  "SerializationFailure",
  "ParseFailure",
  "BadExpression",
  "InvalidMemoryAccess",
  "Empty",
  "CasMismatch",
  "ResultMismatch",
  "InternalFailure",
  "BrokenConnection",
  "Unimplemented",
];

async function goodPlay(
  version: AbiVersion,
  row: Hostcall,
  calls: readonly Call[],
  guest: Partial<GuestOptions> = {},
): Promise<Played> {
  const { in: name = HEADERS, host, callbacks: more, before = [] } = caseOf(row);
  const made = joined(more, name, [...before, ...calls]);
  const played = await start({ version, callbacks: made, ...guest }, host);
  playToTheEnd(played);
  return played;
}

/** A stream with everything, and a tick. */
function playAll(played: Played): void {
  played.request({
    ...REQUEST,
    method: "POST",
    body: "request",
    trailers: { t: "1" },
    upstream: { body: "response", trailers: { t: "1" } },
  });
  played.host.tick(15);
}

/** Then the end of the plugin, which may wait for proxy_done. */
function playToTheEnd(played: Played): void {
  playAll(played);
  played.host.plugin.drain();
  played.host.tick(50);
}

/** Addresses that no four bytes fit behind. */
const outside = [END, END - 3, -1];

export async function breakPointers(version: AbiVersion, row: Hostcall): Promise<void> {
  const { good } = caseOf(row);
  const bad: Call[] = [];
  for (const [i, { meaning }] of row.params.entries()) {
    if (meaning.startsWith("out-")) bad.push(...outside.map((at) => replacing(good, [i, at])));
    if (meaning !== "pointer") continue;
    bad.push(replacing(good, [i, END], [i + 1, 1]), replacing(good, [i, END - 1], [i + 1, 2]));
    bad.push(replacing(good, [i, -1], [i + 1, 0]), replacing(good, [i, 0], [i + 1, -1]));
  }
  const played = await goodPlay(version, row, bad);
  const order = played.guest.calls;
  const told = bad.map((one) => played.answers[order.indexOf(one)]?.split(",", 1)[0]);
  expect(told).toEqual(bad.map(() => "InvalidMemoryAccess"));

  const outs = row.params.flatMap(({ meaning }, i) => (meaning.startsWith("out-") ? [i] : []));
  if (outs.length > 0) {
    // Address 0 is as good as any other.
    const nulls = replacing(good, ...outs.map((at): readonly [number, number] => [at, 0]));
    const fine = await goodPlay(version, row, [good, nulls]);
    const at = fine.guest.calls.indexOf(nulls);
    const first = fine.answers[fine.guest.calls.indexOf(good)]?.split(/[ ,]/, 1)[0];
    expect([row.name, fine.answers[at]?.split(/[ ,]/, 1)[0]]).toEqual([row.name, first]);
  }
  if (row.params.some(({ meaning }) => meaning === "out-pointer"))
    await breakAllocator(version, row);
}

async function breakAllocator(version: AbiVersion, row: Hostcall): Promise<void> {
  const { good } = caseOf(row);
  for (const allocator of ["zero", "outside"] as const) {
    const played = await goodPlay(version, row, [good], { allocator });
    const answer = played.answers[played.guest.calls.indexOf(good)]?.split(",", 1)[0];
    expect([allocator, answer]).toEqual([allocator, "InvalidMemoryAccess"]);
  }
  const other = { allocatorName: "proxy_on_memory_allocate" };
  const played = await goodPlay(version, row, [good], other);
  const answer = played.answers[played.guest.calls.indexOf(good)];
  expect(answer).toMatch(/^Ok.*\[.+\]/);
  // A trap in the allocator is a trap of the callback that made the hostcall.
  const trapped = goodPlay(version, row, [good], { allocator: "trap" });
  const failure = await trapped.then(
    ({ host }) => host.logs.map((line) => line.message).join("\n"),
    (error: unknown) => (error as FilterStartError).message,
  );
  expect(failure).toContain("unreachable");
}

export async function callEarly(version: AbiVersion, row: Hostcall): Promise<void> {
  const { good, host } = caseOf(row);
  const mayInitialize = row.phases.includes("initialize");
  const early = start({ version, callbacks: { _initialize: { calls: [good] } } }, host);
  const reason = await early.then(
    () => "",
    (error: unknown) => (error as FilterStartError).message,
  );
  if (mayInitialize) expect(reason).toBe("");
  else expect(reason).toContain(`restricted callback: ${row.name} in its initialisation`);

  // The allocator runs for the read of the VM's configuration.
  const guest = {
    version,
    allocatorCalls: good,
    callbacks: script([call("proxy_get_property", "plugin_name")]),
  };
  const played = await start(guest, host);
  played.request(REQUEST);
  const failures = played.host.logs.map((line) => line.message).join("\n");
  if (row.phases.includes("allocate")) expect(failures).not.toContain("restricted callback");
  else expect(failures).toContain(`restricted callback: ${row.name} in its allocator`);
}

/** The good call of a row in every callback, against phases.ts. */
export async function callEverywhere(row: Hostcall): Promise<void> {
  const version = row.until ?? "0.2.1";
  const { good, host, before = [] } = caseOf(row);
  const clusters = { ...host?.clusters, event: { status: 200, body: "x" } };
  const answers: string[] = [];
  for (const name of phaseColumns) {
    const own: Call = { ...good };
    const made = joined(EVENTS, name, [...before.map((one) => ({ ...one })), own]);
    const played = await start({ version, callbacks: made }, { ...host, clusters });
    playAll(played);
    const answer = played.answers[played.guest.calls.indexOf(own)] as string;
    answers.push(answer.split(/[ ,]/, 1)[0] as string);
  }
  expect(answers.join(" ")).toBe(phases[row.name]);
}

const head = encodePairs([":method", "GET", ":path", "/", ":authority", "a"]);

/** What brings all callbacks about. */
const EVENTS: Readonly<Record<string, CallbackScript>> = {
  proxy_on_configure: {
    calls: [
      call("proxy_set_tick_period_milliseconds", 10),
      call("proxy_http_call", "event", head, "", "", 100),
    ],
  },
};

export async function playEvent(version: AbiVersion, event: CallbackEvent): Promise<void> {
  const played = await start(
    { version, callbacks: inVersion(version, { ...event.callbacks }) },
    event.host,
  );
  event.play(played);
  const { trace } = event;
  if (trace !== undefined) {
    expect(played.trace).toEqual(
      Array.isArray(trace) ? trace : (trace as Record<string, unknown>)[version],
    );
  }
  event.holds?.(played);
  played.host.close();
}

export async function refuseSignature(version: AbiVersion, row: Callback): Promise<void> {
  const names: Record<string, CallbackScript> = { [row.name]: {} };
  // Envoy looks at main only beside _initialize.
  if (row.name.includes("main")) names["_initialize"] = {};
  if (row.whenAbsent === "refuse") {
    // The allocator is made apart from the callbacks.
    expect(row.params.length).toBe(1);
    return;
  }
  const guest = { version, callbacks: names, wrongSignature: row.name };
  await expect(start(guest)).rejects.toThrow(`export ${row.name} has signature`);
}

export async function leaveOut(version: AbiVersion, row: Callback): Promise<void> {
  if (row.whenAbsent === "refuse") {
    const guest = { version, allocatorName: "not_an_allocator" };
    await expect(start(guest)).rejects.toThrow("no allocator");
    return;
  }
  const played = await start({ version });
  const exchange = played.request(REQUEST);
  expect(exchange.status).toBe(200);
  played.host.plugin.drain();
  expect(played.host.contexts).toBe(0);
}

/** A hostcall of another version is served all the same; the loader warns of it. */
export async function callUnknown(version: AbiVersion, row: Hostcall): Promise<void> {
  const { good, host, before = [] } = caseOf(row);
  const played = await start({ version, callbacks: script([...before, good]) }, host);
  played.request(REQUEST);
  expect(played.answers.at(-1)).not.toBe(NOT_MADE);
}

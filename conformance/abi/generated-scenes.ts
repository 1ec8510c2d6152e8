// Scenes that the tables give by themselves: broken pointers, failing allocators, each callback, exports
// with other signatures, calls before the module is ready.
import { type Callback, encodePairs, type Hostcall } from "proxy-wasm-types";
import { EVERYTHING, type HostcallCase, type Scene } from "./case.ts";
import { same } from "./expect.ts";
import { type Call, call, type CallbackScript, END, replacing } from "./guest.ts";
import { joined } from "./make-case.ts";
import { phaseColumns, phases } from "./phases.ts";
import type { Seen } from "./seen.ts";

const HEADERS = "proxy_on_request_headers";

/** Addresses that no four bytes fit behind. */
const outside = [END, END - 3, -1];

/** What a call answered, without what it told. */
function statusOf(seen: Seen, one: Call): string | undefined {
  return seen.answers[seen.told.guest.calls.indexOf(one)]?.split(/[ ,]/, 1)[0];
}

/** The good call's surroundings with other calls in its place. */
function surrounded(of: HostcallCase, calls: readonly Call[]): Omit<Scene, "what"> {
  const { in: name = HEADERS, callbacks: more, before = [], plugin, needs } = of;
  return {
    callbacks: joined(more, name, [...before, ...calls]),
    request: EVERYTHING,
    play: [{ request: {} }, { until: name }],
    ...(plugin === undefined ? {} : { plugin }),
    ...(needs === undefined ? {} : { needs }),
  };
}

/** Scenes of a hostcall's row. */
export function scenesOfHostcall(row: Hostcall, of: HostcallCase): readonly Scene[] {
  const bad = brokenCalls(row, of.good);
  const scenes: Scene[] = [];
  if (bad.length > 0) scenes.push(pointersOutside(of, bad));
  const outs = row.params.flatMap(({ meaning }, i) => (meaning.startsWith("out-") ? [i] : []));
  if (outs.length > 0) scenes.push(nullPointers(of, outs));
  if (row.params.some(({ meaning }) => meaning === "out-pointer")) {
    scenes.push(...allocatorScenes(of));
  }
  return scenes;
}

function brokenCalls(row: Hostcall, good: Call): Call[] {
  const bad: Call[] = [];
  for (const [i, { meaning }] of row.params.entries()) {
    if (meaning.startsWith("out-")) bad.push(...outside.map((at) => replacing(good, [i, at])));
    if (meaning !== "pointer") continue;
    bad.push(replacing(good, [i, END], [i + 1, 1]), replacing(good, [i, END - 1], [i + 1, 2]));
    bad.push(replacing(good, [i, -1], [i + 1, 0]), replacing(good, [i, 0], [i + 1, -1]));
  }
  return bad;
}

function pointersOutside(of: HostcallCase, bad: readonly Call[]): Scene {
  return {
    what: "pointers outside of memory",
    spec: "INVALID_MEMORY_ACCESS when a pointer or a size is not in the guest's memory.",
    ...noted(ENVOY_POINTERS[of.good.name]),
    ...surrounded(of, bad),
    holds: (seen) => {
      const found = bad.map((one) => [[...one.replaced].join(), statusOf(seen, one)]);
      const wanted = bad.map((one) => [[...one.replaced].join(), "InvalidMemoryAccess"]);
      same("answers", found, wanted);
    },
  };
}

function noted(envoy: string | undefined): Pick<Scene, "envoy"> {
  return envoy === undefined ? {} : { envoy };
}

function nullPointers(of: HostcallCase, outs: readonly number[]): Scene {
  const nulls = replacing(of.good, ...outs.map((at): readonly [number, number] => [at, 0]));
  return {
    what: "address 0 is as good as any other",
    verdict: "envoy",
    spec: "Nothing of address 0.",
    ...surrounded(of, [of.good, nulls]),
    holds: (seen) => same("answer", statusOf(seen, nulls), statusOf(seen, of.good)),
  };
}

function allocatorScenes(of: HostcallCase): Scene[] {
  const spec = "The host asks the guest's allocator for room.";
  const failing = (["zero", "outside"] as const).map((allocator): Scene => {
    return {
      what: allocator === "zero" ? "an allocator that gives none" : "an allocator that lies",
      verdict: of.good.name in ENVOY_ALLOCATORS ? "either" : "envoy",
      spec,
      ...noted(ENVOY_ALLOCATORS[of.good.name]),
      ...surrounded(of, [of.good]),
      guest: { allocator },
      holds: (seen) => same("answer", statusOf(seen, of.good), "InvalidMemoryAccess"),
    };
  });
  const other: Scene = {
    what: "room from proxy_on_memory_allocate",
    spec,
    ...surrounded(of, [of.good]),
    guest: { allocatorName: "proxy_on_memory_allocate" },
    holds: (seen) => same("answer", statusOf(seen, of.good), "Ok"),
  };
  return [...failing, other];
}

const head = encodePairs([":method", "GET", ":path", "/", ":authority", "a"]);

/** What brings all callbacks about; a tick comes once. */
const EVENTS: Readonly<Record<string, CallbackScript>> = {
  [HEADERS]: {
    calls: [
      call("proxy_set_tick_period_milliseconds", 10),
      call("proxy_http_call", "plain", head, "", "", 20_000),
    ],
  },
  proxy_on_tick: { calls: [call("proxy_set_tick_period_milliseconds", 0)] },
};

/** The good call of a row in every callback, against phases.ts. */
export function scenesOfPhases(row: Hostcall, of: HostcallCase): readonly Scene[] {
  const expected = (phases[row.name] as string).split(" ");
  return phaseColumns.map((name, column): Scene => {
    const { good, before = [], plugin, needs } = of;
    const own: Call = { ...good };
    // What good uses must be the calls that stand here.
    const scripts = joined(EVENTS, name, [...before, own]);
    return {
      what: `in ${name.slice("proxy_on_".length).replaceAll("_", " ")}`,
      verdict: "envoy",
      spec: "Which callbacks a call may be made in it says of few.",
      ...exceptions(row.name, name),
      callbacks: scripts,
      request: EVERYTHING,
      play: [{ request: {} }, { until: name }],
      ...(plugin === undefined ? {} : { plugin }),
      ...(needs === undefined ? {} : { needs }),
      holds: (seen) => same("answer", statusOf(seen, own), expected[column]),
    };
  });
}

const CRASHES: readonly (readonly [RegExp, RegExp])[] = [
  [/^proxy_(close_stream|send_local_response)$/, /_(log|done|delete)$/],
  [/^proxy_close_stream$/, /response_trailers$/],
  [/^proxy_continue_response$/, /(request_(headers|body|trailers)|response_trailers)$/],
];

/** Where Envoy does something else. */
function exceptions(row: string, callback: string): Partial<Pick<Scene, "envoy" | "verdict">> {
  if (CRASHES.some(([name, where]) => name.test(row) && where.test(callback))) {
    return { envoy: "Crashes.", verdict: "either" };
  }
  if (
    row === "proxy_get_property" &&
    !/request_headers|on_log|on_(vm|conf|tick|http)/.test(callback)
  ) {
    return { envoy: "NOT_FOUND once the request's headers have gone on.", verdict: "extension" };
  }
  return {};
}

/** What Envoy does where it fails with pointers or allocators that lie. */
const ENVOY_POINTERS: Readonly<Record<string, string>> = {
  proxy_dequeue_shared_queue: "Takes the item from the queue before it looks at the pointers.",
};
const ENVOY_ALLOCATORS: Readonly<Record<string, string>> = {
  proxy_call_foreign_function: "Crashes.",
};

/** Calls while the module is prepared; one version is enough, the table is the same for all. */
export function scenesOfStart(row: Hostcall, of: HostcallCase): readonly Scene[] {
  const { good, plugin, needs } = of;
  const common = {
    ...(plugin === undefined ? {} : { plugin }),
    ...(needs === undefined ? {} : { needs }),
  };
  // A token of an earlier call cannot be there.
  const early: Call = { ...good, args: good.args.map((one) => (isTold(one) ? 0 : one)) };
  const mayInitialize = row.phases.includes("initialize");
  return [
    {
      what: mayInitialize ? "in its initialisation" : "not in its initialisation",
      verdict: "envoy",
      spec: "Hostcalls may be made in callbacks.",
      ...common,
      callbacks: { _initialize: { calls: [early] }, proxy_on_configure: {} },
      ...(mayInitialize
        ? { play: [], trace: ["_initialize()", "proxy_on_configure(1,0)"] }
        : { isRefused: true as const }),
    },
  ];
}

function isTold(value: unknown): boolean {
  return typeof value === "object" && value !== null && "of" in value;
}

/** Scenes of a callback's row. */
export function scenesOfCallback(row: Callback): readonly Scene[] {
  if (row.whenAbsent === "refuse") {
    return [
      {
        what: "a module that exports no allocator is refused",
        guest: { allocatorName: "not_an_allocator" },
        isRefused: true,
      },
    ];
  }
  const scripts: Record<string, CallbackScript> = { [row.name]: {} };
  // Envoy looks at main only beside _initialize.
  if (row.name.includes("main")) scripts["_initialize"] = {};
  return [
    {
      what: "another signature is refused",
      verdict: "envoy",
      spec: "Its signature; of others it says nothing.",
      callbacks: scripts,
      guest: { wrongSignature: row.name },
      isRefused: true,
    },
  ];
}

/** A guest without callbacks lets everything pass. */
export const absence: Scene = {
  what: "a guest without any callback lets everything pass",
  callbacks: {},
  request: EVERYTHING,
  exchange: { status: 200, body: "response", upstream: { body: "request", trailers: { t: "1" } } },
};

/** A hostcall of another version of the ABI may be imported. */
export function unknownHere({ before = [], good, plugin }: HostcallCase): Scene {
  return {
    what: "may be imported, though this version does not have it",
    verdict: "extension",
    spec: "Nothing.",
    envoy: "Refuses the module.",
    ...(plugin === undefined ? {} : { plugin }),
    callbacks: { [HEADERS]: { calls: [...before, good] } },
    holds: (seen) => same("it was called", statusOf(seen, good) === undefined, false),
    isAlone: true,
  };
}

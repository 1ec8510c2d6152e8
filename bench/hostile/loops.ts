// Guests that mean harm to the streams beside theirs: each computes without end in one callback.
import {
  constant,
  op,
  store,
  WasmBuilder,
} from "../../runtime/src/module/wasm-builder-for-test.ts";

const LOOP = 0x03;
const TRY = 0x06;
const CATCH = 0x07;
const THROW = 0x08;
const VOID = 0x40;
const IF = 0x04;
const BR = 0x0c;
const BR_IF = 0x0d;
const LOCAL_SET = 0x21;
const LOCAL_TEE = 0x22;
const I64_LOAD = 0x29;
const I32_STORE8 = 0x3a;
const I32_EQZ = 0x45;
const I32_LT = 0x49;
const I64_GT = 0x56;
const I32_SUB = 0x6b;
const I32_MUL = 0x6c;
const I32_AND = 0x71;
const MEMORY_SIZE = 0x3f;
const MEMORY_GROW = 0x40;
const BULK = 0xfc;
const MEMORY_COPY = 10;
const MEMORY_FILL = 11;
const TABLE_FILL = 17;
const REF_NULL = 0xd0;
const EXTERNREF = 0x6f;
const I64_CONST = 0x42;

const MIB = 1 << 20;
const PAGES_PER_MIB = 16;
/** Where a module's own data stands, and where it counts. */
const DATA = 256;
const COUNT = 900;
/** Behind it a guest may write what it likes. */
const SPACE = 65_536;
const PAIRS = 100_000;
const TABLE_ENTRIES = 1 << 20;
const EVERYTHING = -1;
/** After that guests that are `isLate` begin: the process has started. */
export const LATE_MS = 8000;

const int = (count: number): readonly string[] => Array<string>(count).fill("i32");

/** A function that the guest imports: module, name, parameters. */
type Import = readonly [string, string, readonly string[]];

export interface HostileGuest {
  readonly name: string;
  /** Which callback does not end. */
  readonly callback: string;
  readonly imports?: readonly Import[];
  /** Of 64 KiB; default 2. */
  readonly pages?: number;
  /** Bytes at DATA. */
  readonly data?: string;
  /** What is done once, before the loop; `local` is a free one. */
  readonly before?: (local: number) => readonly number[];
  readonly loop: (local: number) => readonly number[];
  /** What the other callbacks do: `trap` = on_request_headers fails, `call` = it calls a cluster. */
  readonly headers?: "trap" | "call";
  /** The start of a first VM is harmless. */
  readonly isLate?: boolean;
  readonly ticks?: boolean;
}

const CALL_HEADERS = 512;
const callHeaders: Buffer = headerList([
  [":method", "GET"],
  [":path", "/good"],
  [":authority", "self"],
]);
const CALL_HEADERS_SIZE: number = callHeaders.length;

const env = (name: string, count: number): Import => ["env", name, int(count)];

/** Calls what was imported first. */
const call = (...args: readonly number[]): readonly number[] => [
  ...args.flatMap(constant),
  op.call,
  0,
  op.drop,
];

/** Adds one to the number at COUNT: the next key is another one. */
const count: readonly number[] = [
  ...constant(COUNT),
  ...constant(COUNT),
  op.i32Load,
  2,
  0,
  ...constant(1),
  op.i32Add,
  op.i32Store,
  2,
  0,
];

/** Loads from anywhere in 64 MiB, each address made of the last value: no cache has them. */
function misses(local: number): readonly number[] {
  const next = [...constant(1_664_525), I32_MUL, ...constant(1_013_904_223), op.i32Add];
  const address = [...constant(64 * MIB - 8), I32_AND, op.i32Load, 2, 0];
  const addresses = [op.localGet, local, ...next, LOCAL_TEE, local, ...address];
  return [...addresses, op.localGet, local, op.i32Add, LOCAL_SET, local];
}

const bulk = (what: number, ...args: readonly number[]): readonly number[] => [
  ...args.flatMap(constant),
  BULK,
  what,
  ...(what === MEMORY_COPY ? [0, 0] : [0]),
];

/** All that the guest has, again and again. */
const fillEverything: readonly number[] = [
  [...constant(SPACE), ...constant(7)],
  [MEMORY_SIZE, 0, ...constant(SPACE), I32_MUL, ...constant(SPACE), I32_SUB],
  [BULK, MEMORY_FILL, 0],
].flat();

/** A header list of many pairs of a name with one letter, and no value, at SPACE. */
function writePairs(local: number): readonly number[] {
  const head = SPACE + 4;
  const body = head + PAIRS * 8;
  const at = (factor: number, base: number): readonly number[] => {
    const product = [op.localGet, local, ...constant(factor), I32_MUL];
    return [...product, ...constant(base), op.i32Add];
  };
  return [
    [...store(SPACE, PAIRS), LOOP, VOID],
    [...at(8, head), ...constant(1), op.i32Store, 2, 0],
    [...at(3, body), ...constant(0x61), I32_STORE8, 0, 0],
    [op.localGet, local, ...constant(1), op.i32Add, LOCAL_TEE, local],
    [...constant(PAIRS), I32_LT, BR_IF, 0, op.end],
  ].flat();
}

/** Adds the header at DATA until the host takes no more. */
const addHeaders: readonly number[] = [
  [LOOP, VOID],
  [0, DATA, 3, DATA, 3].flatMap(constant),
  [op.call, 1, I32_EQZ, BR_IF, 0, op.end],
].flat();

const everywhere = { pages: 64 * PAGES_PER_MIB, loop: misses } as const;
const REQUEST = "proxy_on_request_headers";

export const hostileGuests: readonly HostileGuest[] = [
  { name: "nothing", callback: REQUEST, loop: () => [] },
  { name: "misses: request headers", callback: REQUEST, ...everywhere },
  { name: "misses: request body", callback: "proxy_on_request_body", ...everywhere },
  { name: "misses: tick", callback: "proxy_on_tick", ...everywhere, ticks: true },
  {
    name: "misses: answer to a call",
    callback: "proxy_on_http_call_response",
    ...everywhere,
    headers: "call",
  },
  { name: "misses: on_done", callback: "proxy_on_done", ...everywhere },
  { name: "misses: on_log", callback: "proxy_on_log", ...everywhere },
  {
    name: "misses: start, of the next VM",
    callback: "_initialize",
    ...everywhere,
    headers: "trap",
    isLate: true,
  },
  {
    name: "misses: configure, of the next VM",
    callback: "proxy_on_configure",
    ...everywhere,
    headers: "trap",
    isLate: true,
  },
  {
    name: "grows to 128 MiB and fills it",
    callback: REQUEST,
    loop: () => [...constant(1), MEMORY_GROW, 0, op.drop, ...fillEverything],
    before: () => [...constant(2040), MEMORY_GROW, 0, op.drop],
  },
  {
    name: "grows page by page",
    callback: REQUEST,
    loop: () => [...constant(1), MEMORY_GROW, 0, op.drop],
  },
  {
    name: "copies 60 MiB",
    callback: REQUEST,
    pages: 128 * PAGES_PER_MIB - 16,
    loop: () => bulk(MEMORY_COPY, 0, 64 * MIB, 60 * MIB),
  },
  {
    name: "fills a table of a million",
    callback: REQUEST,
    loop: () => [
      ...constant(0),
      REF_NULL,
      EXTERNREF,
      ...constant(TABLE_ENTRIES),
      BULK,
      TABLE_FILL,
      0,
    ],
  },
  {
    name: "throws and catches",
    callback: REQUEST,
    loop: () => [TRY, VOID, THROW, 0, CATCH, 0, op.end],
  },
  {
    name: "sets 100,000 pairs",
    callback: REQUEST,
    pages: 64,
    imports: [env("proxy_set_header_map_pairs", 3)],
    before: writePairs,
    loop: () => call(0, SPACE, 4 + PAIRS * 11),
  },
  {
    name: "adds headers, reads them all",
    callback: REQUEST,
    imports: [env("proxy_get_header_map_pairs", 3), env("proxy_add_header_map_value", 5)],
    data: "abc",
    before: () => addHeaders,
    loop: () => call(0, 8, 12),
  },
  {
    name: "4 GiB from anywhere",
    callback: REQUEST,
    imports: [env("proxy_set_buffer_bytes", 5)],
    loop: () => call(0, 0, EVERYTHING, 0, EVERYTHING),
  },
  {
    name: "shared data: 60 kB each",
    callback: REQUEST,
    imports: [env("proxy_set_shared_data", 5)],
    loop: () => [...count, ...call(COUNT, 4, 0, 60_000, 0)],
  },
  {
    name: "shared data: 1 byte each",
    callback: REQUEST,
    imports: [env("proxy_set_shared_data", 5)],
    loop: () => [...count, ...call(COUNT, 4, 0, 1, 0)],
  },
  {
    name: "registers queues",
    callback: REQUEST,
    imports: [env("proxy_register_shared_queue", 3)],
    loop: () => [...count, ...call(COUNT, 4, 8)],
  },
  {
    name: "log lines of 60 kB",
    callback: REQUEST,
    imports: [env("proxy_log", 3)],
    loop: () => call(4, 0, 60_000),
  },
  {
    name: "log lines of 10 bytes",
    callback: REQUEST,
    imports: [env("proxy_log", 3)],
    loop: () => call(4, DATA, 10),
    data: "0123456789",
  },
  {
    name: "writes to stderr, 60 kB",
    callback: REQUEST,
    imports: [["wasi_snapshot_preview1", "fd_write", int(4)]],
    before: () => [...store(DATA, 1024), ...store(DATA + 4, 60_000)],
    loop: () => call(2, DATA, 1, DATA + 8),
  },
  {
    name: "defines metrics",
    callback: REQUEST,
    imports: [env("proxy_define_metric", 4)],
    loop: () => [...count, ...call(0, COUNT, 4, 8)],
  },
  {
    name: "random bytes, 64 KiB",
    callback: REQUEST,
    imports: [["wasi_snapshot_preview1", "random_get", int(2)]],
    loop: () => call(SPACE, 65_536),
  },
  {
    name: "compresses 1 MiB",
    callback: REQUEST,
    pages: 64,
    imports: [env("proxy_call_foreign_function", 6)],
    data: "compress",
    loop: () => call(DATA, 8, SPACE, MIB, 8, 12),
  },
  {
    name: "sets properties of 60 kB",
    callback: REQUEST,
    imports: [env("proxy_set_property", 4)],
    loop: () => [...count, ...call(COUNT, 4, 0, 60_000)],
  },
  {
    name: "a local response, 60 kB",
    callback: REQUEST,
    imports: [env("proxy_send_local_response", 8)],
    loop: () => call(200, 0, 0, 0, 60_000, 0, 0, 0),
  },
  {
    name: "calls a cluster",
    callback: REQUEST,
    imports: [env("proxy_http_call", 10)],
    data: "self",
    loop: () => call(DATA, 4, CALL_HEADERS, CALL_HEADERS_SIZE, 0, 0, 0, 0, 1000, 8),
  },
];

function headerList(pairs: readonly (readonly [string, string])[]): Buffer {
  const sizes = [pairs.length, ...pairs.flatMap(([name, value]) => [name.length, value.length])];
  const numbers = Buffer.alloc(sizes.length * 4);
  for (const [at, size] of sizes.entries()) numbers.writeUInt32LE(size, at * 4);
  return Buffer.concat([
    numbers,
    Buffer.from(pairs.map(([name, value]) => `${name}\0${value}\0`).join("")),
  ]);
}

/** The guest's module. */
export function hostileModule(guest: HostileGuest): Buffer {
  const builder = new WasmBuilder();
  for (const [module, name, params] of guest.imports ?? []) {
    builder.importFunction(module, name, params, ["i32"]);
  }
  const clockTime = ["i32", "i64", "i32"];
  const clock = builder.importFunction("wasi_snapshot_preview1", "clock_time_get", clockTime, [
    "i32",
  ]);
  const tickPeriod = builder.importFunction("env", "proxy_set_tick_period_milliseconds", int(1), [
    "i32",
  ]);
  const httpCall = builder.importFunction("env", "proxy_http_call", int(10), ["i32"]);
  builder.func({ exportAs: "proxy_abi_version_0_2_1" });
  const pages = guest.pages ?? 2;
  builder.memory(0, (pages & 127) | 128, pages >> 7).export("memory", "memory", 0);
  builder.emptyTable("externref", ...tableLimits()).tag([]);
  builder.func({ params: int(1), results: int(1), code: constant(2048), exportAs: "malloc" });
  builder.data(DATA, [...Buffer.from(guest.data ?? "")]);
  builder.data(CALL_HEADERS, [...callHeaders]);
  addCallback(builder, guest, isLateCode(guest, clock));
  if (guest.ticks === true) {
    const code = [...constant(500), op.call, tickPeriod, op.drop, ...constant(1)];
    builder.func({ params: int(2), results: int(1), code, exportAs: "proxy_on_configure" });
  }
  if (guest.headers === "trap") builder.func({ ...headersSpec, code: [op.unreachable] });
  if (guest.headers === "call") {
    const args = [DATA, 4, CALL_HEADERS, CALL_HEADERS_SIZE, 0, 0, 0, 0, 1000, 8];
    builder.data(DATA, [...Buffer.from("self")]);
    const code = [...args.flatMap(constant), op.call, httpCall, op.drop, ...constant(1)];
    builder.func({ ...headersSpec, code });
  }
  return builder.build();
}

const headersSpec = { params: int(3), results: int(1), exportAs: REQUEST } as const;

/** A flag and the least number of entries. */
function tableLimits(): readonly number[] {
  return [0, 0x80, 0x80, 0x40];
}

/** 1 = now; 0 = the module is not old enough for its fault. */
function isLateCode({ isLate }: HostileGuest, clock: number): readonly number[] {
  if (isLate !== true) return constant(1);
  const from = BigInt(Date.now() + LATE_MS) * 1_000_000n;
  const time = [...constant(0), I64_CONST, 0, ...constant(COUNT + 4), op.call, clock, op.drop];
  return [...time, ...constant(COUNT + 4), I64_LOAD, 2, 0, I64_CONST, ...leb64(from), I64_GT];
}

function leb64(value: bigint): number[] {
  const low = Number(value & 0x7fn);
  const rest = value >> 7n;
  return rest === 0n && low < 64 ? [low] : [low | 0x80, ...leb64(rest)];
}

/** Parameters, and whether there is an answer. */
const signatures: Readonly<Record<string, readonly [number, boolean]>> = {
  proxy_on_configure: [2, true],
  proxy_on_done: [1, true],
  proxy_on_http_call_response: [5, false],
  proxy_on_log: [1, false],
  proxy_on_request_body: [3, true],
  proxy_on_request_headers: [3, true],
  proxy_on_tick: [1, false],
};

function addCallback(builder: WasmBuilder, guest: HostileGuest, when: readonly number[]): void {
  const [local, hasResult] = signatures[guest.callback] ?? [0, false];
  const loop = [LOOP, VOID, ...guest.loop(local), BR, 0, op.end];
  const body = [...(guest.before?.(local) ?? []), ...loop];
  builder.func({
    params: int(local),
    results: hasResult ? ["i32"] : [],
    locals: ["i32"],
    code: [...when, IF, VOID, ...body, op.end, ...(hasResult ? constant(1) : [])],
    exportAs: guest.callback,
  });
}

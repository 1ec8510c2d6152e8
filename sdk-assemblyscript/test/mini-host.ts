// A proxy-wasm host in miniature, for what the product's own host never does: hostile answers, any
// order of callbacks, TCP, calls of any export. Maps and buffers are plain arrays.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { hostcalls } from "proxy-wasm-types";
import { buildFilter, type BuiltFilter } from "../build.mjs";

type Callback = (...args: (number | bigint)[]) => number | bigint | undefined;
type Hostcall = (...args: number[]) => number;

const OK = 0;
const NOT_FOUND = 1;
const BAD_ARGUMENT = 2;

export const MapId = {
  requestHeaders: 0,
  requestTrailers: 1,
  responseHeaders: 2,
  responseTrailers: 3,
} as const;
export const BufferId = { requestBody: 0, responseBody: 1, downstreamData: 2 } as const;
const VM_CONFIGURATION = 6;
const PLUGIN_CONFIGURATION = 7;

export interface LocalReply {
  readonly status: number;
  readonly details: string;
  readonly body: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly grpcStatus: number;
}

/** Compiles a guest of this folder, once per content, and returns the module. */
export async function compileGuest(
  name: string,
  mode: "release" | "debug",
): Promise<WebAssembly.Module> {
  return new WebAssembly.Module(await readGuest(name, mode));
}

/** The bytes of a guest's module. */
export async function readGuest(name: string, mode: "release" | "debug"): Promise<Uint8Array> {
  return readFileSync(await guestPath(name, mode));
}

/** Where a guest's module is; compiled first when its sources have changed. */
export async function guestPath(name: string, mode: "release" | "debug"): Promise<string> {
  return (await buildGuest(name, mode)).wasm;
}

/** As guestPath, with all that the build tells. */
export function buildGuest(name: string, mode: "release" | "debug"): Promise<BuiltFilter> {
  return buildFilter(join(import.meta.dirname, "guests", name), { mode });
}

/** One VM. Map entries and text here are latin1: one character is one byte. */
export class MiniHost {
  readonly maps: Map<number, [string, string][]> = new Map();
  readonly buffers: Map<number, Uint8Array> = new Map();
  readonly properties: Map<string, Uint8Array> = new Map();
  readonly logs: string[] = [];
  readonly metrics: { type: number; name: string; value: bigint }[] = [];
  /** Names of hostcalls in their order, without proxy_log. */
  readonly calls: string[] = [];
  readonly continued: number[] = [];
  readonly closed: number[] = [];
  /** gRPC calls and streams as the guest has made them; their tokens are 5, 6, ... */
  readonly grpc: string[] = [];
  /** What was done with them: `send 5 text false`, `cancel 5`, `close 5`. */
  readonly grpcActions: string[] = [];
  logLevel = 0;
  tickMs = 0;
  /** A context that the host does not know any more. */
  gone = 0;
  reply: LocalReply | undefined = undefined;
  /** What every map reads as in its serialised form, when set. */
  rawPairs: Uint8Array | undefined = undefined;
  /** Called inside the next hostcall: a host that enters the guest again. */
  onHostcall: (() => void) | undefined = undefined;
  readonly #exports: Record<string, unknown>;
  readonly #memory: { readonly buffer: ArrayBuffer };

  constructor(module: WebAssembly.Module) {
    const env: Record<string, Hostcall> = {};
    const unimplemented = Object.fromEntries(hostcalls.map(({ name }) => [name, () => 12]));
    for (const [name, call] of Object.entries({ ...unimplemented, ...this.#hostcalls() })) {
      env[name] = (...args) => {
        if (name !== "proxy_log" && name !== "proxy_get_log_level") this.calls.push(name);
        const hook = this.onHostcall;
        this.onHostcall = undefined;
        hook?.();
        return call(...args);
      };
    }
    this.#exports = new WebAssembly.Instance(module, { env }).exports as Record<string, unknown>;
    this.#memory = this.#exports["memory"] as { buffer: ArrayBuffer };
    this.call("_initialize");
  }

  /** Calls an export; a missing one is a mistake of the test. */
  call(name: string, ...args: (number | bigint)[]): number | bigint | undefined {
    const callback = this.#exports[name];
    if (typeof callback !== "function") throw new Error(`the guest does not export ${name}`);
    return (callback as Callback)(...args);
  }

  /** Announces a plugin and configures it; what proxy_on_configure answered. */
  start(configuration: string | Uint8Array, rootContext = 1): boolean {
    this.call("proxy_on_context_create", rootContext, 0);
    return this.configure(configuration, rootContext);
  }

  configure(configuration: string | Uint8Array, rootContext = 1): boolean {
    const bytes = typeof configuration === "string" ? Buffer.from(configuration) : configuration;
    this.buffers.set(PLUGIN_CONFIGURATION, bytes);
    const answer = this.call("proxy_on_configure", rootContext, bytes.length);
    this.buffers.delete(PLUGIN_CONFIGURATION);
    return answer !== 0;
  }

  startVm(configuration: string, rootContext = 1): boolean {
    const bytes = Buffer.from(configuration);
    this.buffers.set(VM_CONFIGURATION, bytes);
    return this.call("proxy_on_vm_start", rootContext, bytes.length) !== 0;
  }

  /** Announces a stream and calls its request header hook. */
  request(context: number, headers: [string, string][], rootContext = 1): number {
    this.call("proxy_on_context_create", context, rootContext);
    this.maps.set(MapId.requestHeaders, headers);
    return Number(this.call("proxy_on_request_headers", context, headers.length, 1));
  }

  setProperty(path: string, value: string | Uint8Array): void {
    this.properties.set(path, Buffer.from(value as string));
  }

  /** A property as UTF-8 text; undefined when the guest did not set it. */
  output(path = "output"): string | undefined {
    const bytes = this.properties.get(path);
    return bytes === undefined ? undefined : Buffer.from(bytes).toString();
  }

  get memoryBytes(): number {
    return this.#memory.buffer.byteLength;
  }

  bytes(at: number, length: number): Uint8Array {
    return new Uint8Array(this.#memory.buffer, at >>> 0, length >>> 0).slice();
  }

  #text(at: number, length: number): string {
    return Buffer.from(this.bytes(at, length)).toString("latin1");
  }

  #utf8(at: number, length: number): string {
    return Buffer.from(this.bytes(at, length)).toString();
  }

  #writeU32(at: number, value: number): void {
    new DataView(this.#memory.buffer).setUint32(at >>> 0, value, true);
  }

  #give(bytes: Uint8Array, outData: number, outSize: number): number {
    const at = bytes.length === 0 ? 0 : Number(this.call("malloc", bytes.length)) >>> 0;
    if (bytes.length > 0 && at === 0) return 6;
    new Uint8Array(this.#memory.buffer).set(bytes, at);
    this.#writeU32(outData, at);
    this.#writeU32(outSize, bytes.length);
    return OK;
  }

  #hostcalls(): Record<string, Hostcall> {
    return {
      proxy_log: (level, at, size) => {
        this.logs.push(`${level} ${this.#utf8(at ?? 0, size ?? 0)}`);
        return OK;
      },
      proxy_get_log_level: (out) => {
        this.calls.push("proxy_get_log_level");
        this.#writeU32(out ?? 0, this.logLevel);
        return OK;
      },
      proxy_set_tick_period_milliseconds: (period) => {
        this.tickMs = period ?? 0;
        return OK;
      },
      proxy_done: () => OK,
      proxy_continue_stream: (type) => (this.continued.push(type ?? -1), OK),
      proxy_close_stream: (type) => (this.closed.push(type ?? -1), OK),
      proxy_send_local_response: (...args) => this.#localReply(args),
      proxy_set_effective_context: (context) => (context === this.gone ? BAD_ARGUMENT : OK),
      ...this.#grpcCalls(),
      ...this.#mapCalls(),
      ...this.#bufferCalls(),
      ...this.#metricCalls(),
    };
  }

  #localReply(args: number[]): number {
    const [status = 0, details = 0, detailsSize = 0, body = 0, bodySize = 0] = args;
    const [headers = 0, headersSize = 0, grpcStatus = 0] = args.slice(5);
    this.reply = {
      status,
      details: this.#utf8(details, detailsSize),
      body: this.#utf8(body, bodySize),
      headers: decodePairs(this.bytes(headers, headersSize)),
      grpcStatus,
    };
    return OK;
  }

  #grpcCalls(): Record<string, Hostcall> {
    const call = (args: number[]): number => {
      const out = args.pop() ?? 0;
      const texts: string[] = [];
      for (let i = 0; i + 1 < args.length; i += 2) {
        if (i !== 6) texts.push(this.#utf8(args[i] ?? 0, args[i + 1] ?? 0));
        else texts.push(JSON.stringify(decodePairs(this.bytes(args[6] ?? 0, args[7] ?? 0))));
      }
      if (args.length % 2 === 1) texts.push(String(args.at(-1)));
      if (texts[0]?.includes("nowhere")) return BAD_ARGUMENT;
      this.grpc.push(texts.join(" "));
      this.#writeU32(out, 4 + this.grpc.length);
      return OK;
    };
    const act = (text: string): number => (this.grpcActions.push(text), OK);
    return {
      proxy_grpc_call: (...args) => call(args),
      proxy_grpc_stream: (...args) => call(args),
      proxy_grpc_send: (id = 0, at = 0, size = 0, end = 0) =>
        act(`send ${id} ${this.#utf8(at, size)} ${end === 1}`),
      proxy_grpc_cancel: (id = 0) => act(`cancel ${id}`),
      proxy_grpc_close: (id = 0) => act(`close ${id}`),
      proxy_get_status: (code = 0, out = 0, outSize = 0) => {
        this.#writeU32(code, 5);
        return this.#give(Buffer.from("no such user"), out, outSize);
      },
    };
  }

  #mapCalls(): Record<string, Hostcall> {
    const entries = (map: number) => this.maps.get(map);
    return {
      proxy_get_header_map_value: (map = 0, key = 0, size = 0, out = 0, outSize = 0) => {
        const list = entries(map);
        if (list === undefined) return BAD_ARGUMENT;
        const name = this.#text(key, size);
        const found = list.find((entry) => entry[0] === name);
        if (found === undefined) return NOT_FOUND;
        return this.#give(Buffer.from(found[1], "latin1"), out, outSize);
      },
      proxy_get_header_map_pairs: (map = 0, out = 0, outSize = 0) => {
        return this.#give(this.rawPairs ?? encodePairs(entries(map) ?? []), out, outSize);
      },
      proxy_add_header_map_value: (map = 0, key = 0, size = 0, value = 0, valueSize = 0) => {
        entries(map)?.push([this.#text(key, size), this.#text(value, valueSize)]);
        return entries(map) === undefined ? BAD_ARGUMENT : OK;
      },
      proxy_replace_header_map_value: (map = 0, key = 0, size = 0, value = 0, valueSize = 0) => {
        const list = entries(map);
        if (list === undefined) return BAD_ARGUMENT;
        const name = this.#text(key, size);
        const rest = list.filter((entry) => entry[0] !== name);
        this.maps.set(map, [...rest, [name, this.#text(value, valueSize)]]);
        return OK;
      },
      proxy_remove_header_map_value: (map = 0, key = 0, size = 0) => {
        const name = this.#text(key, size);
        this.maps.set(
          map,
          (entries(map) ?? []).filter((entry) => entry[0] !== name),
        );
        return OK;
      },
      proxy_get_property: (path = 0, size = 0, out = 0, outSize = 0) => {
        const value = this.properties.get(this.#utf8(path, size).replaceAll("\0", "/"));
        return value === undefined ? NOT_FOUND : this.#give(value, out, outSize);
      },
      proxy_set_property: (path = 0, size = 0, value = 0, valueSize = 0) => {
        this.properties.set(this.#utf8(path, size), this.bytes(value, valueSize));
        return OK;
      },
    };
  }

  #bufferCalls(): Record<string, Hostcall> {
    return {
      proxy_get_buffer_bytes: (type = 0, start = 0, max = 0, out = 0, outSize = 0) => {
        const bytes = this.buffers.get(type);
        if (bytes === undefined) return NOT_FOUND;
        return this.#give(bytes.subarray(start, start + (max >>> 0)), out, outSize);
      },
      proxy_set_buffer_bytes: (type = 0, start = 0, length = 0, value = 0, size = 0) => {
        const bytes = this.buffers.get(type);
        if (bytes === undefined) return NOT_FOUND;
        const given = this.bytes(value, size);
        const before = bytes.subarray(0, start >>> 0);
        const after = bytes.subarray((start >>> 0) + (length >>> 0));
        this.buffers.set(type, Buffer.concat([before, given, after]));
        return OK;
      },
    };
  }

  #metricCalls(): Record<string, Hostcall> {
    return {
      proxy_define_metric: (type = 0, name = 0, size = 0, out = 0) => {
        this.metrics.push({ type, name: this.#utf8(name, size), value: 0n });
        this.#writeU32(out, this.metrics.length);
        return OK;
      },
      proxy_increment_metric: (id = 0, offset = 0) => {
        const metric = this.metrics[id - 1];
        if (metric === undefined) return NOT_FOUND;
        metric.value += BigInt(offset);
        return OK;
      },
      proxy_record_metric: (id = 0, value = 0) => {
        const metric = this.metrics[id - 1];
        if (metric === undefined) return NOT_FOUND;
        metric.value = BigInt(value);
        return OK;
      },
      proxy_get_metric: (id = 0, out = 0) => {
        const metric = this.metrics[id - 1];
        if (metric === undefined) return NOT_FOUND;
        new DataView(this.#memory.buffer).setBigUint64(out, metric.value, true);
        return OK;
      },
    };
  }
}

/** The ABI's form of a header list; empty ones have no bytes, as Envoy returns them. */
export function encodePairs(pairs: readonly (readonly [string, string])[]): Uint8Array {
  if (pairs.length === 0) return new Uint8Array(0);
  const head = Buffer.alloc(4 + pairs.length * 8);
  head.writeUInt32LE(pairs.length);
  pairs.forEach(([name, value], i) => {
    head.writeUInt32LE(name.length, 4 + i * 8);
    head.writeUInt32LE(value.length, 8 + i * 8);
  });
  const strings = pairs.map(([name, value]) => `${name}\0${value}\0`).join("");
  return Buffer.concat([head, Buffer.from(strings, "latin1")]);
}

function decodePairs(bytes: Uint8Array): [string, string][] {
  const pairs: [string, string][] = [];
  if (bytes.length === 0) return pairs;
  const view = Buffer.from(bytes);
  const count = view.readUInt32LE(0);
  let at = 4 + count * 8;
  for (let i = 0; i < count; i += 1) {
    const nameLength = view.readUInt32LE(4 + i * 8);
    const valueLength = view.readUInt32LE(8 + i * 8);
    const valueAt = at + nameLength + 1;
    const name = view.toString("utf8", at, at + nameLength);
    pairs.push([name, view.toString("utf8", valueAt, valueAt + valueLength)]);
    at = valueAt + valueLength + 1;
  }
  return pairs;
}

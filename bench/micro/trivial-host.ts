// A host that answers hostcalls from constants, for fuel-share.ts: what is measured is the guest.
import { Status, WasiErrno } from "proxy-wasm-types";
import type { LoadedModule } from "../../runtime/src/module/module-loader.ts";

/** Each stream's headers; `:path` makes the guests rewrite it. No two names are of one length. */
const HEADERS: readonly (readonly [string, string])[] = [
  [":path", "/old/users/123456?fields=name,mail"],
  ["user-agent", "benchmark/1.0 (linux; x86_64; a)"],
  ["content-type", "text/plain"],
  ["x-upper", "1"],
  ["x-api-key", "3fa85f64-5717-4562-b3fc-2c963f66afa6"],
];
/** By the length of the name: reading it would be the host's work. */
const VALUES: readonly (Buffer | undefined)[] = Array.from({ length: 32 }, (_, size) => {
  const found = HEADERS.find(([name]) => name.length === size);
  return found === undefined ? undefined : Buffer.from(found[1], "latin1");
});
const BODY: Buffer = Buffer.from('{"name":"Ada","secret":"42","tags":["a","b"]},\n'.repeat(64));

export const BODY_BYTES: number = BODY.length;

function put(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

type Export = (...args: number[]) => unknown;

/** One instance, started and configured, with streams of headers and bodies both ways. */
export class TrivialHost {
  readonly #exports: Readonly<Record<string, unknown>>;
  readonly #malloc: Export;
  #memory: Uint8Array;
  #lastContext: number = 1;
  #ticks: number = 0;
  readonly #callbacks: readonly (readonly [Export, readonly number[]])[];

  constructor(loaded: LoadedModule) {
    const { exports } = new WebAssembly.Instance(loaded.module, this.#imports(loaded));
    this.#exports = exports;
    this.#memory = new Uint8Array(0);
    this.#malloc = (this.#find("malloc") ?? this.#find("proxy_on_memory_allocate")) as Export;
    // For all that follows: nobody asks what was used.
    if (loaded.fuelExport !== null) this.#find(loaded.fuelExport)?.(2 ** 52);
    if (loaded.startExport !== null) this.#find(loaded.startExport)?.();
    this.#find("_initialize")?.();
    this.#find("proxy_on_context_create")?.(1, 0);
    this.#find("proxy_on_vm_start")?.(1, 0);
    this.#find("proxy_on_configure")?.(1, 0);
    this.#callbacks = this.#callbacksOf();
  }

  /** Its callbacks in order; the context's id stands in front of the arguments. */
  #callbacksOf(): (readonly [Export, readonly number[]])[] {
    const size = HEADERS.length;
    const all: readonly (readonly [string, readonly number[]])[] = [
      ["proxy_on_context_create", [1]],
      ["proxy_on_request_headers", [size, 0]],
      ["proxy_on_request_body", [BODY_BYTES, 1]],
      ["proxy_on_response_headers", [size, 0]],
      ["proxy_on_response_body", [BODY_BYTES, 1]],
      ["proxy_on_log", []],
      ["proxy_on_done", []],
      ["proxy_on_delete", []],
    ];
    return all.flatMap(([name, args]) => {
      const found = this.#find(name);
      return found === undefined ? [] : [[found, args] as const];
    });
  }

  /** Plays streams; the sum of the guest's answers. */
  run(streams: number): number {
    let sum = 0;
    for (let i = 0; i < streams; i += 1) {
      this.#lastContext += 1;
      const context = this.#lastContext;
      for (const [callback, [a = 0, b = 0]] of this.#callbacks) {
        sum += (callback(context, a, b) as number | undefined) ?? 1;
      }
    }
    return sum;
  }

  #find(name: string): Export | undefined {
    return this.#exports[name] as Export | undefined;
  }

  /** The guest's memory may have grown. */
  #bytes(): Uint8Array {
    if (this.#memory.length === 0) {
      this.#memory = new Uint8Array((this.#exports["memory"] as WebAssembly.Memory).buffer);
    }
    return this.#memory;
  }

  #give(value: Buffer, outPointer: number, outSize: number): number {
    const at = value.length === 0 ? 0 : (this.#malloc(value.length) as number);
    const bytes = this.#bytes();
    bytes.set(value, at);
    put(bytes, outPointer, at);
    put(bytes, outSize, value.length);
    return Status.Ok;
  }

  /** What is not here answers 0, which is Ok, and does nothing. */
  #imports({ module, memoryImport }: LoadedModule): WebAssembly.Imports {
    const known: Readonly<Record<string, Export>> = {
      proxy_get_header_map_value: (_map = 0, _at = 0, size = 0, out = 0, outSize = 0) => {
        const value = VALUES[size];
        return value === undefined ? Status.NotFound : this.#give(value, out, outSize);
      },
      proxy_get_buffer_bytes: (_type = 0, from = 0, size = 0, out = 0, outSize = 0) =>
        this.#give(BODY.subarray(from, from + size), out, outSize),
      proxy_get_property: () => Status.NotFound,
      // Go wants to be told that there are no files, and a clock that runs.
      fd_prestat_get: () => WasiErrno.BadF,
      clock_time_get: (_clock, _precision, out = 0) => {
        this.#ticks += 1;
        put(this.#bytes(), out, this.#ticks);
        return 0;
      },
    };
    const imports: Record<string, Record<string, Export | WebAssembly.Memory>> = {};
    for (const { module: room, name } of WebAssembly.Module.imports(module)) {
      (imports[room] ??= {})[name] = known[name] ?? (() => Status.Ok);
    }
    if (memoryImport !== null) {
      const { module: room, name, minimumPages: initial, maximumPages } = memoryImport;
      const memory = new WebAssembly.Memory({ initial, maximum: maximumPages ?? initial });
      imports[room] = { [name]: memory };
    }
    return imports;
  }
}

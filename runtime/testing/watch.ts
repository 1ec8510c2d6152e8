// Sees every call between guests and host in a test: notes what callbacks answered, puts the test's
// properties and foreign functions in the place of the host's, and finds what strict checks refuse.
import { findHostcall, MapType, Status, StreamType } from "proxy-wasm-types";
import type { CallObserver } from "../src/wasm/call-observer.ts";
import { answerText, argumentsText, type CallArgument } from "../src/wasm/call-text.ts";
import type { Context } from "../src/wasm/context.ts";
import type { GuestFrame } from "../src/wasm/guest-frames.ts";
import type { GuestFunction } from "../src/wasm/guest-exports.ts";
import { markFunction } from "../src/wasm/guest-mark.ts";
import type { HostFunction } from "../src/wasm/hostcalls/guard.ts";
import { booleanValue, doubleValue, integerValue } from "../src/wasm/property-value.ts";
import type { Vm } from "../src/wasm/vm.ts";
import type { StrictOptions } from "./errors.ts";

/** A callback of one context, with what it answered by the name that SDKs in C++ give it. */
export interface CallbackRecord {
  /** "proxy_on_request_headers". */
  readonly callback: string;
  /** "Continue", "StopIteration" ... */
  readonly answer: string;
}

/** Found by a strict check; `frames` are the guest's. */
export interface Finding {
  readonly check: keyof StrictOptions;
  readonly message: string;
  readonly plugin: string;
  readonly frames: readonly GuestFrame[];
}

/** A property's value: bytes as they are, text, 8 bytes of a number, 1 byte; null = not found. */
export type PropertyInput = string | number | bigint | boolean | Uint8Array | null;

/** Gets the argument's bytes; answers with bytes, nothing, or the Status that the guest gets. */
export type ForeignDouble = (argument: Buffer) => Uint8Array | string | number | void;

type AnyFunction = (...args: CallArgument[]) => number | void;

/** The doubles of one test, and what was seen. Shared by all VMs of a test. */
export class Watch {
  readonly strict: StrictOptions;
  readonly properties: Map<string, PropertyInput>;
  readonly foreign: Map<string, ForeignDouble>;
  readonly findings: Finding[];
  /** Off while thousands of streams run. */
  isRecording: boolean = true;
  readonly #records: WeakMap<Context, CallbackRecord[]>;
  readonly #replied: WeakSet<Context>;

  constructor(strict: StrictOptions) {
    this.strict = strict;
    this.properties = new Map();
    this.foreign = new Map();
    this.findings = [];
    this.#records = new WeakMap();
    this.#replied = new WeakSet();
  }

  recordsOf(context: Context): readonly CallbackRecord[] {
    return this.#records.get(context) ?? [];
  }

  record(context: Context, callback: string, answer: number): void {
    if (!this.isRecording) return;
    let records = this.#records.get(context);
    if (records === undefined) this.#records.set(context, (records = []));
    records.push({ callback, answer: answerText(callback, answer) });
  }

  /** The context's stream was answered by its guest. */
  noteReply(context: Context): void {
    this.#replied.add(context);
  }

  isReplied(context: Context): boolean {
    return this.#replied.has(context);
  }

  find(check: keyof StrictOptions, vm: Vm, message: string): void {
    if (this.strict[check] === false) return;
    const frames = vm.framesOf(new Error("where the guest is"));
    const plugin = vm.current?.plugin.name ?? "";
    this.findings.push({ check, message, plugin, frames });
  }
}

const mapNames: Readonly<Record<number, string>> = {
  [MapType.HttpRequestHeaders]: "request headers",
  [MapType.HttpRequestTrailers]: "request trailers",
  [MapType.HttpResponseHeaders]: "response headers",
  [MapType.HttpResponseTrailers]: "response trailers",
  [MapType.GrpcCallInitialMetadata]: "initial metadata of a gRPC call",
  [MapType.GrpcCallTrailingMetadata]: "trailing metadata of a gRPC call",
  [MapType.HttpCallResponseHeaders]: "headers of an HTTP call's answer",
  [MapType.HttpCallResponseTrailers]: "trailers of an HTTP call's answer",
};

/** Of answers that may have none. */
const OPTIONAL_MAPS: ReadonlySet<number> = new Set<number>([
  MapType.HttpCallResponseTrailers,
  MapType.HttpRequestTrailers,
  MapType.HttpResponseTrailers,
  MapType.GrpcCallInitialMetadata,
  MapType.GrpcCallTrailingMetadata,
]);

/** One VM's. */
export class VmWatch implements CallObserver {
  readonly #vm: Vm;
  readonly #watch: Watch;
  #callback: string = "";

  constructor(vm: Vm, watch: Watch) {
    this.#vm = vm;
    this.#watch = watch;
  }

  callback(name: string, inner: GuestFunction): GuestFunction {
    const watched: GuestFunction = (a, b, c, d, e) => {
      this.#callback = name;
      const answer = inner(a, b, c, d, e);
      const { current } = this.#vm;
      if (current !== null) this.#watch.record(current, name, Number(answer ?? 0));
      return answer;
    };
    markFunction(watched, name);
    return watched;
  }

  hostcall(name: string, implementation: HostFunction): HostFunction {
    const inner = implementation as AnyFunction;
    return (this.#wrapperOf(name, inner) as HostFunction | null) ?? implementation;
  }

  /** Null = the call is none of ours. */
  #wrapperOf(name: string, inner: AnyFunction): AnyFunction | null {
    if (name === "proxy_get_property") return (...args) => this.#property(args) ?? inner(...args);
    if (name === "proxy_call_foreign_function") {
      return (...args) => this.#foreign(args) ?? inner(...args);
    }
    if (name === "proxy_send_local_response") return (...args) => this.#reply(inner, args);
    if (name === "proxy_continue_stream" || name === "proxy_continue_request") {
      return (...args) => {
        const isRequest = name === "proxy_continue_request" || args[0] === StreamType.HttpRequest;
        if (isRequest) this.#checkContinue(name);
        return inner(...args);
      };
    }
    if (/^proxy_\w+_header_map_\w+$/.test(name)) {
      return (...args) => {
        this.#checkMap(name, args);
        return inner(...args);
      };
    }
    return null;
  }

  // ---- Strict checks.

  #checkMap(name: string, args: readonly CallArgument[]): void {
    const type = Number(args[0]) >>> 0;
    const context = this.#vm.effective;
    const map = mapNames[type];
    if (context === null || map === undefined || context.isLogging) return;
    if (context.readableMap(type) !== null) return;
    const isReading = name.startsWith("proxy_get");
    // Whether an optional one came is asked by reading it; writing makes some of them.
    if (OPTIONAL_MAPS.has(type)) return;
    const params = findHostcall(name)?.params ?? [];
    const call = `${name}(${argumentsText(this.#vm.memory, params, args)})`;
    const what = isReading ? "reads" : "changes";
    this.#watch.find(
      "wrongPhase",
      this.#vm,
      `${this.#callback} ${what} the ${map}, which are not there now: ${call}\n` +
        "Headers can be touched from their own callback until their message goes on; keep in a " +
        "field what is needed later.",
    );
  }

  #checkContinue(name: string): void {
    const context = this.#vm.effective;
    if (context === null || !this.#watch.isReplied(context)) return;
    this.#watch.find(
      "afterReply",
      this.#vm,
      `${this.#callback} calls ${name} after a local reply: the request was answered, and there is ` +
        "nothing to continue.",
    );
  }

  #reply(inner: AnyFunction, args: CallArgument[]): number | void {
    const context = this.#vm.effective;
    const wasReplied = context !== null && this.#watch.isReplied(context);
    const status = inner(...args);
    if (status !== Status.Ok || context === null) return status;
    this.#watch.noteReply(context);
    if (wasReplied) {
      this.#watch.find(
        "afterReply",
        this.#vm,
        `${this.#callback} answers a request that was answered already: the second reply is lost.`,
      );
    }
    return status;
  }

  // ---- Doubles. Null = the test has none: the host answers.

  #property(args: readonly CallArgument[]): number | null {
    const { properties } = this.#watch;
    if (properties.size === 0) return null;
    const { memory } = this.#vm;
    const [at, size, outPointer, outSize] = args.map((one) => Number(one) >>> 0) as Four;
    if (!memory.contains(at, size)) return null;
    const path = memory.readUtf8(at, size).replace(/\0$/, "").replaceAll("\0", ".");
    const value = properties.get(path);
    if (value === undefined) return null;
    if (value === null) return Status.NotFound;
    const done = memory.returnBytes(valueBytes(value), outPointer, outSize);
    return done ? Status.Ok : Status.InvalidMemoryAccess;
  }

  #foreign(args: readonly CallArgument[]): number | null {
    const { foreign } = this.#watch;
    if (foreign.size === 0) return null;
    const { memory } = this.#vm;
    const [nameAt, nameSize, argAt, argSize, outPointer, outSize] = args.map(
      (one) => Number(one) >>> 0,
    ) as Six;
    if (!memory.contains(nameAt, nameSize) || !memory.contains(argAt, argSize)) return null;
    const called = foreign.get(memory.readUtf8(nameAt, nameSize));
    if (called === undefined) return null;
    const result = called(memory.readBytes(argAt, argSize));
    if (typeof result === "number") return result;
    const bytes = Buffer.from((result ?? "") as Uint8Array);
    if (outPointer === 0) return Status.Ok;
    const done = memory.returnBytes(bytes, outPointer, outSize);
    return done ? Status.Ok : Status.InvalidMemoryAccess;
  }
}

type Four = [number, number, number, number];
type Six = [number, number, number, number, number, number];

function valueBytes(value: Exclude<PropertyInput, null>): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (typeof value === "string") return Buffer.from(value);
  if (typeof value === "boolean") return Buffer.from(booleanValue(value), "latin1");
  if (typeof value === "bigint") {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt.asIntN(64, value));
    return bytes;
  }
  const text = Number.isInteger(value) ? integerValue(value) : doubleValue(value);
  return Buffer.from(text, "latin1");
}

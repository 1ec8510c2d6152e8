// Plays a guest of guest.ts on the host: a stream, ticks, callouts; then reads what it kept.
import {
  createFilterHost,
  type FilterExchange,
  type FilterHost,
  type FilterHostOptions,
  type FilterRequest,
} from "@headgate/runtime/testing";
import { type Param, Status } from "proxy-wasm-types";
import {
  type Call,
  CALL_BYTES,
  CALLS,
  type Guest,
  type GuestOptions,
  makeGuest,
  OUT_BYTES,
  rowOf,
  TRACE,
  TRACE_BYTES,
  TRACE_COUNT,
  UNTOUCHED,
} from "./guest.ts";

export type HostOptions = Partial<Omit<FilterHostOptions, "module">>;

const statusNames: ReadonlyMap<number, string> = new Map(
  Object.entries(Status).map(([name, value]) => [value, name]),
);

/** A call that was never made. */
export const NOT_MADE = "(not made)";

export class Played {
  readonly host: FilterHost;
  readonly guest: Guest;
  exchange: FilterExchange | null;

  constructor(host: FilterHost, guest: Guest) {
    this.host = host;
    this.guest = guest;
    this.exchange = null;
  }

  request(request: FilterRequest = {}): FilterExchange {
    this.exchange = this.host.request(request);
    return this.exchange;
  }

  /** What each call answered: a status and, when it is Ok, what it told. */
  get answers(): readonly string[] {
    return this.guest.calls.map((one, i) => this.#answer(one, i));
  }

  /** Callbacks as they came, with their arguments: "proxy_on_tick(1)". */
  get trace(): readonly string[] {
    const count = this.#u32(TRACE_COUNT);
    return Array.from({ length: count }, (_, i) => {
      const at = TRACE + i * TRACE_BYTES;
      const name = this.guest.names[this.#u32(at)] as string;
      return `${name}(${this.#arguments(name, at).join()})`;
    });
  }

  #arguments(name: string, at: number): number[] {
    const count = this.guest.parameters(name);
    return Array.from({ length: count }, (_, i) => this.#u32(at + 4 + 4 * i));
  }

  #answer(one: Call, index: number): string {
    const at = CALLS + index * CALL_BYTES;
    const status = this.#u32(at);
    if (status === 0xeeeeeeee) return NOT_MADE;
    const name = statusNames.get(status) ?? `status ${status}`;
    if (one.isRaw) return name;
    const told = this.#told(rowOf(one.name).params, at + 4);
    if (status === Status.Ok) return told.length === 0 ? name : `${name} ${told.join(" ")}`;
    const out = this.#bytes(at + 4, OUT_BYTES);
    return out.every((byte) => byte === UNTOUCHED) ? name : `${name}, wrote ${told.join(" ")}`;
  }

  /** The out parameters of a call whose places begin at `at`. */
  #told(params: readonly Param[], at: number): string[] {
    const told: string[] = [];
    let place = at;
    for (const { meaning } of params) {
      if (meaning === "out-pointer") {
        const [pointer, size] = [this.#u32(place), this.#u32(place + 4)];
        if (pointer === 0xeeeeeeee) told.push("(untouched)");
        else told.push(`[${printable(this.#bytes(pointer, size))}]`);
      } else if (meaning === "out-u64") {
        told.push(String(this.#bytes(place, 8).readBigUInt64LE(0)));
      } else if (meaning === "out-u32") told.push(String(this.#u32(place)));
      if (meaning.startsWith("out-")) place += meaning === "out-u64" ? 8 : 4;
    }
    return told;
  }

  #u32(at: number): number {
    return this.#bytes(at, 4).readUInt32LE(0);
  }

  #bytes(at: number, size: number): Buffer {
    const memory = this.host.plugin.root?.vm.memory;
    if (memory === undefined) throw new Error("the plugin has no root context");
    return memory.readBytes(at, size);
  }
}

export async function start(guest: GuestOptions, host: HostOptions = {}): Promise<Played> {
  const made = makeGuest(guest);
  return new Played(await createFilterHost({ ...host, module: made.bytes }), made);
}

/** Text as it is, other bytes as %xx. */
function printable(bytes: Buffer): string {
  return bytes
    .toString("latin1")
    .replace(/[^ -~]/g, (character) => `%${character.charCodeAt(0).toString(16).padStart(2, "0")}`);
}

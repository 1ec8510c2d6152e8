// Hostcalls of the chapter "HTTP fields": header and trailer maps.
//
// Each map is the HeaderMap that the filter chain works on: only what a guest asks for is copied.
import { decodePairsInto, MapType, PairsResult, Status } from "proxy-wasm-types";
import type { HeaderMap, HeaderVisitor } from "../../core/header-map.ts";
import { HeaderId, headerIdOf } from "../../core/header-names.ts";
import type { GuestKey, GuestMemory } from "../memory.ts";
import { hasLineBreak } from "../memory.ts";
import { pairsValue } from "../property-value.ts";
import type { Vm } from "../vm.ts";
import type { HostcallTable } from "./index.ts";

/** Makes the flat list of a map; kept by the VM so that a call allocates nothing but text. */
export class PairCollector implements HeaderVisitor {
  readonly pairs: string[];

  constructor() {
    this.pairs = [];
  }

  onHeader(name: string, value: string): void {
    this.pairs.push(name, value);
  }
}

export function httpFieldHostcalls(vm: Vm): HostcallTable {
  return { ...readingHostcalls(vm), ...wholeMapHostcalls(vm), ...changingHostcalls(vm) };
}

const COLON = 0x3a;

/** Known headers that stay entries of their own; Envoy joins the others that it knows. */
const repeatedIds: ReadonlySet<number> = new Set([
  HeaderId.Other,
  HeaderId.AcceptLanguage,
  HeaderId.AcceptRanges,
  HeaderId.Age,
  HeaderId.Cookie,
  HeaderId.Expires,
  HeaderId.LastModified,
  HeaderId.Range,
  HeaderId.SetCookie,
  HeaderId.Traceparent,
  HeaderId.Tracestate,
  HeaderId.Trailer,
]);

/** As Envoy's addCopy: a new entry, or joined by a comma to the one there is. */
function addEntry(map: HeaderMap, id: number, name: string, value: string): void {
  const isSingle = name.charCodeAt(0) === COLON || !repeatedIds.has(id);
  const before = isSingle ? map.get(name) : undefined;
  if (before === undefined) map.append(name, value);
  else map.set(name, `${before},${value}`);
}

/** A look-up of the id less than HeaderMap.replace needs, for what it is known to be no use. */
function replaceEntry(map: HeaderMap, key: GuestKey, value: string): void {
  const { id, name } = key;
  const isPseudo = name.charCodeAt(0) === COLON || id === HeaderId.Host;
  if (isPseudo) map.replace(name, value);
  else map.replaceById(id, name, value, key.lineWith(value));
}

/** Maps are lists: who makes one long pays for each look at it, some 8 ns for an entry. */
function chargeScan(vm: Vm, map: HeaderMap): void {
  const { entryCount } = map;
  if (entryCount > SHORT_MAP_ENTRIES) vm.charge(entryCount << 3);
}

const SHORT_MAP_ENTRIES = 64;

function lookUp(map: HeaderMap, key: GuestKey): string | undefined {
  return key.id !== 0 ? map.getById(key.id) : map.getOther(key.name);
}

function readingHostcalls(vm: Vm): HostcallTable {
  const memory = vm.memory;
  const isOldAbi = vm.abiVersion === "0.1.0";
  return {
    /**
     * proxy_get_header_map_value: copies the first value of a key into the guest.
     *
     *             key_size            value_size
     *            +--------+          +----------+
     *   { ... ,  h o s t , ... ,  e x a m p l e . c o m , ... }
     *   key_ptr --^               ^-- allocated in the guest; its address and size are returned
     *
     * Errors: BadArgument (no such map now), NotFound (no such header, in on_log also no such map;
     * 0.1.0: Ok and empty), InvalidMemoryAccess.
     */
    proxy_get_header_map_value(
      type: number,
      keyPointer: number,
      keySize: number,
      outPointer: number,
      outSize: number,
    ): Status {
      if (type >>> 0 > MapType.HttpCallResponseTrailers) return Status.BadArgument;
      const at = keyPointer >>> 0;
      const size = keySize >>> 0;
      if (!memory.contains(at, size)) return Status.InvalidMemoryAccess;
      const context = vm.effective;
      if (context === null) return Status.BadArgument;
      const map = context.readableMap(type);
      if (map === null && !context.isLogging) return Status.BadArgument;
      if (map !== null) chargeScan(vm, map);
      let value = map === null ? undefined : lookUp(map, memory.readKey(at, size));
      if (value === undefined) {
        if (!isOldAbi) return Status.NotFound;
        value = "";
      }
      const done = memory.returnText(value, outPointer >>> 0, outSize >>> 0);
      return done ? Status.Ok : Status.InvalidMemoryAccess;
    },

    /**
     * Tells the bytes of all keys and values of a map, as Envoy does (not the serialised size).
     * Errors: BadArgument (no such map, or none that may be changed), InvalidMemoryAccess.
     */
    proxy_get_header_map_size(type: number, outSize: number): Status {
      if (type >>> 0 > MapType.HttpCallResponseTrailers) return Status.BadArgument;
      const map = vm.effective?.writableMap(type) ?? null;
      if (map === null) return Status.BadArgument;
      chargeScan(vm, map);
      const done = memory.writeU32(outSize >>> 0, map.byteSize);
      return done ? Status.Ok : Status.InvalidMemoryAccess;
    },
  };
}

/** What the host does for a map of some ten headers, in nanoseconds. */
const WHOLE_MAP_FUEL = 1000;

function wholeMapHostcalls(vm: Vm): HostcallTable {
  const memory = vm.memory;
  const collector = new PairCollector();
  const { pairs } = collector;
  return {
    /**
     * Copies a whole map, serialised; 0 bytes when it is empty or not there now.
     * Errors: BadArgument (no such type), InvalidMemoryAccess.
     */
    proxy_get_header_map_pairs(type: number, outPointer: number, outSize: number): Status {
      if (type >>> 0 > MapType.HttpCallResponseTrailers) return Status.BadArgument;
      pairs.length = 0;
      vm.charge(WHOLE_MAP_FUEL);
      const map = vm.effective?.readableMap(type) ?? null;
      if (map !== null) {
        chargeScan(vm, map);
        map.visit(collector);
      }
      const done = returnPairs(memory, pairs, outPointer >>> 0, outSize >>> 0);
      pairs.length = 0;
      return done ? Status.Ok : Status.InvalidMemoryAccess;
    },

    /**
     * Replaces all entries of a map. Unlike Envoy, which takes a malformed list as an empty one and
     * writes line breaks out, such a list changes nothing.
     * Errors: BadArgument (no such map now, malformed list, line breaks), InvalidMemoryAccess.
     */
    proxy_set_header_map_pairs(type: number, pointer: number, size: number): Status {
      if (type >>> 0 > MapType.HttpCallResponseTrailers) return Status.BadArgument;
      const at = pointer >>> 0;
      const bytes = size >>> 0;
      if (!memory.contains(at, bytes)) return Status.InvalidMemoryAccess;
      const context = vm.effective;
      const map = context?.writableMap(type) ?? null;
      if (context === null || map === null) return Status.BadArgument;
      pairs.length = 0;
      vm.charge(WHOLE_MAP_FUEL);
      const isGood = readPairs(memory, at, bytes, pairs);
      if (isGood) {
        map.clear();
        for (let i = 0; i < pairs.length; i += 2) {
          const name = pairs[i] as string;
          const value = pairs[i + 1] as string;
          // Replacing puts a pseudo header at the end: they stand in the guest's order then.
          if (name.charCodeAt(0) === COLON && !map.has(name)) map.replace(name, value);
          else addEntry(map, headerIdOf(name), name, value);
        }
        context.onMapChanged(type);
      }
      pairs.length = 0;
      return isGood ? Status.Ok : Status.BadArgument;
    },
  };
}

function changingHostcalls(vm: Vm): HostcallTable {
  const memory = vm.memory;

  /** Add and replace differ in one call; their checks and their order are the same. */
  function change(
    type: number,
    keyAt: number,
    keySize: number,
    valueAt: number,
    valueSize: number,
    isReplace: boolean,
  ): Status {
    if (type >>> 0 > MapType.HttpCallResponseTrailers) return Status.BadArgument;
    if (!memory.contains(keyAt, keySize)) return Status.InvalidMemoryAccess;
    if (!memory.contains(valueAt, valueSize)) return Status.InvalidMemoryAccess;
    const context = vm.effective;
    const map = context?.writableMap(type) ?? null;
    if (context === null || map === null) return Status.BadArgument;
    const key = memory.readKey(keyAt, keySize);
    const value = memory.readValue(valueAt, valueSize);
    if (!key.isValid || value === null) return Status.BadArgument;
    chargeScan(vm, map);
    const bytes = keySize + valueSize;
    if (!vm.limits.allowsEntry(map, bytes, context.plugin)) return Status.BadArgument;
    if (isReplace) replaceEntry(map, key, value);
    else addEntry(map, key.id, key.name, value);
    context.onMapChanged(type);
    return Status.Ok;
  }

  return {
    /**
     * Appends an entry, whether the key is there or not.
     * Errors: BadArgument (no such map now; CR, LF, NUL in the text), InvalidMemoryAccess.
     */
    proxy_add_header_map_value: (type: number, k: number, kn: number, v: number, vn: number) =>
      change(type, k >>> 0, kn >>> 0, v >>> 0, vn >>> 0, false),

    /**
     * Makes this the only entry of its key, at the end of the map.
     * Errors: BadArgument (no such map now; CR, LF, NUL in the text), InvalidMemoryAccess.
     */
    proxy_replace_header_map_value: (type: number, k: number, kn: number, v: number, vn: number) =>
      change(type, k >>> 0, kn >>> 0, v >>> 0, vn >>> 0, true),

    /**
     * Removes all entries of a key; an absent one is no error.
     * Errors: BadArgument (no such map now), InvalidMemoryAccess.
     */
    proxy_remove_header_map_value(type: number, keyPointer: number, keySize: number): Status {
      if (type >>> 0 > MapType.HttpCallResponseTrailers) return Status.BadArgument;
      const at = keyPointer >>> 0;
      const size = keySize >>> 0;
      if (!memory.contains(at, size)) return Status.InvalidMemoryAccess;
      const context = vm.effective;
      const map = context?.writableMap(type) ?? null;
      if (context === null || map === null) return Status.BadArgument;
      chargeScan(vm, map);
      map.remove(memory.readKey(at, size).name);
      context.onMapChanged(type);
      return Status.Ok;
    },
  };
}

/** A list for the guest; no bytes at all for an empty one. False = a pointer is bad. */
function returnPairs(
  memory: GuestMemory,
  pairs: readonly string[],
  outPointer: number,
  outSize: number,
): boolean {
  return memory.returnText(pairs.length === 0 ? "" : pairsValue(pairs), outPointer, outSize);
}

/**
 * Appends a guest's list to `out`, keys in lower case. False when it is malformed, too large, or
 * has a line break or an empty key in it. The range must be inside.
 */
export function readPairs(
  memory: GuestMemory,
  pointer: number,
  size: number,
  out: string[],
): boolean {
  const read = (_bytes: Uint8Array, start: number, end: number): string =>
    memory.readText(start, end - start);
  const result = decodePairsInto(memory.bytes, pointer, size, out, read);
  if (result !== PairsResult.Ok) return false;
  for (let i = 0; i < out.length; i += 2) {
    const key = out[i] as string;
    if (key === "" || hasLineBreak(key) || hasLineBreak(out[i + 1] as string)) return false;
    out[i] = key.toLowerCase();
  }
  return true;
}

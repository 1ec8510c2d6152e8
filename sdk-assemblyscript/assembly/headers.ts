// Header and trailer maps of the stream whose callback runs; the hooks of a filter get them.
import {
  MapType,
  proxy_add_header_map_value,
  proxy_get_header_map_pairs,
  proxy_get_header_map_size,
  proxy_get_header_map_value,
  proxy_remove_header_map_value,
  proxy_replace_header_map_value,
  proxy_set_header_map_pairs,
} from "./abi";
import { log } from "./log";
import { encodedNameLength, encodeName, encodeValue, HeaderName, isValueSafe } from "./names";
import { encodedPairsLength, encodePairs, HeaderPair, PairsReader } from "./pairs";
import { isOk, OUT, OUT_SIZE, resultBytes, resultLength, resultStart, resultText } from "./results";
import { decimal, wholeNumber } from "./text";
import { encodedLength, isTextEqual } from "./utf8";

/**
 * One map of the host. Nothing is kept in the guest: each method asks the host, and what it returns
 * is a copy. Names are compared without regard to case. Text is UTF-8, broken parts are read as
 * U+FFFD; use the methods with `Bytes` where a value must survive byte for byte.
 */
export class HeaderMap {
  constructor(private readonly type: MapType) {}

  /** The first value; null when there is none, "" when it is there and empty. */
  get(name: string): string | null {
    return this.find(name) ? resultText() : null;
  }

  /** The first value as it came; null when there is none. */
  getBytes(name: string): Uint8Array | null {
    return this.find(name) ? resultBytes() : null;
  }

  /** All values in their order; empty when there is none. */
  getAll(name: string): string[] {
    const values: string[] = [];
    const wanted = encodeName(name);
    const length = encodedNameLength();
    if (wanted == 0) return values;
    const reader = this.read();
    while (reader.next()) {
      if (reader.nameLength != length) continue;
      if (memory.compare(reader.nameStart, wanted, length) == 0) values.push(reader.value());
    }
    return values;
  }

  /** Whether there is such a header, empty or not. Names match whatever their case. */
  has(name: string): bool {
    return this.find(name);
  }

  /** Whether the first value is exactly `expected`, told without making a string. */
  equals(name: string, expected: string): bool {
    return this.find(name) && isTextEqual(resultStart(), resultLength(), expected);
  }

  /**
   * Replaces all values of `name` by one. False, with a warning in the log, when the name is not a
   * header name or the value holds CR, LF or NUL.
   */
  set(name: string, value: string): bool {
    const key = encodeName(name);
    const start = encodeValue(value);
    if (key == 0 || start == 0) return refuse();
    return this.replace(key, start, encodedLength());
  }

  /** As `set`, with bytes that need not be UTF-8. */
  setBytes(name: string, value: Uint8Array): bool {
    const key = encodeName(name);
    if (key == 0 || !isValueSafe(value.dataStart, value.length)) return refuse();
    return this.replace(key, value.dataStart, value.length);
  }

  /** Puts one more value behind those that are there. False as `set`. */
  add(name: string, value: string): bool {
    const key = encodeName(name);
    const start = encodeValue(value);
    if (key == 0 || start == 0) return refuse();
    return this.append(key, start, encodedLength());
  }

  /** As `add`, with bytes that need not be UTF-8. */
  addBytes(name: string, value: Uint8Array): bool {
    const key = encodeName(name);
    if (key == 0 || !isValueSafe(value.dataStart, value.length)) return refuse();
    return this.append(key, value.dataStart, value.length);
  }

  /** As `setBytes`, for who does it for each stream: the name is encoded, the value where it is. */
  setAt(name: HeaderName, start: usize, length: u32): bool {
    if (name.start == 0 || !isValueSafe(start, length)) return refuse();
    return isOk(proxy_replace_header_map_value(this.type, name.start, name.length, start, length));
  }

  /** As `addBytes`, in the same way. */
  addAt(name: HeaderName, start: usize, length: u32): bool {
    if (name.start == 0 || !isValueSafe(start, length)) return refuse();
    return isOk(proxy_add_header_map_value(this.type, name.start, name.length, start, length));
  }

  /** Removes all values; true also when there was none. */
  remove(name: string): bool {
    const key = encodeName(name);
    if (key == 0) return refuse();
    return isOk(proxy_remove_header_map_value(this.type, key, encodedNameLength()));
  }

  /** Number of entries, a name with two values counted twice. Reads the whole map. */
  get length(): i32 {
    return this.read().count;
  }

  /** Bytes of all names and values; 0 when the host does not tell, as Envoy for answers of calls. */
  get byteSize(): u32 {
    return isOk(proxy_get_header_map_size(this.type, OUT)) ? load<u32>(OUT) : 0;
  }

  /** The entry at `index`, null behind the end. Reads the whole map: for a loop take `pairs`. */
  at(index: i32): HeaderPair | null {
    const reader = this.read();
    let i = 0;
    while (reader.next()) {
      if (i == index) return new HeaderPair(reader.name(), reader.value());
      i++;
    }
    return null;
  }

  /** A copy of all entries in their order, pseudo headers first. */
  pairs(): HeaderPair[] {
    const all: HeaderPair[] = [];
    const reader = this.read();
    while (reader.next()) all.push(new HeaderPair(reader.name(), reader.value()));
    return all;
  }

  /** All names in their order, each once. */
  keys(): string[] {
    const names: string[] = [];
    const reader = this.read();
    while (reader.next()) {
      const name = reader.name();
      if (!names.includes(name)) names.push(name);
    }
    return names;
  }

  /** Replaces the whole map by a flat list, [name, value, ...]; unusable entries are left out. */
  setAll(flat: string[]): bool {
    const start = encodePairs(flat);
    return start != 0 && isOk(proxy_set_header_map_pairs(this.type, start, encodedPairsLength()));
  }

  private find(name: string): bool {
    const key = encodeName(name);
    if (key == 0) return false;
    const length = encodedNameLength();
    return isOk(proxy_get_header_map_value(this.type, key, length, OUT, OUT_SIZE));
  }

  private read(): PairsReader {
    if (!isOk(proxy_get_header_map_pairs(this.type, OUT, OUT_SIZE))) return new PairsReader(0, 0);
    return new PairsReader(resultStart(), resultLength());
  }

  private replace(key: usize, start: usize, length: u32): bool {
    const keyLength = encodedNameLength();
    return isOk(proxy_replace_header_map_value(this.type, key, keyLength, start, length));
  }

  private append(key: usize, start: usize, length: u32): bool {
    const keyLength = encodedNameLength();
    return isOk(proxy_add_header_map_value(this.type, key, keyLength, start, length));
  }
}

function refuse(): bool {
  log.warn("header not changed: bad name or line break");
  return false;
}

/** The request's headers, with the pseudo headers by name. An absent one reads as "". */
export class RequestHeaders extends HeaderMap {
  constructor() {
    super(MapType.HttpRequestHeaders);
  }

  /** Path with query, as received: `/a?b=c`. */
  get path(): string {
    return orEmpty(this.get(":path"));
  }

  /** The route is chosen by the new one, as with every change of request headers. */
  set path(value: string) {
    this.set(":path", value);
  }

  /** `GET`, for instance; "" when it is absent. */
  get method(): string {
    return orEmpty(this.get(":method"));
  }

  /** Changes it for the filters behind and the upstream. */
  set method(value: string) {
    this.set(":method", value);
  }

  /** Host with port where it was given. */
  get authority(): string {
    return orEmpty(this.get(":authority"));
  }

  /** As `path`: the route is chosen by it. */
  set authority(value: string) {
    this.set(":authority", value);
  }

  /** `http` or `https`, as the proxy knows it; "" when it is absent. */
  get scheme(): string {
    return orEmpty(this.get(":scheme"));
  }

  /** Changes it for the filters behind and the upstream. */
  set scheme(value: string) {
    this.set(":scheme", value);
  }
}

/** The response's headers. */
export class ResponseHeaders extends HeaderMap {
  constructor(type: MapType = MapType.HttpResponseHeaders) {
    super(type);
  }

  /** Status code; 0 when it is absent or not a number. */
  get status(): u32 {
    const text = this.get(":status");
    if (text === null) return 0;
    const code = wholeNumber(text);
    return code < 0 ? 0 : code;
  }

  /** Changes it for the filters before and the downstream. */
  set status(code: u32) {
    this.set(":status", decimal(code));
  }
}

function orEmpty(text: string | null): string {
  return text === null ? "" : text;
}

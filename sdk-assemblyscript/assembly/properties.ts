// Attributes of the host: of the connection, the route, the node, the plugin.
import { proxy_get_property, proxy_set_property } from "./abi";
import { HeaderPair, PairsReader } from "./pairs";
import { isOk, OUT, OUT_SIZE, resultBytes, resultLength, resultStart, resultText } from "./results";
import { encodedLength, encodeUtf8 } from "./utf8";

/**
 * A path to one attribute. Make it once, at top level: nothing is asked before a method is called.
 */
export class Property {
  private readonly path: string;

  /** The segments of the path: `["source", "address"]`. */
  constructor(segments: string[]) {
    this.path = segments.join("\0");
  }

  /** The value as text; null when there is none. */
  text(): string | null {
    return this.find() ? resultText() : null;
  }

  /** The value's bytes as the host encodes it; null when there is none. */
  bytes(): Uint8Array | null {
    return this.find() ? resultBytes() : null;
  }

  /** A number, also of a timestamp or a duration in nanoseconds; `fallback` when it is absent. */
  i64(fallback: i64 = 0): i64 {
    return this.find() && resultLength() == 8 ? load<i64>(resultStart()) : fallback;
  }

  /** The same without a sign: sizes, ports, ids. */
  u64(fallback: u64 = 0): u64 {
    return this.find() && resultLength() == 8 ? load<u64>(resultStart()) : fallback;
  }

  /** A number with a fraction; `fallback` when it is absent. */
  f64(fallback: f64 = 0): f64 {
    return this.find() && resultLength() == 8 ? load<f64>(resultStart()) : fallback;
  }

  /** True or false; `fallback` when it is absent. */
  bool(fallback: bool = false): bool {
    return this.find() && resultLength() == 1 ? load<u8>(resultStart()) != 0 : fallback;
  }

  /** The entries of a map, `["request", "headers"]` for instance; empty when there is none. */
  pairs(): HeaderPair[] {
    const all: HeaderPair[] = [];
    if (!this.find()) return all;
    const reader = new PairsReader(resultStart(), resultLength());
    while (reader.next()) all.push(new HeaderPair(reader.name(), reader.value()));
    return all;
  }

  /** The elements of a list, as text; empty when there is none. */
  list(): string[] {
    const all: string[] = [];
    if (!this.find()) return all;
    const reader = new PairsReader(resultStart(), resultLength());
    while (reader.next()) all.push(reader.name());
    return all;
  }

  /** Keeps a value with the stream. Hosts read it back reliably only for a path of one segment. */
  set(value: Uint8Array): bool {
    return this.write(value.dataStart, value.length);
  }

  /** As `set`, with text as UTF-8. */
  setText(value: string): bool {
    const start = encodeUtf8(value);
    return start != 0 && this.write(start, encodedLength());
  }

  private find(): bool {
    const start = encodeUtf8(this.path);
    return isOk(proxy_get_property(start, encodedLength(), OUT, OUT_SIZE));
  }

  private write(value: usize, length: u32): bool {
    const start = encodeUtf8(this.path);
    return isOk(proxy_set_property(start, encodedLength(), value, length));
  }
}

/** `property("source", "address").text()`. */
export function property(...segments: string[]): Property {
  return new Property(segments);
}

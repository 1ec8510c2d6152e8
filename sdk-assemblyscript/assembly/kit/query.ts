// The part of a URL behind the question mark, and bodies of forms (application/x-www-form-urlencoded,
// as the URL standard has it).
import { scratch } from "../memory";
import { decodeUtf8, encodedLength, encodeUtf8 } from "../utf8";
import { Buffer } from "./buffer";
import { decodeInPlace, storePercent } from "./percent";

/** Names with their values, in order, each as often as it comes; as JavaScript's URLSearchParams. */
@final
export class Query {
  private names: string[] = [];
  private values: string[] = [];

  /** Reads `a=1&b=2`, without the question mark. There is no text that it refuses. */
  static parse(text: string): Query {
    const query = new Query();
    const start = encodeUtf8(text);
    const stop = start + encodedLength();
    let from = start;
    while (from < stop) {
      let end = from;
      let equals: usize = 0;
      while (end < stop && load<u8>(end) != 0x26) {
        if (equals == 0 && load<u8>(end) == 0x3d) equals = end;
        end++;
      }
      if (equals == 0) equals = end;
      if (end > from) {
        const value = equals < end ? equals + 1 : end;
        query.append(decodeForm(from, equals), decodeForm(value, end));
      }
      from = end + 1;
    }
    return query;
  }

  get length(): i32 {
    return this.names.length;
  }

  /** The name at a place; null outside. */
  nameAt(index: i32): string | null {
    return index < 0 || index >= this.names.length ? null : this.names[index];
  }

  valueAt(index: i32): string | null {
    return index < 0 || index >= this.values.length ? null : this.values[index];
  }

  /** The first value of a name; null when there is none. Looks at each until found. */
  get(name: string): string | null {
    return this.valueAt(this.names.indexOf(name));
  }

  getAll(name: string): string[] {
    const all: string[] = [];
    for (let i = 0; i < this.names.length; i++) {
      if (this.names[i] == name) all.push(this.values[i]);
    }
    return all;
  }

  has(name: string): bool {
    return this.names.includes(name);
  }

  append(name: string, value: string): void {
    this.names.push(name);
    this.values.push(value);
  }

  /** Gives the first of this name the value and drops the others; appends when there is none. */
  set(name: string, value: string): void {
    const index = this.names.indexOf(name);
    if (index < 0) return this.append(name, value);
    this.values[index] = value;
    this.removeFrom(index + 1, name);
  }

  remove(name: string): void {
    this.removeFrom(0, name);
  }

  /** As a URL has it; a blank is `+`. */
  toString(): string {
    const out = new Buffer();
    for (let i = 0; i < this.names.length; i++) {
      if (i > 0) out.byte(0x26);
      encodeForm(out, this.names[i]);
      out.byte(0x3d);
      encodeForm(out, this.values[i]);
    }
    return out.toString();
  }

  private removeFrom(start: i32, name: string): void {
    let kept = start;
    for (let i = start; i < this.names.length; i++) {
      if (this.names[i] == name) continue;
      this.names[kept] = this.names[i];
      this.values[kept] = this.values[i];
      kept++;
    }
    this.names.length = kept;
    this.values.length = kept;
  }
}

function decodeForm(start: usize, end: usize): string {
  return decodeUtf8(start, decodeInPlace(start, <u32>(end - start), true));
}

function encodeForm(out: Buffer, text: string): void {
  const start = encodeUtf8(text);
  const length = encodedLength();
  const encoded = scratch(length * 3);
  // Only for text past 340 MiB.
  if (encoded == 0) return;
  out.copy(encoded, <u32>(storePercent(encoded, start, length, "*", true) - encoded));
}

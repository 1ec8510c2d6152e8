// Writes JSON (RFC 8259), with commas and colons of its own accord.
import { signedDecimal } from "../text";
import { Buffer } from "./buffer";
import { JsonValue } from "./json";

/** Deeper containers than this are not opened. */
const DEPTH_MAX: i32 = 64;

/**
 * Builds one JSON value. What does not fit where it is asked for (a value without a name in an
 * object, an end of what is not open) is left out, and `isWhole` then is false.
 */
@final
export class JsonWriter {
  private readonly out: Buffer = new Buffer();
  /** For each open container: 0x7d or 0x5d, what ends it. */
  private readonly ends: StaticArray<u8> = new StaticArray<u8>(DEPTH_MAX);
  private depth: i32 = 0;
  private isFirst: bool = true;
  private hasName: bool = false;
  private isWrong: bool = false;

  beginObject(): void {
    this.begin(0x7b, 0x7d);
  }

  endObject(): void {
    this.end(0x7d);
  }

  beginArray(): void {
    this.begin(0x5b, 0x5d);
  }

  endArray(): void {
    this.end(0x5d);
  }

  /** The name of the member whose value comes next. */
  name(name: string): void {
    if (this.depth == 0 || this.ends[this.depth - 1] != 0x7d || this.hasName) {
      this.isWrong = true;
      return;
    }
    if (!this.isFirst) this.out.byte(0x2c);
    this.quote(name);
    this.out.byte(0x3a);
    this.hasName = true;
  }

  text(value: string): void {
    if (this.takePlace()) this.quote(value);
  }

  whole(value: i64): void {
    if (this.takePlace()) this.out.text(signedDecimal(value));
  }

  /** As JavaScript writes it; infinity and what is not a number as null. */
  number(value: f64): void {
    if (!this.takePlace()) return;
    this.out.text(value - value == 0 ? numberText(value) : "null");
  }

  bool(value: bool): void {
    if (this.takePlace()) this.out.text(value ? "true" : "false");
  }

  null(): void {
    if (this.takePlace()) this.out.text("null");
  }

  /** A value that was read, with all that is in it. Numbers stand as they came, digit by digit. */
  value(value: JsonValue): void {
    const isObject = value.isObject;
    if (!isObject && !value.isArray) return this.scalar(value);
    if (isObject) this.beginObject();
    else this.beginArray();
    const count = value.length;
    for (let i = 0; i < count; i++) {
      const name = value.nameAt(i);
      if (name !== null) this.name(name);
      const element = value.at(i);
      // The one place where it calls itself: two are more than asc's optimiser comes to an end with.
      if (element !== null) this.value(element);
    }
    if (isObject) this.endObject();
    else this.endArray();
  }

  /** True when one value was begun and ended, and nothing was left out. */
  get isWhole(): bool {
    return !this.isWrong && this.depth == 0 && !this.isFirst;
  }

  /** The JSON as UTF-8. */
  bytes(): Uint8Array {
    return this.out.bytes();
  }

  /** The JSON as text. */
  toString(): string {
    return this.out.toString();
  }

  private scalar(value: JsonValue): void {
    const number = value.numberText();
    const text = value.text();
    if (text !== null) this.text(text);
    else if (value.isBool) this.bool(value.bool());
    else if (number === null) this.null();
    else if (this.takePlace()) this.out.text(number);
  }

  private begin(opening: u8, ending: u8): void {
    if (this.depth == DEPTH_MAX) this.isWrong = true;
    if (this.isWrong || !this.takePlace()) return;
    this.out.byte(opening);
    this.ends[this.depth++] = ending;
    this.isFirst = true;
  }

  private end(ending: u8): void {
    if (this.depth == 0 || this.ends[this.depth - 1] != ending || this.hasName) {
      this.isWrong = true;
      return;
    }
    this.depth--;
    this.isFirst = false;
    this.out.byte(ending);
  }

  /** Writes the comma before a value; false when there is no place for one. */
  private takePlace(): bool {
    const isMember = this.depth > 0 && this.ends[this.depth - 1] == 0x7d;
    if (isMember != this.hasName || (this.depth == 0 && !this.isFirst)) {
      this.isWrong = true;
      return false;
    }
    if (!isMember && !this.isFirst) this.out.byte(0x2c);
    this.isFirst = false;
    this.hasName = false;
    return true;
  }

  private quote(text: string): void {
    const out = this.out;
    out.byte(0x22);
    let from = 0;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      if (unit >= 0x20 && unit != 0x22 && unit != 0x5c && (unit & 0xf800) != 0xd800) continue;
      // A pair of surrogates is one character; one alone is written as its number.
      if (isPair(text, i)) {
        i++;
        continue;
      }
      out.text(text.substring(from, i));
      this.escape(unit);
      from = i + 1;
    }
    out.text(from == 0 ? text : text.substring(from));
    out.byte(0x22);
  }

  private escape(unit: i32): void {
    const out = this.out;
    out.byte(0x5c);
    if (unit == 0x22 || unit == 0x5c) return out.byte(<u8>unit);
    if (unit == 8) return out.byte(0x62);
    if (unit == 9) return out.byte(0x74);
    if (unit == 10) return out.byte(0x6e);
    if (unit == 12) return out.byte(0x66);
    if (unit == 13) return out.byte(0x72);
    out.byte(0x75);
    for (let shift = 12; shift >= 0; shift -= 4) out.hexDigit((unit >> shift) & 15);
  }
}

function isPair(text: string, index: i32): bool {
  if ((text.charCodeAt(index) & 0xfc00) != 0xd800 || index + 1 >= text.length) return false;
  return (text.charCodeAt(index + 1) & 0xfc00) == 0xdc00;
}

/** As JavaScript writes it, which AssemblyScript does but for the `.0` behind a whole one. */
function numberText(value: f64): string {
  if (abs(value) < 9007199254740992.0 && <f64>(<i64>value) == value) {
    return signedDecimal(<i64>value);
  }
  const text = value.toString();
  return text.endsWith(".0") ? text.substring(0, text.length - 2) : text;
}

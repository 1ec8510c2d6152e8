// The wire format of Protocol Buffers, read and written field by field.
import { copyBytes } from "../results";
import { decodeUtf8, encodedLength, encodeUtf8 } from "../utf8";
import { Buffer } from "./buffer";

export const enum WireType {
  Varint,
  Fixed64,
  Bytes,
  /** Groups are out of use; reading skips nothing of them but ends. */
  GroupStart,
  GroupEnd,
  Fixed32,
}

/**
 * Walks over the fields of a message:
 * `while (reader.next()) if (reader.field == 1) name = reader.text();`
 * What is not asked for is skipped. Where the message is broken it ends; `isBroken` is true then.
 */
@final
export class ProtoReader {
  /** Number of the field. */
  field: u32 = 0;
  wireType: WireType = WireType.Varint;
  /** True when what was read is no message. */
  isBroken: bool = false;
  private at: u32;
  /** A number's bits, or how many bytes there are. */
  private value: u64 = 0;
  private valueAt: u32 = 0;

  private readonly end: u32;

  /** Over all of the bytes, or those from `start` to before `end`. */
  constructor(
    private readonly source: Uint8Array,
    start: u32 = 0,
    end: u32 = u32.MAX_VALUE,
  ) {
    this.end = min(end, <u32>source.length);
    this.at = start;
  }

  /** Goes to the next field; false at the end. */
  next(): bool {
    if (this.isBroken || this.at >= this.end) return false;
    const key = this.varint();
    this.field = <u32>(key >> 3);
    this.wireType = <WireType>(<u32>key & 7);
    if (key > u32.MAX_VALUE || this.field == 0) return this.fail();
    if (this.wireType == WireType.Varint) this.value = this.varint();
    else if (this.wireType == WireType.Bytes) this.value = this.varint();
    else if (this.wireType == WireType.Fixed64) this.value = 8;
    else if (this.wireType == WireType.Fixed32) this.value = 4;
    else return this.fail();
    this.valueAt = this.at;
    if (this.wireType != WireType.Varint) {
      if (this.value > this.end - this.at) return this.fail();
      this.at += <u32>this.value;
    }
    return !this.isBroken;
  }

  /** The number of a field of any number type, as its bits stand; 0 for bytes. */
  u64(): u64 {
    if (this.wireType == WireType.Fixed64) return load<u64>(this.start);
    if (this.wireType == WireType.Fixed32) return load<u32>(this.start);
    return this.wireType == WireType.Varint ? this.value : 0;
  }

  /** Of int64, sfixed64. */
  i64(): i64 {
    return this.wireType == WireType.Fixed32 ? <i64>load<i32>(this.start) : <i64>this.u64();
  }

  /** Of uint32, fixed32, enums: the lower half. */
  u32(): u32 {
    return <u32>this.u64();
  }

  /** Of int32, sfixed32: the lower half. */
  i32(): i32 {
    return <i32>this.u64();
  }

  /** Of sint32 and sint64. */
  signed(): i64 {
    const value = this.u64();
    return <i64>(value >> 1) ^ -(<i64>(value & 1));
  }

  bool(): bool {
    return this.u64() != 0;
  }

  /** Of double and float; 0 for all else. */
  double(): f64 {
    if (this.wireType == WireType.Fixed64) return load<f64>(this.start);
    return this.wireType == WireType.Fixed32 ? <f64>load<f32>(this.start) : 0;
  }

  /** Of string; broken UTF-8 as U+FFFD, "" for all else. */
  text(): string {
    return this.wireType == WireType.Bytes ? decodeUtf8(this.start, <u32>this.value) : "";
  }

  /** Of bytes; empty for all else. */
  bytes(): Uint8Array {
    const length = this.wireType == WireType.Bytes ? <u32>this.value : 0;
    return copyBytes(this.start, length);
  }

  /** Of a message inside; without fields for all else. */
  message(): ProtoReader {
    const length = this.wireType == WireType.Bytes ? <u32>this.value : 0;
    return new ProtoReader(this.source, this.valueAt, this.valueAt + length);
  }

  private get start(): usize {
    return this.source.dataStart + this.valueAt;
  }

  private varint(): u64 {
    let value: u64 = 0;
    for (let shift: u64 = 0; shift < 70 && this.at < this.end; shift += 7) {
      const byte: u64 = load<u8>(this.source.dataStart + this.at++);
      // Of the tenth byte only one bit is left; others are dropped, as everywhere.
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    this.isBroken = true;
    return 0;
  }

  private fail(): bool {
    this.isBroken = true;
    return false;
  }
}

/** Writes the fields of a message in the order in which it is told. */
@final
export class ProtoWriter {
  private readonly out: Buffer = new Buffer();

  /** Of uint32, uint64, enums. */
  u64(field: u32, value: u64): void {
    this.key(field, WireType.Varint);
    this.varint(value);
  }

  /** Of int32 and int64. */
  i64(field: u32, value: i64): void {
    this.u64(field, <u64>value);
  }

  /** Of sint32 and sint64. */
  signed(field: u32, value: i64): void {
    this.u64(field, <u64>((value << 1) ^ (value >> 63)));
  }

  bool(field: u32, value: bool): void {
    this.u64(field, value ? 1 : 0);
  }

  double(field: u32, value: f64): void {
    this.fixed64(field, reinterpret<u64>(value));
  }

  float(field: u32, value: f32): void {
    this.fixed32(field, reinterpret<u32>(value));
  }

  fixed64(field: u32, value: u64): void {
    this.key(field, WireType.Fixed64);
    const at = this.out.room(8);
    if (at != 0) store<u64>(at, value);
  }

  fixed32(field: u32, value: u32): void {
    this.key(field, WireType.Fixed32);
    const at = this.out.room(4);
    if (at != 0) store<u32>(at, value);
  }

  text(field: u32, value: string): void {
    const start = encodeUtf8(value);
    this.key(field, WireType.Bytes);
    this.varint(encodedLength());
    this.out.copy(start, encodedLength());
  }

  bytes(field: u32, value: Uint8Array): void {
    this.key(field, WireType.Bytes);
    this.varint(value.length);
    this.out.append(value);
  }

  message(field: u32, value: ProtoWriter): void {
    this.bytes(field, value.finish());
  }

  /** The message. */
  finish(): Uint8Array {
    return this.out.bytes();
  }

  private key(field: u32, wireType: WireType): void {
    this.varint((<u64>field << 3) | <u64>wireType);
  }

  private varint(value: u64): void {
    let rest = value;
    while (rest >= 0x80) {
      this.out.byte(<u8>(rest | 0x80));
      rest >>= 7;
    }
    this.out.byte(<u8>rest);
  }
}

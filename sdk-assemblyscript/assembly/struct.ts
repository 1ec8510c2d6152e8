// A serialised google.protobuf.Struct, written to a tape: Envoy hands a configuration of that type
// over in this form. Strict, so that JSON text is never mistaken for one.
import {
  beginTape,
  closeNode,
  closeObject,
  isRepeated,
  isTapeFull,
  lastNode,
  NodeKind,
  pushNode,
} from "./tape";
import { isUtf8 } from "./utf8";

const DEPTH_MAX: i32 = 64;

// The keys of fields: number * 8 + wire type.
const FIELDS: u32 = 1 * 8 + 2;
const KEY: u32 = 1 * 8 + 2;
const VALUE: u32 = 2 * 8 + 2;
const VALUES: u32 = 1 * 8 + 2;
const NULL: u32 = 1 * 8 + 0;
const NUMBER: u32 = 2 * 8 + 1;
const STRING: u32 = 3 * 8 + 2;
const BOOL: u32 = 4 * 8 + 0;
const STRUCT: u32 = 5 * 8 + 2;
const LIST: u32 = 6 * 8 + 2;

let at: usize = 0;

/** Writes the tape; false when the bytes are no Struct, or one that JSON has no words for. */
export function readStruct(bytes: usize, length: u32): bool {
  at = bytes;
  beginTape(bytes);
  return readObject(bytes + length, 0) && !isTapeFull();
}

/** message Struct { map<string, Value> fields = 1; } */
function readObject(stop: usize, depth: i32): bool {
  const object = pushNode(NodeKind.Object, at, 0);
  while (at < stop) {
    const end = readPart(FIELDS, stop);
    if (end == 0 || !readMember(object, end, depth)) return false;
  }
  return closeObject(object) == 0;
}

/** One entry of the map: first the key, then the value, as every serialiser writes them. */
function readMember(object: u32, stop: usize, depth: i32): bool {
  let end = readPart(KEY, stop);
  if (end == 0 || !readText(end) || isRepeated(object, lastNode())) return false;
  end = readPart(VALUE, stop);
  return end == stop && readValue(end, depth + 1);
}

/** message Value { oneof: null 1, number 2, string 3, bool 4, struct 5, list 6 } */
function readValue(stop: usize, depth: i32): bool {
  if (depth > DEPTH_MAX || at >= stop) return false;
  const key = load<u8>(at++);
  if (key == NULL || key == BOOL) {
    const number = readVarint(stop);
    if (number > 1) return false;
    pushNode(key == NULL ? NodeKind.Null : number == 1 ? NodeKind.True : NodeKind.False, at, 0);
    return at == stop;
  }
  if (key == NUMBER) return readDouble(stop);
  if (key != STRING && key != STRUCT && key != LIST) return false;
  if (readLength(stop) != stop) return false;
  if (key == STRING) return readText(stop);
  return key == STRUCT ? readObject(stop, depth) : readList(stop, depth);
}

function readDouble(stop: usize): bool {
  if (stop - at != 8) return false;
  const number = load<f64>(at);
  // Not a number, or infinite: JSON has neither.
  if (number - number != 0) return false;
  pushNode(NodeKind.Double, at, 8);
  at = stop;
  return true;
}

/** message ListValue { repeated Value values = 1; } */
function readList(stop: usize, depth: i32): bool {
  const list = pushNode(NodeKind.Array, at, 0);
  while (at < stop) {
    const end = readPart(VALUES, stop);
    if (end == 0 || !readValue(end, depth + 1)) return false;
  }
  closeNode(list);
  return true;
}

function readText(stop: usize): bool {
  const length = <u32>(stop - at);
  if (!isUtf8(at, length)) return false;
  pushNode(NodeKind.String, at, length);
  at = stop;
  return true;
}

/** Passes the head of a field that must have this key; where it ends, or 0. */
function readPart(key: u32, stop: usize): usize {
  if (at >= stop || load<u8>(at) != key) return 0;
  at++;
  return readLength(stop);
}

/** Passes a length; where what it counts ends, or 0 when that is outside. */
function readLength(stop: usize): usize {
  const length = readVarint(stop);
  return length > stop - at ? 0 : at + <usize>length;
}

/** A number in as many bytes as it takes; u64.MAX_VALUE when it does not end. */
function readVarint(stop: usize): u64 {
  let value: u64 = 0;
  let shift: u64 = 0;
  while (at < stop && shift < 63) {
    const byte: u64 = load<u8>(at++);
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return value;
    shift += 7;
  }
  return u64.MAX_VALUE;
}

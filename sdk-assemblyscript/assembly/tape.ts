// A configured document as a flat list of nodes that point into the bytes it came from: what the
// JSON reader and the Struct reader both write. Few objects, however large the document is.
import { scratch } from "./memory";
import { encodedLength, encodeUtf8 } from "./utf8";

export const enum NodeKind {
  Null,
  False,
  True,
  /** A number as JSON writes it. */
  Number,
  /** Eight bytes of a double: the number of a Struct. */
  Double,
  /** UTF-8, free of escapes. */
  String,
  /** Its elements follow. */
  Array,
  /** Its members follow, a string for the name and then the value. */
  Object,
}

/** A node: kind, offset and length of its bytes, and the index behind its last descendant. */
export const NODE_BYTES: u32 = 16;
/** 16 MiB of nodes; a document with more of them is no configuration. */
const NODES_MAX: u32 = 1 << 20;
/** Names of an object that each further one is compared with. */
const FEW_NAMES: i32 = 16;

let nodes: usize = 0;
let capacity: u32 = 0;
let count: u32 = 0;
let source: usize = 0;

/** Begins a tape over bytes at `start`. One is written at a time. */
export function beginTape(start: usize): void {
  source = start;
  capacity = 64;
  count = 0;
  nodes = scratch(capacity * NODE_BYTES);
}

/** Appends a node and returns its index; past the limit the last one is overwritten. */
export function pushNode(kind: NodeKind, start: usize, length: u32): u32 {
  if (count == capacity) {
    if (capacity == NODES_MAX) count--;
    else growTape();
  }
  const node = nodes + count * NODE_BYTES;
  store<u32>(node, kind);
  store<u32>(node, <u32>(start - source), 4);
  store<u32>(node, length, 8);
  count++;
  // A container's end is known later: until then it is open.
  store<u32>(node, kind >= NodeKind.Array ? u32.MAX_VALUE : count, 12);
  return count - 1;
}

/** The node that was pushed last. */
export function lastNode(): u32 {
  return count - 1;
}

function growTape(): void {
  const larger = scratch(capacity * 2 * NODE_BYTES);
  memory.copy(larger, nodes, capacity * NODE_BYTES);
  nodes = larger;
  capacity *= 2;
}

/** Ends a container: what was pushed since is inside of it. */
export function closeNode(node: u32): void {
  store<u32>(nodes + node * NODE_BYTES, count, 12);
}

/** True when the document has more values than a configuration may have. */
export function isTapeFull(): bool {
  return count == NODES_MAX;
}

/** Whether the last member of an object has the name of one of the first few. */
export function isRepeated(object: u32, name: u32): bool {
  let other = object + 1;
  for (let i = 0; i < FEW_NAMES && other < name; i++) {
    if (compareNames(other, name) == 0) return true;
    other = nodeEnd(nodes, other + 1);
  }
  return false;
}

/**
 * Ends an object. Of many members it sorts the names, so that the time for it stays far from the
 * square of their number; the node of a name that another has as well, else 0.
 */
export function closeObject(object: u32): u32 {
  closeNode(object);
  // What was overwritten leads nowhere; the document is refused anyway.
  if (isTapeFull()) return 0;
  let members: u32 = 0;
  for (let at = object + 1; at < count; at = nodeEnd(nodes, at + 1)) members++;
  if (members <= <u32>FEW_NAMES + 1) return 0;
  const names = scratch(members * 4);
  let end = names;
  for (let at = object + 1; at < count; at = nodeEnd(nodes, at + 1)) {
    store<u32>(end, at);
    end += 4;
  }
  sortNames(names, members);
  for (let at = names + 4; at < end; at += 4) {
    if (compareNames(load<u32>(at - 4), load<u32>(at)) == 0) return load<u32>(at);
  }
  return 0;
}

/** By length, then by bytes. */
function compareNames(one: u32, other: u32): i32 {
  const length = nodeLength(nodes, one);
  const difference = <i32>length - <i32>nodeLength(nodes, other);
  if (difference != 0) return difference;
  return memory.compare(
    source + nodeOffset(nodes, one),
    source + nodeOffset(nodes, other),
    length,
  );
}

/** Heap sort: the same whatever order they come in, and no recursion. */
function sortNames(names: usize, members: u32): void {
  for (let i = members >> 1; i > 0; i--) sinkName(names, i - 1, members);
  for (let end = members - 1; end > 0; end--) {
    const first = load<u32>(names);
    store<u32>(names, load<u32>(names + (end << 2)));
    store<u32>(names + (end << 2), first);
    sinkName(names, 0, end);
  }
}

function sinkName(names: usize, start: u32, end: u32): void {
  let at = start;
  while (at * 2 + 1 < end) {
    let child = at * 2 + 1;
    const place = names + (child << 2);
    if (child + 1 < end && compareNames(load<u32>(place), load<u32>(place + 4)) < 0) child++;
    const one = load<u32>(names + (at << 2));
    const other = load<u32>(names + (child << 2));
    if (compareNames(one, other) >= 0) return;
    store<u32>(names + (at << 2), other);
    store<u32>(names + (child << 2), one);
    at = child;
  }
}

/** A copy that lives as long as it is referred to. */
export function takeTape(): StaticArray<u32> {
  const copy = new StaticArray<u32>(count * 4);
  memory.copy(changetype<usize>(copy), nodes, count * NODE_BYTES);
  return copy;
}

export function nodeKind(tape: usize, node: u32): NodeKind {
  return load<u32>(tape + node * NODE_BYTES);
}

export function nodeOffset(tape: usize, node: u32): u32 {
  return load<u32>(tape + node * NODE_BYTES, 4);
}

export function nodeLength(tape: usize, node: u32): u32 {
  return load<u32>(tape + node * NODE_BYTES, 8);
}

/** Index behind the node and all that is inside of it. */
export function nodeEnd(tape: usize, node: u32): u32 {
  return load<u32>(tape + node * NODE_BYTES, 12);
}

/** The value of a member of an object, of which `bytes` is the source; 0 when it has none. */
export function findMember(tape: usize, bytes: usize, object: u32, name: string): u32 {
  const wanted = encodeUtf8(name);
  const length = encodedLength();
  const end = nodeEnd(tape, object);
  let at = object + 1;
  while (at < end) {
    const start = bytes + nodeOffset(tape, at);
    if (nodeLength(tape, at) == length && memory.compare(start, wanted, length) == 0) return at + 1;
    at = nodeEnd(tape, at + 1);
  }
  return 0;
}

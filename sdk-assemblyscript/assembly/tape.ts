// A configured document as a flat list of nodes that point into the bytes it came from: what the
// JSON reader and the Struct reader both write. Few objects, however large the document is.
import { scratch } from "./memory";

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

/** Whether the last member of an object has the name of an earlier one. */
export function isRepeated(object: u32, name: u32): bool {
  let other = object + 1;
  while (other < name) {
    if (nodeLength(nodes, other) == nodeLength(nodes, name)) {
      const start = source + nodeOffset(nodes, other);
      const wanted = source + nodeOffset(nodes, name);
      if (memory.compare(start, wanted, nodeLength(nodes, name)) == 0) return true;
    }
    other = nodeEnd(nodes, other + 1);
  }
  return false;
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

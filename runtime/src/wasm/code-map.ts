// Where an address of rewritten code stands in the module as it came: log lines tell addresses of
// the file that its author has. Made by module/rewriter.ts, in memory that all threads share.

/**
 * Pairs of a new and an old offset: from the new one on bytes are those from the old one on, up to
 * the next pair. New ones ascend, and old ones too, but where a loop is written several times.
 * Empty = nothing has moved.
 */
export type CodeMap = Int32Array<SharedArrayBuffer>;

export const sameCode: CodeMap = new Int32Array(new SharedArrayBuffer(0));

/** An address in code that was put in is that of the instruction behind it. */
export function originalOffset(map: CodeMap, offset: number): number {
  let low = 0;
  let high = map.length >> 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((map[middle * 2] as number) <= offset) low = middle + 1;
    else high = middle;
  }
  if (low === 0) return offset;
  const own = map[low * 2 - 1] as number;
  const old = own + offset - (map[low * 2 - 2] as number);
  if (low * 2 === map.length) return old;
  const next = map[low * 2 + 1] as number;
  // In front of another copy of code that was passed already stands nothing but what was put in.
  return next < own ? own : Math.min(old, next);
}

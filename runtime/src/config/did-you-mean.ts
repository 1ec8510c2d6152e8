// Finds the name that a misspelt one was probably meant to be; called when a problem is put in
// words.

/** Names longer than this are not compared: an edit distance costs the product of both lengths. */
const lengthMax = 256;

/**
 * The candidate with the smallest edit distance to `name`, ignoring case; undefined when none is
 * near enough to be a likely meaning (a third of the name's length, at least 1 and at most 6
 * edits).
 */
export function nearestName(name: string, candidates: Iterable<string>): string | undefined {
  if (name.length === 0 || name.length > lengthMax) return undefined;
  const wanted = name.toLowerCase();
  let bound = Math.min(6, Math.max(1, Math.floor(name.length / 3)));
  let best: string | undefined;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - name.length) > bound) continue;
    const distance = editDistance(wanted, candidate.toLowerCase(), bound);
    if (distance > bound || (best !== undefined && distance === bound)) continue;
    best = candidate;
    bound = distance;
    if (distance === 0) break;
  }
  return best;
}

/** ` (did you mean "x"?)`, or "" when nothing is near. */
export function didYouMean(name: string, candidates: Iterable<string>): string {
  const nearest = nearestName(name, candidates);
  return nearest === undefined ? "" : ` (did you mean "${nearest}"?)`;
}

/**
 * Insertions, deletions, replacements and swaps of neighbours that turn one text into the other.
 * Answers `bound + 1` as soon as it is certain that the distance is larger than `bound`.
 */
export function editDistance(left: string, right: string, bound: number): number {
  const width = right.length;
  let beforeLast: number[] = [];
  let last: number[] = [];
  for (let column = 0; column <= width; column += 1) last.push(column);
  for (let row = 1; row <= left.length; row += 1) {
    const current: number[] = [row];
    let smallest = row;
    for (let column = 1; column <= width; column += 1) {
      const same = left[row - 1] === right[column - 1];
      let cost = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (same ? 0 : 1),
      );
      if (
        row > 1 &&
        column > 1 &&
        left[row - 1] === right[column - 2] &&
        left[row - 2] === right[column - 1]
      ) {
        cost = Math.min(cost, (beforeLast[column - 2] ?? 0) + 1);
      }
      current.push(cost);
      if (cost < smallest) smallest = cost;
    }
    if (smallest > bound) return bound + 1;
    beforeLast = last;
    last = current;
  }
  return last[width] ?? 0;
}

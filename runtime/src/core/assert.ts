// Assertions of what must hold; a failed one is our bug, never a peer's.

export class AssertionError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "AssertionError";
  }
}

/**
 * Throws when `condition` is false. Never with an effect in the argument, never on a peer's data.
 */
export function assert(condition: boolean, message = "assertion failed"): asserts condition {
  if (!condition) throw new AssertionError(message);
}

// Notes where bytes of the old code come to stand while the new code is written: fuel-meter.ts.
import type { CodeMap } from "../wasm/code-map.ts";

export class CodeMapWriter {
  #pairs: Int32Array;
  #size: number = 0;

  /** `expected`: places that will do, most likely. */
  constructor(expected: number) {
    this.#pairs = new Int32Array(2 * Math.max(16, expected));
  }

  /** From here on old bytes follow; offsets ascend. */
  add(newOffset: number, oldOffset: number): void {
    if (this.#size === this.#pairs.length) {
      const larger = new Int32Array(this.#size * 2);
      larger.set(this.#pairs);
      this.#pairs = larger;
    }
    this.#pairs[this.#size] = newOffset;
    this.#pairs[this.#size + 1] = oldOffset;
    this.#size += 2;
  }

  /** With new offsets counted from `base` earlier than they were told. */
  finish(base: number): CodeMap {
    const map = new Int32Array(new SharedArrayBuffer(this.#size * 4));
    for (let i = 0; i < this.#size; i += 2) {
      map[i] = (this.#pairs[i] as number) + base;
      map[i + 1] = this.#pairs[i + 1] as number;
    }
    return map;
  }
}

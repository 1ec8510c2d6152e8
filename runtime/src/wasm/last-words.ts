// The last lines that a guest wrote to stderr or logged as an error: Rust and Go say there why they
// give up, and then only trap. Kept by each VM for the report of its end.

/** Characters that are kept, whole lines where it can be. */
const CHARS_MAX = 4096;

export class LastWords {
  readonly #lines: string[];
  #chars: number = 0;

  constructor() {
    this.#lines = [];
  }

  add(text: string): void {
    const line = text.length > CHARS_MAX ? text.slice(-CHARS_MAX) : text;
    this.#lines.push(line);
    this.#chars += line.length;
    while (this.#chars > CHARS_MAX) this.#chars -= this.#lines.shift()?.length ?? 0;
  }

  get text(): string {
    return this.#lines.join("\n");
  }
}

// What happened in a simulation, as one number to compare runs by, and as lines for people. Written
// by the loop, the network and the peers.

export class Trace {
  /** Gets each line; null = nobody looks. */
  onLine: ((line: string) => void) | null = null;
  #low: number;
  #high: number;

  constructor() {
    this.#low = 0x811c9dc5;
    this.#high = 0x1b873593;
  }

  /** Two runs that did the same have the same digest. */
  get digest(): string {
    return hex(this.#high) + hex(this.#low);
  }

  note(atMs: number, kind: string, subject: number, value: number): void {
    for (let i = 0; i < kind.length; i += 1) this.#add(kind.charCodeAt(i));
    this.#add(Math.round(atMs * 10));
    this.#add(subject);
    this.#add(value);
    if (this.onLine === null) return;
    this.onLine(`${atMs.toFixed(1)} ${kind} #${subject}${value === 0 ? "" : ` ${value}`}`);
  }

  /** Only for people; not part of the digest. */
  remark(atMs: number, text: () => string): void {
    this.onLine?.(`${atMs.toFixed(1)}   ${text()}`);
  }

  #add(value: number): void {
    this.#low = Math.imul(this.#low ^ value, 0x01000193) >>> 0;
    this.#high = (Math.imul(this.#high ^ this.#low, 0x85ebca6b) + 0x52dce729) >>> 0;
  }
}

function hex(value: number): string {
  return value.toString(16).padStart(8, "0");
}

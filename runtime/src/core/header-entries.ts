// The lines of one head as a list of entries: what HeaderMap (header-map.ts) keeps beside the
// pseudo headers. A line that came is four offsets into the head's text until somebody asks for it.
import { headerNames } from "./header-names.ts";

/** How an entry stands: untouched raw line, changed value, removed, appended. */
const EntryState = { Raw: 0, Changed: 1, Gone: 2, Added: 3 } as const;

export class HeaderEntries {
  // The head as it came, from its first line; offsets below are relative to `#base` in it.
  #raw: string = "";
  #base: number = 0;
  /** The same head with its names as they came; "" = not kept. */
  #cased: string = "";
  #count: number = 0;
  #live: number = 0;
  readonly #ids: number[];
  readonly #offsets: number[];
  readonly #names: (string | null)[];
  readonly #values: (string | null)[];
  readonly #lines: (string | null)[];
  readonly #states: number[];
  /** Bit per id below 31: at least one live entry / more than one entry came. */
  #seen: number = 0;
  #duplicated: number = 0;

  constructor() {
    this.#ids = [];
    this.#offsets = [];
    this.#names = [];
    this.#values = [];
    this.#lines = [];
    this.#states = [];
  }

  /** Forgets all entries; keeps the arrays, lets go of all text. */
  protected resetEntries(): void {
    for (let i = 0; i < this.#count; i += 1) {
      this.#names[i] = null;
      this.#values[i] = null;
      this.#lines[i] = null;
    }
    this.#raw = "";
    this.#base = 0;
    this.#cased = "";
    this.#count = 0;
    this.#live = 0;
    this.#seen = 0;
    this.#duplicated = 0;
  }

  // ---- For the HTTP/1 parser: entries first, then the head's text.

  /** Notes one header line; offsets are into the buffer that is being parsed. */
  pushRaw(
    id: number,
    nameStart: number,
    nameEnd: number,
    valueStart: number,
    valueEnd: number,
  ): void {
    const index = this.#count;
    this.#count = index + 1;
    this.#live += 1;
    this.#ids[index] = id;
    const at = index << 2;
    const offsets = this.#offsets;
    offsets[at] = nameStart;
    offsets[at + 1] = nameEnd;
    offsets[at + 2] = valueStart;
    offsets[at + 3] = valueEnd;
    // reset() left nulls in slots that were used before.
    if (index === this.#names.length) {
      this.#names[index] = null;
      this.#values[index] = null;
      this.#lines[index] = null;
    }
    this.#states[index] = EntryState.Raw;
    this.#note(id);
  }

  /** All entries were pushed: `raw` is their text from buffer offset `base`. */
  protected finishEntries(raw: string, base: number, plain: boolean): void {
    this.#raw = raw;
    this.#base = base;
    if (plain) return;
    for (let i = 0; i < this.#count; i += 1) {
      this.value(i);
      this.#states[i] = EntryState.Changed;
    }
  }

  /** Text of the head that came, by offsets of the buffer it was parsed from. For the parser. */
  rawText(from: number, to: number): string {
    return this.#raw.slice(from - this.#base, to - this.#base);
  }

  /**
   * Keeps the names' case as it came, after finishRaw: `text` is latin1 text of the buffer from
   * offset `base`, taken before its names were made lower-case. Serializers then write names that
   * came in it; look-ups stay lower-case.
   */
  setOriginalCase(text: string, base: number): void {
    this.#cased = text.slice(this.#base - base);
  }

  /** Bit `1 << id` is set when a header of that id (below 31) is there. */
  get seen(): number {
    return this.#seen;
  }

  /** Bit `1 << id` is set when the message came with several headers of that id (below 31). */
  get duplicated(): number {
    return this.#duplicated;
  }

  // ---- Entries by index: for codecs and code that walks; pseudo headers have no index.

  /** Upper bound of indices; entries that are gone are among them. */
  get entryCount(): number {
    return this.#count;
  }

  isLive(index: number): boolean {
    return this.#states[index] !== EntryState.Gone;
  }

  idAt(index: number): number {
    return this.#ids[index] as number;
  }

  name(index: number): string {
    const known = this.#names[index] as string | null;
    if (known !== null) return known;
    const id = this.#ids[index] as number;
    const at = index << 2;
    const base = this.#base;
    const name =
      id !== 0
        ? (headerNames[id] as string)
        : this.#raw.slice(
            (this.#offsets[at] as number) - base,
            (this.#offsets[at + 1] as number) - base,
          );
    this.#names[index] = name;
    return name;
  }

  value(index: number): string {
    const known = this.#values[index] as string | null;
    if (known !== null) return known;
    const at = index << 2;
    const base = this.#base;
    const value = this.#raw.slice(
      (this.#offsets[at + 2] as number) - base,
      (this.#offsets[at + 3] as number) - base,
    );
    this.#values[index] = value;
    return value;
  }

  /** True when the (lower-case) name of an entry begins with `prefix`; makes no string. */
  nameStartsWith(index: number, prefix: string): boolean {
    const known = this.#names[index] as string | null;
    if (known !== null) return known.startsWith(prefix);
    const id = this.#ids[index] as number;
    if (id !== 0) return (headerNames[id] as string).startsWith(prefix);
    const at = (this.#offsets[index << 2] as number) - this.#base;
    const raw = this.#raw;
    return raw.charCodeAt(at) === prefix.charCodeAt(0) && raw.startsWith(prefix, at);
  }

  /** Index of the first live entry of a known id, -1 when there is none. */
  indexOfId(id: number): number {
    if (id < 31 && (this.#seen & (1 << id)) === 0) return -1;
    const ids = this.#ids;
    for (let i = 0; i < this.#count; i += 1) {
      if (ids[i] === id && this.#states[i] !== EntryState.Gone) return i;
    }
    return -1;
  }

  /** Removes one entry by its index; it must be live. */
  removeAt(index: number): void {
    this.dropEntry(index);
    const id = this.#ids[index] as number;
    if (id > 0 && id < 31 && this.indexOfId(id) < 0) this.#seen &= ~(1 << id);
  }

  // ---- For HeaderMap.

  /** Entries that are there. */
  protected get liveCount(): number {
    return this.#live;
  }

  /** True while the line can be written back as it came. */
  protected isUntouched(index: number): boolean {
    return this.#states[index] === EntryState.Raw;
  }

  /** Removes the only entry of a known id. */
  protected dropOnly(index: number, id: number): void {
    this.dropEntry(index);
    this.#seen &= ~(1 << id);
  }

  protected dropAllOf(id: number): void {
    if (id < 31 && (this.#seen & (1 << id)) === 0) return;
    for (let i = 0; i < this.#count; i += 1) {
      if (this.#ids[i] === id && this.#states[i] !== EntryState.Gone) this.dropEntry(i);
    }
    if (id < 31) this.#seen &= ~(1 << id);
  }

  protected dropAll(): void {
    for (let i = 0; i < this.#count; i += 1) {
      if (this.#states[i] !== EntryState.Gone) this.dropEntry(i);
    }
    this.#seen = 0;
  }

  /** The whole line of an entry, made beforehand. */
  protected setLine(index: number, line: string): void {
    this.#lines[index] = line;
  }

  /** The first `length` bytes of the head, for its first line. */
  protected headStart(length: number): string {
    return this.#raw.slice(0, length);
  }

  /** The head up to the end of an untouched line, CRLF included. */
  protected headThrough(index: number): string {
    const end = this.#offsets[(index << 2) + 3] as number;
    return this.#written().slice(0, end + 2 - this.#base);
  }

  /** True when names are written in the case they came in. */
  protected get keepsCase(): boolean {
    return this.#cased !== "";
  }

  protected indexOfOther(name: string, from: number): number {
    for (let i = from; i < this.#count; i += 1) {
      if (this.#ids[i] !== 0 || this.#states[i] === EntryState.Gone) continue;
      if (this.name(i) === name) return i;
    }
    return -1;
  }

  #note(id: number): void {
    if (id === 0 || id >= 31) return;
    const bit = 1 << id;
    if ((this.#seen & bit) !== 0) this.#duplicated |= bit;
    this.#seen |= bit;
  }

  protected appendEntry(id: number, name: string, value: string): void {
    const index = this.#count;
    this.#count = index + 1;
    this.#live += 1;
    this.#ids[index] = id;
    this.#names[index] = name;
    this.#values[index] = value;
    this.#lines[index] = null;
    this.#states[index] = EntryState.Added;
    const at = index << 2;
    for (let k = at; k < at + 4; k += 1) this.#offsets[k] = 0;
    this.#note(id);
  }

  protected setEntry(index: number, id: number, value: string): void {
    this.#lines[index] = null;
    this.#values[index] = value;
    if (this.#states[index] === EntryState.Raw) this.#states[index] = EntryState.Changed;
    if (id !== 0 && id < 31 && (this.#duplicated & (1 << id)) === 0) return;
    this.#dropOthers(index);
  }

  /** "Set" leaves one entry of the name. */
  #dropOthers(index: number): void {
    const id = this.#ids[index];
    const name = this.name(index);
    for (let i = index + 1; i < this.#count; i += 1) {
      if (this.#ids[i] !== id || this.#states[i] === EntryState.Gone) continue;
      if (id !== 0 || this.name(i) === name) this.dropEntry(i);
    }
  }

  protected dropEntry(index: number): void {
    // The name is cut now: nobody may ask later, but a removed line must not be cut by accident.
    this.#states[index] = EntryState.Gone;
    this.#live -= 1;
  }

  protected appendLines(first: string): string {
    const states = this.#states;
    const offsets = this.#offsets;
    const count = this.#count;
    const base = this.#base;
    const text = this.#written();
    let out = first;
    let i = 0;
    while (i < count) {
      const state = states[i];
      if (state === EntryState.Raw) {
        const from = offsets[i << 2] as number;
        let end = i + 1;
        while (end < count && states[end] === EntryState.Raw) end += 1;
        const to = offsets[((end - 1) << 2) + 3] as number;
        out += text.slice(from - base, to + 2 - base);
        i = end;
        continue;
      }
      if (state !== EntryState.Gone) {
        const line = this.#lines[i] as string | null;
        out += line !== null ? line : `${this.writtenName(i)}: ${this.#values[i] as string}\r\n`;
      }
      i += 1;
    }
    return out;
  }

  /** What untouched lines are written from. */
  #written(): string {
    return this.#cased === "" ? this.#raw : this.#cased;
  }

  protected writtenName(index: number): string {
    if (this.#cased === "" || this.#states[index] === EntryState.Added) return this.name(index);
    const at = index << 2;
    const base = this.#base;
    return this.#cased.slice(
      (this.#offsets[at] as number) - base,
      (this.#offsets[at + 1] as number) - base,
    );
  }
}

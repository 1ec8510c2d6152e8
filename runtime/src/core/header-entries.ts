// The lines of one head as a list of entries: what HeaderMap (header-map.ts) keeps beside the
// pseudo headers. A line that came is four offsets into the head's text until somebody asks for it.
import { headerNames } from "./header-names.ts";

/** How an entry stands: untouched raw line, changed value, removed, appended. */
const EntryState = { Raw: 0, Changed: 1, Gone: 2, Added: 3 } as const;

/**
 * Entries lie one behind the other in two arrays, numbers and texts, not each property in an array
 * of its own: a stream that waited has its entries in few cache lines then.
 */
const Mark = { Id: 0, State: 1, NameStart: 2, NameEnd: 3, ValueStart: 4, ValueEnd: 5 } as const;
const MARKS = 6;
const Text = { Name: 0, Value: 1, Line: 2 } as const;
const TEXTS = 3;

/** So many places of removed entries may stand beside those of entries that are there. */
const GONE_MAX = 32;

export class HeaderEntries {
  // The head as it came, from its first line; offsets below are relative to `#base` in it.
  #raw: string = "";
  #base: number = 0;
  /** The same head with its names as they came; "" = not kept. */
  #cased: string = "";
  #count: number = 0;
  #live: number = 0;
  /** Entries that were added and are gone: their places come back when there are many. */
  #goneAdded: number = 0;
  readonly #marks: number[];
  readonly #texts: (string | null)[];
  /** Bit per id below 31: at least one live entry / more than one entry came. */
  #seen: number = 0;
  #duplicated: number = 0;
  /** The same of ids 31 to 61, but never taken back. */
  #seenHigh: number = 0;
  #duplicatedHigh: number = 0;

  constructor() {
    this.#marks = [];
    this.#texts = [];
  }

  /** Forgets all entries; keeps the arrays, lets go of all text. */
  protected resetEntries(): void {
    const texts = this.#texts;
    const used = this.#count * TEXTS;
    for (let i = 0; i < used; i += 1) texts[i] = null;
    this.#raw = "";
    this.#base = 0;
    this.#cased = "";
    this.#count = 0;
    this.#live = 0;
    this.#goneAdded = 0;
    this.#seen = 0;
    this.#duplicated = 0;
    this.#seenHigh = 0;
    this.#duplicatedHigh = 0;
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
    this.#putMarks(index, id, EntryState.Raw, nameStart, nameEnd, valueStart, valueEnd);
    // resetEntries() left nulls in slots that were used before.
    const text = index * TEXTS;
    if (text === this.#texts.length) this.#putTexts(text, null, null);
    this.#note(id);
  }

  /** All entries were pushed: `raw` is their text from buffer offset `base`. */
  protected finishEntries(raw: string, base: number, plain: boolean): void {
    this.#raw = raw;
    this.#base = base;
    if (plain) return;
    for (let i = 0; i < this.#count; i += 1) {
      this.value(i);
      this.#setState(i, EntryState.Changed);
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

  /** The same of ids 31 to 61, at bit `1 << (id - 31)`. */
  get duplicatedHigh(): number {
    return this.#duplicatedHigh;
  }

  // ---- Entries by index: for codecs and code that walks; pseudo headers have no index.

  /** Upper bound of indices; entries that are gone are among them. */
  get entryCount(): number {
    return this.#count;
  }

  isLive(index: number): boolean {
    return this.#stateAt(index) !== EntryState.Gone;
  }

  idAt(index: number): number {
    return this.#marks[index * MARKS] as number;
  }

  name(index: number): string {
    const slot = index * TEXTS;
    const known = this.#texts[slot] as string | null;
    if (known !== null) return known;
    const id = this.idAt(index);
    const name =
      id !== 0 ? (headerNames[id] as string) : this.#cut(this.#raw, index, Mark.NameStart);
    this.#texts[slot] = name;
    return name;
  }

  value(index: number): string {
    const slot = index * TEXTS + Text.Value;
    const known = this.#texts[slot] as string | null;
    if (known !== null) return known;
    const value = this.#cut(this.#raw, index, Mark.ValueStart);
    this.#texts[slot] = value;
    return value;
  }

  /** True when the value of an entry is `text`, in that case; makes no string. */
  valueIs(index: number, text: string): boolean {
    const known = this.#texts[index * TEXTS + Text.Value] as string | null;
    if (known !== null) return known === text;
    const mark = index * MARKS + Mark.ValueStart;
    const from = this.#marks[mark] as number;
    const length = (this.#marks[mark + 1] as number) - from;
    return length === text.length && this.#raw.startsWith(text, from - this.#base);
  }

  /** True when the (lower-case) name of an entry begins with `prefix`; makes no string. */
  nameStartsWith(index: number, prefix: string): boolean {
    const known = this.#texts[index * TEXTS] as string | null;
    if (known !== null) return known.startsWith(prefix);
    const id = this.idAt(index);
    if (id !== 0) return (headerNames[id] as string).startsWith(prefix);
    const at = (this.#marks[index * MARKS + Mark.NameStart] as number) - this.#base;
    const raw = this.#raw;
    return raw.charCodeAt(at) === prefix.charCodeAt(0) && raw.startsWith(prefix, at);
  }

  /** Index of the first live entry of a known id, -1 when there is none. */
  indexOfId(id: number): number {
    if (id < 31 && (this.#seen & (1 << id)) === 0) return -1;
    const marks = this.#marks;
    const end = this.#count * MARKS;
    for (let at = 0; at < end; at += MARKS) {
      if (marks[at] === id && marks[at + Mark.State] !== EntryState.Gone) return at / MARKS;
    }
    return -1;
  }

  /** Removes one entry by its index; it must be live. */
  removeAt(index: number): void {
    this.dropEntry(index);
    const id = this.idAt(index);
    if (id > 0 && id < 31 && this.indexOfId(id) < 0) this.#seen &= ~(1 << id);
  }

  // ---- For HeaderMap.

  /** Entries that are there. */
  protected get liveCount(): number {
    return this.#live;
  }

  /** True while the line can be written back as it came. */
  protected isUntouched(index: number): boolean {
    return this.#stateAt(index) === EntryState.Raw;
  }

  /** Removes the only entry of a known id. */
  protected dropOnly(index: number, id: number): void {
    this.dropEntry(index);
    this.#seen &= ~(1 << id);
  }

  protected dropAllOf(id: number): void {
    if (id < 31 && (this.#seen & (1 << id)) === 0) return;
    for (let i = 0; i < this.#count; i += 1) {
      if (this.idAt(i) === id && this.isLive(i)) this.dropEntry(i);
    }
    if (id < 31) this.#seen &= ~(1 << id);
  }

  protected dropAll(): void {
    for (let i = 0; i < this.#count; i += 1) {
      if (this.isLive(i)) this.dropEntry(i);
    }
    this.#seen = 0;
  }

  /** The whole line of an entry, made beforehand. */
  protected setLine(index: number, line: string): void {
    this.#texts[index * TEXTS + Text.Line] = line;
  }

  /** The first `length` bytes of the head, for its first line. */
  protected headStart(length: number): string {
    return this.#raw.slice(0, length);
  }

  /** The head up to the end of an untouched line, CRLF included. */
  protected headThrough(index: number): string {
    const end = this.#marks[index * MARKS + Mark.ValueEnd] as number;
    return this.#written().slice(0, end + 2 - this.#base);
  }

  /** True when names are written in the case they came in. */
  protected get keepsCase(): boolean {
    return this.#cased !== "";
  }

  protected indexOfOther(name: string, from: number): number {
    const marks = this.#marks;
    const end = this.#count * MARKS;
    for (let at = from * MARKS; at < end; at += MARKS) {
      if (marks[at] !== 0 || marks[at + Mark.State] === EntryState.Gone) continue;
      if (this.#isNamed(at / MARKS, name)) return at / MARKS;
    }
    return -1;
  }

  /** Names that came are cut only when their length is right: most are asked for by nobody. */
  #isNamed(index: number, name: string): boolean {
    const known = this.#texts[index * TEXTS] as string | null;
    if (known !== null) return known === name;
    const at = index * MARKS + Mark.NameStart;
    const length = (this.#marks[at + 1] as number) - (this.#marks[at] as number);
    return length === name.length && this.name(index) === name;
  }

  #note(id: number): void {
    if (id >= 31) this.#noteHigh(id);
    else if (id !== 0) {
      const bit = 1 << id;
      if ((this.#seen & bit) !== 0) this.#duplicated |= bit;
      this.#seen |= bit;
    }
  }

  #noteHigh(id: number): void {
    if (id >= 62) return;
    const bit = 1 << (id - 31);
    if ((this.#seenHigh & bit) !== 0) this.#duplicatedHigh |= bit;
    this.#seenHigh |= bit;
  }

  protected appendEntry(id: number, name: string, value: string): void {
    if (this.#goneAdded > GONE_MAX + this.#live) this.#compact();
    const index = this.#count;
    this.#count = index + 1;
    this.#live += 1;
    this.#putMarks(index, id, EntryState.Added, 0, 0, 0, 0);
    this.#putTexts(index * TEXTS, name, value);
    this.#note(id);
  }

  /** Entries that came stay where they are, gone or not: lines are cut from the head by them. */
  #compact(): void {
    const marks = this.#marks;
    const texts = this.#texts;
    let to = 0;
    for (let i = 0; i < this.#count; i += 1) {
      if (!this.isLive(i) && this.#isAdded(i)) continue;
      for (let k = 0; i !== to && k < MARKS; k += 1) {
        marks[to * MARKS + k] = marks[i * MARKS + k] as number;
      }
      for (let k = 0; i !== to && k < TEXTS; k += 1) {
        texts[to * TEXTS + k] = texts[i * TEXTS + k] as string | null;
      }
      to += 1;
    }
    texts.fill(null, to * TEXTS, this.#count * TEXTS);
    this.#count = to;
    this.#goneAdded = 0;
  }

  /** It did not come with the message: it has no line there. */
  #isAdded(index: number): boolean {
    return this.#marks[index * MARKS + Mark.ValueEnd] === 0;
  }

  protected setEntry(index: number, id: number, value: string): void {
    const slot = index * TEXTS;
    this.#texts[slot + Text.Line] = null;
    this.#texts[slot + Text.Value] = value;
    if (this.isUntouched(index)) this.#setState(index, EntryState.Changed);
    if (id !== 0 && id < 31 && (this.#duplicated & (1 << id)) === 0) return;
    this.#dropOthers(index);
  }

  /** "Set" leaves one entry of the name. */
  #dropOthers(index: number): void {
    const id = this.idAt(index);
    const name = this.name(index);
    for (let i = index + 1; i < this.#count; i += 1) {
      if (this.idAt(i) !== id || !this.isLive(i)) continue;
      if (id !== 0 || this.name(i) === name) this.dropEntry(i);
    }
  }

  protected dropEntry(index: number): void {
    // The name is cut now: nobody may ask later, but a removed line must not be cut by accident.
    this.#setState(index, EntryState.Gone);
    this.#live -= 1;
    if (this.#isAdded(index)) this.#goneAdded += 1;
  }

  protected appendLines(first: string): string {
    const marks = this.#marks;
    const end = this.#count * MARKS;
    const base = this.#base;
    const text = this.#written();
    let out = first;
    let at = 0;
    while (at < end) {
      const state = marks[at + Mark.State];
      if (state === EntryState.Raw) {
        // A run of untouched lines is one slice.
        const from = marks[at + Mark.NameStart] as number;
        do at += MARKS;
        while (at < end && marks[at + Mark.State] === EntryState.Raw);
        const to = marks[at - MARKS + Mark.ValueEnd] as number;
        out += text.slice(from - base, to + 2 - base);
        continue;
      }
      if (state !== EntryState.Gone) out += this.#line(at / MARKS);
      at += MARKS;
    }
    return out;
  }

  #line(index: number): string {
    const slot = index * TEXTS;
    const line = this.#texts[slot + Text.Line] as string | null;
    if (line !== null) return line;
    return `${this.writtenName(index)}: ${this.#texts[slot + Text.Value] as string}\r\n`;
  }

  /** What untouched lines are written from. */
  #written(): string {
    return this.#cased === "" ? this.#raw : this.#cased;
  }

  protected writtenName(index: number): string {
    if (this.#cased === "" || this.#stateAt(index) === EntryState.Added) return this.name(index);
    return this.#cut(this.#cased, index, Mark.NameStart);
  }

  // ---- Slots.

  #stateAt(index: number): number {
    return this.#marks[index * MARKS + Mark.State] as number;
  }

  #setState(index: number, state: number): void {
    this.#marks[index * MARKS + Mark.State] = state;
  }

  /** The name or the value of an entry in `text`; `mark` is where its start stands. */
  #cut(text: string, index: number, mark: number): string {
    const at = index * MARKS + mark;
    const base = this.#base;
    return text.slice((this.#marks[at] as number) - base, (this.#marks[at + 1] as number) - base);
  }

  #putMarks(
    index: number,
    id: number,
    state: number,
    nameStart: number,
    nameEnd: number,
    valueStart: number,
    valueEnd: number,
  ): void {
    const marks = this.#marks;
    const at = index * MARKS;
    marks[at] = id;
    marks[at + Mark.State] = state;
    marks[at + Mark.NameStart] = nameStart;
    marks[at + Mark.NameEnd] = nameEnd;
    marks[at + Mark.ValueStart] = valueStart;
    marks[at + Mark.ValueEnd] = valueEnd;
  }

  #putTexts(slot: number, name: string | null, value: string | null): void {
    const texts = this.#texts;
    texts[slot] = name;
    texts[slot + Text.Value] = value;
    texts[slot + Text.Line] = null;
  }
}

// The headers (or trailers) of one message: made by a codec, changed in place along the filter
// chain, written out by the next codec.
//
// A head that came over HTTP/1 stays one latin1 string with offsets; names and values are cut when
// somebody asks, and lines that nobody touched are written back in runs (bench/micro header-map).
// Pseudo headers (:method, :path, :authority, :scheme, :status) are fields of their own: `host` and
// `:authority` are the same thing, as in Envoy.
import { HeaderEntries } from "./header-entries.ts";
import { HeaderId, headerIdOf, headerNames, isJoinedHeader } from "./header-names.ts";

/** Positions in the pseudo headers' order. */
const Pseudo = { Authority: 1, Path: 2, Method: 3, Scheme: 4, Status: 5 } as const;

/** Envoy's order for a request that came over HTTP/1: nibbles, first entry lowest. */
const PSEUDO_ORDER_DEFAULT = 0x54321;

/** Receives entries from HeaderMap.visit. */
export interface HeaderVisitor {
  onHeader(name: string, value: string): void;
}

export class HeaderMap extends HeaderEntries {
  /** Request pseudo headers; null = not there. Values are latin1 text. Use the setters. */
  #method: string | null = null;
  #path: string | null = null;
  #authority: string | null = null;
  #scheme: string | null = null;
  /** Response status; 0 = not there. */
  #status: number = 0;
  /** Of :method, :path and :authority. */
  #pseudoChanges: number = 0;
  #pseudoOrder: number = PSEUDO_ORDER_DEFAULT;

  /** Length of the first line with its CRLF. */
  #firstLineEnd: number = 0;
  #firstLineWritten: number = 0;
  /** Index of the entry that was the Host line, -1 when there was none. */
  #hostIndex: number = -1;
  /** The first line can be written back as it came. */
  #firstLineIntact: boolean = false;
  #hostIntact: boolean = false;

  /** Makes the map empty for its next use; keeps its arrays, lets go of all text. */
  reset(): void {
    this.resetEntries();
    this.#method = null;
    this.#path = null;
    this.#authority = null;
    this.#scheme = null;
    this.#status = 0;
    this.#pseudoOrder = PSEUDO_ORDER_DEFAULT;
    this.#firstLineEnd = 0;
    this.#hostIndex = -1;
    this.#firstLineIntact = false;
    this.#hostIntact = false;
  }

  // ---- For the HTTP/1 parser: entries first, then the head's text.

  /**
   * The head is complete: `raw` is its latin1 text from buffer offset `base`, `firstLineEnd` the
   * length of its first line with CRLF. `plain` is false when some line is not exactly
   * `name: value` CRLF: then all lines are written anew.
   */
  finishRaw(raw: string, base: number, firstLineEnd: number, plain: boolean): void {
    this.#firstLineEnd = firstLineEnd;
    this.finishEntries(raw, base, plain);
  }

  /**
   * Sets what the request line said and takes the Host line as :authority. `intact` says that the
   * line may be written back as it came (origin-form, HTTP/1.1).
   */
  setRequestLine(method: string, path: string, intact: boolean): void {
    this.#method = method;
    this.#path = path;
    this.#firstLineIntact = intact;
    const host = this.indexOfId(HeaderId.Host);
    if (host < 0) return;
    this.#authority = this.value(host);
    this.#hostIndex = host;
    this.#hostIntact = this.isUntouched(host);
    this.dropOnly(host, HeaderId.Host);
  }

  /** Sets the status; `intact` says that the status line may be written back as it came. */
  setStatusLine(status: number, intact: boolean): void {
    this.#status = status;
    this.#firstLineIntact = intact;
  }

  // ---- Pseudo headers.

  get method(): string | null {
    return this.#method;
  }

  set method(value: string | null) {
    this.#method = value;
    this.#firstLineIntact = false;
    this.#notePseudo();
  }

  /** Path with query, as in the request line. */
  get path(): string | null {
    return this.#path;
  }

  set path(value: string | null) {
    this.#path = value;
    this.#firstLineIntact = false;
    this.#notePseudo();
  }

  get authority(): string | null {
    return this.#authority;
  }

  set authority(value: string | null) {
    this.#authority = value;
    this.#hostIntact = false;
    this.#notePseudo();
  }

  get scheme(): string | null {
    return this.#scheme;
  }

  set scheme(value: string | null) {
    this.#scheme = value;
  }

  /** 0 = not there. */
  get status(): number {
    return this.#status;
  }

  set status(value: number) {
    this.#status = value;
    this.#firstLineIntact = false;
  }

  /** Another number whenever :method, :path or :authority was set; never negative. */
  get pseudoChanges(): number {
    return this.#pseudoChanges;
  }

  #notePseudo(): void {
    this.#pseudoChanges = (this.#pseudoChanges + 1) & 0x3fffffff;
  }

  // ---- Look-ups. Names are lower-case. Only the first of several entries is returned.

  /** Number of entries, pseudo headers included. */
  get size(): number {
    let size = this.liveCount;
    if (this.#method !== null) size += 1;
    if (this.#path !== null) size += 1;
    if (this.#authority !== null) size += 1;
    if (this.#scheme !== null) size += 1;
    if (this.#status !== 0) size += 1;
    return size;
  }

  /** Sum of name and value lengths in bytes, pseudo headers included. */
  get byteSize(): number {
    const counter = new ByteCounter();
    this.visit(counter);
    return counter.bytes;
  }

  /** Value of a known header, undefined when it is not there. `host` is :authority. */
  getById(id: number): string | undefined {
    if (id === HeaderId.Host && this.#authority !== null) return this.#authority;
    const index = this.indexOfId(id);
    return index < 0 ? undefined : this.value(index);
  }

  /** Value of a header by lower-case name (also ":path" and its kin), undefined when not there. */
  get(name: string): string | undefined {
    const id = headerIdOf(name);
    return id !== 0 ? this.getById(id) : this.getOther(name);
  }

  /** The same for a name that is known to have no id. */
  getOther(name: string): string | undefined {
    if (name.charCodeAt(0) === 0x3a) return this.#getPseudo(name);
    const index = this.indexOfOther(name, 0);
    return index < 0 ? undefined : this.value(index);
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  /** All values of a name in order; allocates, so not for every request. */
  getAll(name: string): string[] {
    const values: string[] = [];
    if (name.charCodeAt(0) === 0x3a || name === "host") {
      const value = this.get(name);
      if (value !== undefined) values.push(value);
      return values;
    }
    for (let i = 0; i < this.entryCount; i += 1) {
      if (this.isLive(i) && this.name(i) === name) values.push(this.value(i));
    }
    return values;
  }

  /** All entries, pseudo headers first, then in order. */
  visit(visitor: HeaderVisitor): void {
    for (let order = this.#pseudoOrder; order !== 0; order >>>= 4) {
      const kind = order & 15;
      const value = this.#pseudoValue(kind);
      if (value !== null) visitor.onHeader(pseudoNames[kind] as string, value);
    }
    for (let i = 0; i < this.entryCount; i += 1) {
      if (this.isLive(i)) visitor.onHeader(this.name(i), this.value(i));
    }
  }

  /** Another map with the same entries in the same order. */
  copy(): HeaderMap {
    const copier = new HeaderCopier();
    this.visit(copier);
    copier.map.#pseudoOrder = this.#pseudoOrder;
    return copier.map;
  }

  // ---- Changes.

  /** Changes the first entry of the name in place (others go), or appends one. */
  setById(id: number, value: string): void {
    if (id === HeaderId.Host) {
      this.authority = value;
      return;
    }
    const index = this.indexOfId(id);
    if (index < 0) this.appendEntry(id, headerNames[id] as string, value);
    else this.setEntry(index, id, value);
  }

  set(name: string, value: string): void {
    const id = headerIdOf(name);
    if (id !== 0) this.setById(id, value);
    else if (name.charCodeAt(0) === 0x3a) this.#setPseudo(name, value);
    else {
      const index = this.indexOfOther(name, 0);
      if (index < 0) this.appendEntry(0, name, value);
      else this.setEntry(index, 0, value);
    }
  }

  /** Removes all entries of the name and appends one at the end, as Envoy's replace does. */
  replace(name: string, value: string): void {
    if (name.charCodeAt(0) === 0x3a || name === "host") {
      this.#setPseudo(name === "host" ? ":authority" : name, value);
      this.#pseudoToEnd(pseudoKind(name === "host" ? ":authority" : name));
      return;
    }
    this.replaceById(headerIdOf(name), name, value);
  }

  /**
   * The same for a caller who knows the id: two look-ups less. No pseudo header, and no host.
   * `line` as setLineById has it; null = it is not made.
   */
  replaceById(id: number, name: string, value: string, line: string | null = null): void {
    if (id !== 0) this.dropAllOf(id);
    else this.#dropAllOther(name);
    this.appendEntry(id, name, value);
    if (line !== null) this.setLine(this.entryCount - 1, line);
  }

  /**
   * Appends an entry even when there is one of that name; names that stand once (isJoinedHeader)
   * get the value behind a comma. Pseudo headers are set.
   */
  append(name: string, value: string): void {
    const id = headerIdOf(name);
    if (id === HeaderId.Host) this.authority = value;
    else if (name.charCodeAt(0) === 0x3a) this.#setPseudo(name, value);
    else if (id !== 0 && isJoinedHeader(id) && this.indexOfId(id) >= 0) {
      this.setById(id, `${this.getById(id) as string},${value}`);
    } else this.appendEntry(id, name, value);
  }

  appendById(id: number, value: string): void {
    if (id === HeaderId.Host) this.authority = value;
    else this.appendEntry(id, headerNames[id] as string, value);
  }

  /**
   * As setById, with the whole line (`name: value` CRLF) made beforehand: for values that are the
   * same for a configuration, a route or a connection (0.2 us a request).
   */
  setLineById(id: number, value: string, line: string): void {
    let index = this.indexOfId(id);
    if (index < 0) {
      this.appendEntry(id, headerNames[id] as string, value);
      index = this.entryCount - 1;
    } else this.setEntry(index, id, value);
    this.setLine(index, line);
  }

  removeById(id: number): void {
    if (id === HeaderId.Host) this.authority = null;
    this.dropAllOf(id);
  }

  remove(name: string): void {
    const id = headerIdOf(name);
    if (id !== 0) this.removeById(id);
    else if (name.charCodeAt(0) === 0x3a) this.#setPseudo(name, null);
    else this.#dropAllOther(name);
  }

  /** Removes every entry, pseudo headers too. */
  clear(): void {
    this.method = null;
    this.path = null;
    this.authority = null;
    this.scheme = null;
    this.status = 0;
    this.#pseudoOrder = PSEUDO_ORDER_DEFAULT;
    this.dropAll();
  }

  // ---- For serializers.

  /**
   * The request head as HTTP/1.1 text without the closing empty line: request line, host, then the
   * other lines in order. An absent :authority writes no Host line.
   */
  serializeRequest(): string {
    const hostFirst = this.#hostIndex === 0 && this.#hostIntact;
    if (this.#firstLineIntact && hostFirst) {
      this.#firstLineWritten = this.#firstLineEnd;
      return this.appendLines(this.headThrough(0));
    }
    let out = this.#firstLineIntact
      ? this.headStart(this.#firstLineEnd)
      : `${this.#method ?? "GET"} ${this.#target()} HTTP/1.1\r\n`;
    this.#firstLineWritten = out.length;
    if (this.#authority !== null) out += `${this.#hostName()}: ${this.#authority}\r\n`;
    return this.appendLines(out);
  }

  /**
   * The response head as HTTP/1.1 text without the closing empty line. `statusLine` is used unless
   * the line that came can be written back.
   */
  serializeResponse(statusLine: string): string {
    const first = this.#firstLineIntact ? this.headStart(this.#firstLineEnd) : statusLine;
    this.#firstLineWritten = first.length;
    return this.appendLines(first);
  }

  /** Length of the first line, with its CRLF, of the head that was serialized last. */
  get firstLineWritten(): number {
    return this.#firstLineWritten;
  }

  /** Header lines only, after `out`; for trailers. */
  serializeLines(out: string): string {
    return this.appendLines(out);
  }

  // ---- Private parts.

  #dropAllOther(name: string): void {
    for (let i = this.indexOfOther(name, 0); i >= 0; i = this.indexOfOther(name, i + 1)) {
      this.dropEntry(i);
    }
  }

  #hostName(): string {
    return this.keepsCase && this.#hostIndex >= 0 ? this.writtenName(this.#hostIndex) : "host";
  }

  /** Request target without :path: CONNECT names the authority (RFC 9112 3.2.3). */
  #target(): string {
    if (this.#path !== null) return this.#path;
    return this.#method === "CONNECT" ? (this.#authority ?? "") : "/";
  }

  #getPseudo(name: string): string | undefined {
    return this.#pseudoValue(pseudoKind(name)) ?? undefined;
  }

  #pseudoValue(kind: number): string | null {
    switch (kind) {
      case Pseudo.Authority:
        return this.#authority;
      case Pseudo.Path:
        return this.#path;
      case Pseudo.Method:
        return this.#method;
      case Pseudo.Scheme:
        return this.#scheme;
      case Pseudo.Status:
        return this.#status === 0 ? null : String(this.#status);
      default:
        return null;
    }
  }

  /** Unknown pseudo names are ignored: no codec could write them. */
  #setPseudo(name: string, value: string | null): void {
    switch (pseudoKind(name)) {
      case Pseudo.Authority:
        this.authority = value;
        return;
      case Pseudo.Path:
        this.path = value;
        return;
      case Pseudo.Method:
        this.method = value;
        return;
      case Pseudo.Scheme:
        this.scheme = value;
        return;
      case Pseudo.Status: {
        const status = value === null ? 0 : Number(value);
        this.status = Number.isInteger(status) && status >= 0 && status <= 999 ? status : 0;
        return;
      }
      default:
        return;
    }
  }

  #pseudoToEnd(kind: number): void {
    if (kind === 0) return;
    let kept = 0;
    let shift = 0;
    for (let order = this.#pseudoOrder; order !== 0; order >>>= 4) {
      if ((order & 15) === kind) continue;
      kept |= (order & 15) << shift;
      shift += 4;
    }
    this.#pseudoOrder = kept | (kind << shift);
  }
}

const pseudoNames: readonly string[] = ["", ":authority", ":path", ":method", ":scheme", ":status"];

function pseudoKind(name: string): number {
  switch (name) {
    case ":authority":
      return Pseudo.Authority;
    case ":path":
      return Pseudo.Path;
    case ":method":
      return Pseudo.Method;
    case ":scheme":
      return Pseudo.Scheme;
    case ":status":
      return Pseudo.Status;
    default:
      return 0;
  }
}

class ByteCounter implements HeaderVisitor {
  bytes: number = 0;
  onHeader(name: string, value: string): void {
    this.bytes += name.length + value.length;
  }
}

class HeaderCopier implements HeaderVisitor {
  readonly map: HeaderMap = new HeaderMap();
  onHeader(name: string, value: string): void {
    const id = headerIdOf(name);
    // Names that stand once may have come twice: append would join them.
    if (id === 0) this.map.append(name, value);
    else this.map.appendById(id, value);
  }
}

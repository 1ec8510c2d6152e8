// What requests of one kind have in common: method, shape of the path, names of headers. By it a
// request that stops guests again and again is known, without a value that may be secret.
import type { HeaderMap, HeaderVisitor } from "../core/header-map.ts";

export interface RequestShape {
  readonly method: string;
  /** Parts that look like numbers or keys are `:n` and `:id`; of the query only the names. */
  readonly path: string;
  /** Sorted, each once. */
  readonly headerNames: readonly string[];
}

/** What is longer is cut: clients choose these texts. */
const PATH_PARTS_MAX = 16;
const PATH_CHARS_MAX = 2048;
const HEADER_NAMES_MAX = 64;
const NAME_CHARS_MAX = 64;

/** A part of a path that is as long as this, or half as long with a digit in it, is some key. */
const KEY_CHARS = 24;

class NameCollector implements HeaderVisitor {
  readonly names: Set<string>;

  constructor() {
    this.names = new Set();
  }

  onHeader(name: string): void {
    const isPseudo = name.startsWith(":");
    if (!isPseudo && this.names.size < HEADER_NAMES_MAX) this.names.add(cut(name));
  }
}

export function requestShape(headers: HeaderMap): RequestShape {
  const collector = new NameCollector();
  headers.visit(collector);
  return {
    method: cut(headers.get(":method") ?? ""),
    path: pathShape((headers.get(":path") ?? "").slice(0, PATH_CHARS_MAX)),
    headerNames: [...collector.names].sort(),
  };
}

function pathShape(target: string): string {
  const [path = "", query = ""] = target.split("?", 2);
  const shaped = path.split("/", PATH_PARTS_MAX).map(partShape).join("/");
  if (query === "") return shaped;
  const names = query.split("&", PATH_PARTS_MAX).map((pair) => partShape(pair.split("=")[0] ?? ""));
  return `${shaped}?${names.join("&")}`;
}

function partShape(part: string): string {
  if (/^\d+$/.test(part)) return ":n";
  const isLong = part.length >= (/\d/.test(part) ? KEY_CHARS / 2 : KEY_CHARS);
  const isHex = part.length >= KEY_CHARS / 3 && /^[0-9a-f-]+$/i.test(part);
  return isLong || isHex ? ":id" : part;
}

function cut(text: string): string {
  return text.slice(0, NAME_CHARS_MAX);
}

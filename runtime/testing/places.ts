// Says where in its sources a guest was: frames of a trap or of a refused hostcall, as the lines of
// whoever wrote it, with what stands there.
import { existsSync, readFileSync } from "node:fs";
import { isAbsolute, relative, resolve } from "node:path";
import { readModuleSources, type ModuleSources } from "../src/module/source-places.ts";
import type { GuestFrame } from "../src/wasm/guest-frames.ts";

/** A frame of the guest's stack. */
export interface GuestPlace {
  readonly name: string;
  /** Absolute when the file is there; "" = not known. */
  readonly file: string;
  /** From 1 on, as is `column`; 0 = not known. */
  readonly line: number;
  readonly column: number;
  /** In the module's file. */
  readonly offset: number;
}

const PLACE = /^(.*):(\d+):(\d+)$/;
/** AssemblyScript's names begin with the path of their file. */
const FOLDERS = /(?:~lib\/)?(?:[\w@.-]+\/)+/g;
/** Lines shown before and after the one that is meant. */
const AROUND = 2;

/** Of one module. */
export class Places {
  readonly #sources: ModuleSources | null;
  readonly #root: string;

  private constructor(sources: ModuleSources | null, root: string) {
    this.#sources = sources;
    this.#root = root;
  }

  /** `root` is where paths in the map start from. A map that cannot be read is none. */
  static async of(bytes: Uint8Array, file: string, root: string): Promise<Places> {
    try {
      return new Places(await readModuleSources(bytes, file), root);
    } catch {
      return new Places(null, root);
    }
  }

  of(frame: GuestFrame): GuestPlace {
    const text = this.#sources?.textOf(frame.index, frame.offset) ?? "";
    const [, file = "", line = "0", column = "0"] = PLACE.exec(text) ?? [];
    const full = file === "" || isAbsolute(file) ? file : resolve(this.#root, file);
    const known = existsSync(full) ? full : file;
    const { offset } = frame;
    const name = frame.name.replaceAll(FOLDERS, "") || `function ${frame.index}`;
    return { name, file: known, line: Number(line), column: Number(column), offset };
  }
}

/** The first place in a file of the author's own: not of a library. */
export function ownPlace(places: readonly GuestPlace[]): GuestPlace | null {
  const isOwn = ({ file }: GuestPlace): boolean =>
    isAbsolute(file) && !file.includes("node_modules") && !/\/(?:library|rustc)\//.test(file);
  return places.find((place) => isOwn(place) && existsSync(place.file)) ?? null;
}

/** "file:line:column", the file relative to here; an offset when there is no more. */
export function placeText({ file, line, column, offset }: GuestPlace): string {
  if (line === 0) return `offset 0x${offset.toString(16)}`;
  return `${shownPath(file)}:${line}:${column}`;
}

/** Relative to the working directory when it is below. */
export function shownPath(file: string): string {
  const path = isAbsolute(file) ? relative(process.cwd(), file) : file;
  return path.startsWith("..") ? file : path;
}

/** The lines around a place, that one marked; "" when they cannot be read. */
export function codeFrame(place: GuestPlace): string {
  let lines: readonly string[] = [];
  try {
    lines = readFileSync(place.file, "utf8").split("\n");
  } catch {
    return "";
  }
  const from = Math.max(1, place.line - AROUND);
  const to = Math.min(lines.length, place.line + AROUND);
  const width = String(to).length;
  const shown: string[] = [];
  for (let line = from; line <= to; line += 1) {
    const mark = line === place.line ? ">" : " ";
    shown.push(`${mark} ${String(line).padStart(width)} | ${lines[line - 1]}`.trimEnd());
    if (line !== place.line) continue;
    shown.push(`  ${" ".repeat(width)} | ${" ".repeat(Math.max(0, place.column - 1))}^`);
  }
  return shown.join("\n");
}

/** What follows an error's first line: the author's lines, then all frames. */
export function placesText(places: readonly GuestPlace[]): string {
  const own = ownPlace(places);
  const frame = own === null ? "" : codeFrame(own);
  const shown = own === null || frame === "" ? "" : `\n\n${placeText(own)}\n${frame}\n`;
  const frames = places.map((one) => `\n  at ${one.name}, ${placeText(one)}`);
  return shown + frames.join("");
}

/** Frames as they stand in `error.stack`, those with a file. */
export function stackLines(places: readonly GuestPlace[]): string {
  return places
    .filter((place) => isAbsolute(place.file) && place.line > 0)
    .map(({ name, file, line, column }) => `\n    at ${name} (${file}:${line}:${column})`)
    .join("");
}

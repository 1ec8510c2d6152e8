// What a test of a filter fails with when it is the filter that is wrong.
import { fileURLToPath } from "node:url";
import { type GuestPlace, placesText, stackLines } from "./places.ts";

/** The sources did not compile; the message is what the compiler said, with its places. */
export class FilterCompileError extends Error {
  override readonly name = "FilterCompileError";
}

/** The guest was stopped: unreachable code, an address outside, no fuel, no memory ... */
export class GuestTrapError extends Error {
  override readonly name = "GuestTrapError";
  /** Innermost first. */
  readonly places: readonly GuestPlace[];

  constructor(plugin: string, summary: string, words: string, places: readonly GuestPlace[]) {
    const said = words === "" ? "" : `\n  ${words}`;
    super(`plugin ${plugin} was stopped: ${summary}${said}${placesText(places)}`);
    this.places = places;
    addFrames(this, places);
  }
}

/** What strict checks look at; see StrictOptions. */
export type StrictCheck = keyof StrictOptions;

/** All are on unless they are set to false. */
export interface StrictOptions {
  /** A map of headers or trailers that is not there in that callback. */
  readonly wrongPhase?: boolean;
  /** The request is continued, or answered again, after a local reply. */
  readonly afterReply?: boolean;
  /** Calls that nobody expected, that do not match, that were not made or not answered. */
  readonly callouts?: boolean;
  /** A plugin that answered false to on_done and never called proxy_done. */
  readonly contexts?: boolean;
}

/** Something that works somehow, but that no filter should do. */
export class StrictError extends Error {
  override readonly name = "StrictError";
  readonly check: StrictCheck;
  readonly places: readonly GuestPlace[];

  constructor(check: StrictCheck, message: string, places: readonly GuestPlace[] = []) {
    const off = `\n(strict check "${check}": { strict: { ${check}: false } } turns it off)`;
    super(message + placesText(places) + off);
    this.check = check;
    this.places = places;
    addFrames(this, places);
  }
}

/** Several of them at once. */
export function joined(errors: readonly Error[]): Error {
  const seen = new Set<string>();
  const different = errors.filter(({ message }) => !seen.has(message) && seen.add(message));
  const [first] = different;
  if (first === undefined) return new Error("nothing is wrong");
  if (different.length === 1) return first;
  const list = different.map(({ message }, at) => `${at + 1}. ${message}`).join("\n\n");
  const error = new AggregateError(different, `${different.length} things are wrong:\n\n${list}`);
  error.name = first.name;
  return error;
}

/** What a test has done wrong, told at the test's line. */
export function misuse(message: string): Error {
  const error = new Error(message);
  addFrames(error, []);
  return error;
}

const PACKAGE = fileURLToPath(new URL("..", import.meta.url));

/** The guest's frames stand before those of the test; ours tell an author nothing. */
function addFrames(error: Error, places: readonly GuestPlace[]): void {
  const frames = (error.stack ?? "").split("\n").filter((line) => /^ {4}at /.test(line));
  const isTests = (line: string): boolean => !line.includes(PACKAGE) || line.includes(".test.");
  const own = frames.filter(isTests).map((line) => `\n${line}`);
  error.stack = `${error.name}: ${error.message}${stackLines(places)}${own.join("")}`;
}

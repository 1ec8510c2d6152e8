// Regular expressions with RE2's syntax and linear time, over re2js; compiled once at
// configuration.
import { RE2JS, RE2JSException } from "re2js";

const CACHE_MAX = 128;
/** Longer texts are not worth remembering, and a client could send many. */
const CACHED_LENGTH_MAX = 256;

/** Of one thread. */
class RegexCounts {
  /** How often one forgot its answers, as they were too many: only grows. */
  forgotten: number = 0;
}

export const regexCounts: RegexCounts = new RegexCounts();

export class Regex {
  readonly source: string;
  readonly #compiled: RE2JS;
  /** Answers of full matches by input: paths repeat. Bounded; emptied when full. */
  readonly #answers: Map<string, boolean>;

  private constructor(source: string, compiled: RE2JS) {
    this.source = source;
    this.#compiled = compiled;
    this.#answers = new Map();
  }

  /** Compiles `source`, or says in words why RE2 refuses it. */
  static tryCompile(source: string): Regex | string {
    try {
      return new Regex(source, RE2JS.compile(source));
    } catch (error) {
      if (error instanceof RE2JSException) return error.message;
      throw error;
    }
  }

  /** Compiles a source that configuration has checked; throws on a bad one. */
  static compile(source: string): Regex {
    const regex = Regex.tryCompile(source);
    if (typeof regex === "string") throw new Error(`bad regular expression "${source}": ${regex}`);
    return regex;
  }

  /** The whole of `text` matches. */
  matches(text: string): boolean {
    const known = this.#answers.get(text);
    if (known !== undefined) return known;
    const answer = this.#compiled.matches(text);
    if (text.length > CACHED_LENGTH_MAX) return answer;
    if (this.#answers.size >= CACHE_MAX) {
      this.#answers.clear();
      regexCounts.forgotten += 1;
    }
    this.#answers.set(text, answer);
    return answer;
  }

  get rememberedForTest(): number {
    return this.#answers.size;
  }

  /** Some part of `text` matches. */
  find(text: string): boolean {
    return this.#compiled.matcher(text).find();
  }

  /**
   * Every match replaced by `substitution`, in which \0..\9 stand for the whole match and the
   * groups and \\ for a backslash (RE2's rewrite form, as in RegexMatchAndSubstitute).
   */
  replaceAll(text: string, substitution: string): string {
    const matcher = this.#compiled.matcher(text);
    let out = "";
    let at = 0;
    while (matcher.find()) {
      const start = matcher.start();
      const end = matcher.end();
      out += text.slice(at, start) + expand(substitution, (group) => matcher.group(group) ?? "");
      at = end;
    }
    return out + text.slice(at);
  }

  /** Number of capturing groups; for checking substitutions. */
  get groupCount(): number {
    return this.#compiled.groupCount();
  }
}

function expand(substitution: string, group: (index: number) => string): string {
  let out = "";
  for (let i = 0; i < substitution.length; i += 1) {
    const char = substitution[i] as string;
    const next = substitution[i + 1];
    if (char !== "\\" || next === undefined) {
      out += char;
      continue;
    }
    out += next >= "0" && next <= "9" ? group(Number(next)) : next;
    i += 1;
  }
  return out;
}

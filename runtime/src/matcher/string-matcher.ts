// Conditions on a text (StringMatcher), compiled once: used by headers, queries and whoever matches
// names.
import { Regex } from "../core/regex.ts";
import type { StringMatchConfig } from "../config/route-config.ts";

/** One condition on a text. */
export interface StringMatcher {
  matches(text: string): boolean;
}

/**
 * Case-insensitive conditions are compared in ASCII lower case, both sides. The texts that will be
 * tried are latin1, one character a byte, so the configured UTF-8 text becomes its bytes too.
 */
export function compileStringMatch(config: StringMatchConfig): StringMatcher {
  const regex = config.kind === "regex" ? Regex.compile(config.value) : null;
  const bytes = isAscii(config.value)
    ? config.value
    : Buffer.from(config.value, "utf8").toString("latin1");
  const value = config.ignoreCase ? asciiLower(bytes) : bytes;
  return new CompiledStringMatcher(config.kind, value, config.ignoreCase, regex);
}

class CompiledStringMatcher implements StringMatcher {
  readonly #kind: StringMatchConfig["kind"];
  readonly #value: string;
  readonly #ignoreCase: boolean;
  readonly #regex: Regex | null;

  constructor(
    kind: StringMatchConfig["kind"],
    value: string,
    ignoreCase: boolean,
    regex: Regex | null,
  ) {
    this.#kind = kind;
    this.#value = value;
    this.#ignoreCase = ignoreCase;
    this.#regex = regex;
  }

  matches(text: string): boolean {
    if (this.#regex !== null) return this.#regex.matches(text);
    const subject = this.#ignoreCase ? asciiLower(text) : text;
    switch (this.#kind) {
      case "exact":
        return subject === this.#value;
      case "prefix":
        return subject.startsWith(this.#value);
      case "suffix":
        return subject.endsWith(this.#value);
      default:
        return subject.includes(this.#value);
    }
  }
}

/** Texts are latin1 bytes: toLowerCase would also change letters above 0x7f. */
function asciiLower(text: string): string {
  return isAscii(text) ? text.toLowerCase() : text.replace(/[A-Z]+/g, (run) => run.toLowerCase());
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i += 1) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}

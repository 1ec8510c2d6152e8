/**
 * Regular expressions whose search takes time linear in the text, whatever the pattern: the syntax
 * of RE2 without `\p` and `\C`. Back-references and look-around are refused.
 *
 * Text is matched by code points, so `.` takes one emoji, and one lone surrogate. `(?i)`, `\d`,
 * `\s`, `\w`, `\b` and `[[:alpha:]]` know ASCII only. Of several matches the leftmost is found, and
 * of those there the one that Perl would find.
 */
import { groupsRead, namesRead, readPattern, refusePattern } from "./regex-parser";
import { takeCode, takeSets } from "./regex-program";
import { RegexProgram, search, slotOf } from "./regex-search";

export { regexProblem } from "./regex-parser";

/** Words of both lists of ways that a search keeps: 1 MiB. */
const WAY_WORDS_MAX: i32 = 1 << 18;

/** A compiled pattern. To compile costs as much as many searches: do so when configured. */
@final
export class Regex {
  private constructor(
    private readonly program: RegexProgram,
    private readonly names: string[],
  ) {}

  /** Null when the pattern is not valid or too large; `regexProblem()` then says why and where. */
  static compile(pattern: string): Regex | null {
    if (!readPattern(pattern)) return null;
    const code = takeCode();
    const slots = groupsRead() * 2 + 2;
    if (code.length * (slots + 1) > WAY_WORDS_MAX) {
      refusePattern("too many groups for a pattern of this size");
      return null;
    }
    return new Regex(new RegexProgram(code, takeSets(), slots), namesRead());
  }

  /** Number of groups, the whole match not counted. */
  get groupCount(): i32 {
    return this.names.length - 1;
  }

  /** Instructions of its program, at most 5000: the most work that one character can be. */
  get length(): i32 {
    return this.program.length;
  }

  /** Which group has this name; -1 when none has. */
  groupNamed(name: string): i32 {
    return name == "" ? -1 : this.names.indexOf(name);
  }

  /** Whether it matches anywhere in the text. */
  test(text: string): bool {
    return search(this.program, text, 0, false, false);
  }

  /** Whether it matches the whole text, which is what Envoy's `safe_regex` asks. */
  matches(text: string): bool {
    return search(this.program, text, 0, true, false);
  }

  /** The first match at `from` or behind it; null when there is none. */
  find(text: string, from: i32 = 0): RegexMatch | null {
    if (from < 0 || from > text.length) return null;
    return search(this.program, text, from, false, true) ? takeMatch(this.program, text) : null;
  }

  /** The match of the whole text with its groups; null when it does not match. */
  findWhole(text: string): RegexMatch | null {
    return search(this.program, text, 0, true, true) ? takeMatch(this.program, text) : null;
  }
}

/** Where a pattern was found. Group 0 is all of it. */
@final
export class RegexMatch {
  constructor(
    private readonly text: string,
    private readonly slots: StaticArray<i32>,
  ) {}

  /** Where a group begins, in UTF-16 units; -1 when it took no part or does not exist. */
  start(group: i32 = 0): i32 {
    return this.slot(group, 0);
  }

  /** Where it ends. */
  end(group: i32 = 0): i32 {
    return this.slot(group, 1);
  }

  /** What it took; null when it took no part. */
  group(group: i32 = 0): string | null {
    const start = this.start(group);
    return start < 0 ? null : this.text.substring(start, this.end(group));
  }

  private slot(group: i32, side: i32): i32 {
    return group < 0 || group >= this.slots.length >> 1 ? -1 : this.slots[group * 2 + side];
  }
}

function takeMatch(program: RegexProgram, text: string): RegexMatch {
  const slots = new StaticArray<i32>(program.slots);
  for (let i = 0; i < slots.length; i++) slots[i] = slotOf(i);
  return new RegexMatch(text, slots);
}

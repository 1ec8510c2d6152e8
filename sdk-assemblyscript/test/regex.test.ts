// The kit's regular expressions against Node's own, where the two languages agree, and by the rules
// of RE2 where they do not.
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { KitGuest } from "./kit-guest.ts";

let guest: KitGuest;

beforeAll(async () => {
  guest = await KitGuest.create();
});

function compile(pattern: string): void {
  expect({ pattern, problem: guest.text("regex_compile", [pattern]) }).toEqual({
    pattern,
    problem: null,
  });
}

/** Where every group stands: "start,end start,end". */
function found(text: string, from = 0): string | null {
  return guest.text("regex_find", [text], from);
}

function foundByNode(pattern: string, text: string): string | null {
  const match = new RegExp(pattern, "du").exec(text);
  if (match === null) return null;
  const places = (match as unknown as { indices: ([number, number] | undefined)[] }).indices;
  return places.map((place) => (place ?? [-1, -1]).join(",")).join(" ");
}

test.each([
  ["", "", "0,0"],
  ["", "abc", "0,0"],
  ["a", "ba", "1,2"],
  ["a|ab", "ab", "0,1"],
  ["ab|a", "ab", "0,2"],
  ["a|b|c|", "d", "0,0"],
  ["(a)(b)?", "a", "0,1 0,1 -1,-1"],
  ["(a*)(a*?)a", "aaa", "0,3 0,2 2,2"],
  ["(?:a|(b))*", "ab", "0,2 1,2"],
  ["(?P<x>a)(?<y>b)", "ab", "0,2 0,1 1,2"],
  ["a{2}", "aaa", "0,2"],
  ["a{2,}", "aaaa", "0,4"],
  ["a{2,}?", "aaaa", "0,2"],
  ["a{1,3}", "aaaa", "0,3"],
  ["a{1,3}?", "aaaa", "0,1"],
  ["a{0,2}b", "aaab", "1,4"],
  ["a{0}b", "ab", "1,2"],
  ["(a){3}", "aaa", "0,3 2,3"],
  ["x{,2}", "x{,2}", "0,5"],
  ["a{", "a{", "0,2"],
  ["(?U)a+", "aa", "0,1"],
  ["(?U)a+?", "aa", "0,2"],
  ["(?i)aBc", "AbC", "0,3"],
  ["(?i:a)b", "Ab", "0,2"],
  ["(?i:a)b", "AB", null],
  ["(?i)a(?-i)b", "AB", null],
  ["(?i)[a-c]+", "xAbCd", "1,4"],
  ["(?i)[^a]", "aAb", "2,3"],
  ["(a(?i)b|c)d", "aBd", "0,3 0,2"],
  ["(a(?i)b|c)d", "Cd", "0,2 0,1"],
  ["(a(?i)b|c)d", "cD", null],
  ["(?s).", "\n", "0,1"],
  [".", "\n", null],
  [".", "\r", "0,1"],
  ["^b", "a\nb", null],
  ["(?m)^b$", "a\nb\nc", "2,3"],
  ["a$", "a\n", null],
  ["(?m)a$", "a\n", "0,1"],
  ["\\Aa\\z", "a", "0,1"],
  ["\\bfoo\\b", "a foo.", "2,5"],
  ["\\Boo", "foo", "1,3"],
  ["\\d+\\D", "ab12c", "2,5"],
  ["\\w+", "-a_9-", "1,4"],
  ["[\\w.-]+@[\\w-]+", "to a.b-c@d-e!", "3,12"],
  ["\\W", "aé", "1,2"],
  ["\\s", "\v", null],
  ["[[:space:]]", "\v", "0,1"],
  ["[[:^alpha:]]+", "ab12", "2,4"],
  ["[[:punct:]]", "a~", "1,2"],
  ["[^\\d\\s]+", "1 ab", "2,4"],
  ["[\\D]", "1a", "1,2"],
  ["[[:a]+", ":[a", "0,3"],
  ["[]a]+", "]a", "0,2"],
  ["[^]a]", "]ab", "2,3"],
  ["[a-]+", "-a", "0,2"],
  ["[-a]+", "-a", "0,2"],
  ["[a\\]]+", "]a", "0,2"],
  ["[+--]+", "+,-.", "0,3"],
  ["\\Qa.b\\E+", "a.bb", "0,4"],
  ["\\Qa.b", "a.b", "0,3"],
  ["\\x41\\x{1F600}", "A😀", "0,3"],
  ["\\0\\012", "\0\n", "0,2"],
  ["\\.\\/\\-\\_", "./-_", "0,4"],
  [".", "😀", "0,2"],
  ["[😀-😂]", "a😁", "1,3"],
  ["[^a]", "😁", "0,2"],
  ["😀+", "😀😀", "0,4"],
  [".", "\ud800a", "0,1"],
  ["(?:)*", "", "0,0"],
  ["(?:|a)*", "aa", "0,0"],
  ["(?:|a)+", "aa", "0,0"],
  ["(a*)*", "aab", "0,2 0,2"],
  ["(a*)+", "b", "0,0 0,0"],
  ["(a|b)*?c", "abc", "0,3 1,2"],
])("%j finds in %j %j", (pattern, text, expected) => {
  compile(pattern);
  expect(found(text)).toBe(expected);
  expect(guest.bool("regex_test", [text])).toBe(expected !== null);
});

test.each([
  ["a|ab", "ab"],
  ["a*?", "aaa"],
  ["(?:a|b)c", "bc"],
])("%j matches all of %j", (pattern, text) => {
  compile(pattern);
  expect(guest.bool("regex_matches", [text])).toBe(true);
  expect(guest.bool("regex_matches", [`${text}x`])).toBe(false);
  expect(guest.bool("regex_matches", [`x${text}`])).toBe(false);
});

test("groups are known by their names", () => {
  compile("(?P<user>[^@]+)@(?P<host>.+)");
  expect(guest.text("regex_group", ["me@there", "user"])).toBe("me");
  expect(guest.text("regex_group", ["me@there", "host"])).toBe("there");
  expect(guest.text("regex_group", ["me@there", "nobody"])).toBeNull();
  expect(guest.text("regex_group", ["me", "user"])).toBeNull();
});

test("a search may begin later and still sees what was before", () => {
  compile("\\bb|^c");
  expect(found("ab", 1)).toBeNull();
  expect(found("cc", 1)).toBeNull();
  expect(found("b b", 1)).toBe("2,3");
  expect(found("b", 1)).toBeNull();
  expect(found("b", 2)).toBeNull();
  expect(found("b", -1)).toBeNull();
});

test.each([
  ["(", "missing ) at character 2"],
  ["(?:a", "missing ) at character 5"],
  ["a)", "unexpected ) at character 2"],
  ["*", "nothing to repeat at character 2"],
  ["a|+", "nothing to repeat at character 4"],
  ["a**", "quantifier behind a quantifier at character 4"],
  ["a{2}{3}", "quantifier behind a quantifier at character 8"],
  ["a{1001}", "repeats more than 1000 times at character 8"],
  ["a{3,2}", "repeats at most less often than at least at character 7"],
  ["[a", "missing ] at character 3"],
  ["[]", "missing ] at character 3"],
  ["[b-a]", "bad range in a set at character 5"],
  ["[a-\\d]", "bad range in a set at character 6"],
  ["[[:no:]]", "unknown set name at character 2"],
  ["\\", "backslash at the end at character 1"],
  ["\\y", "unknown escape at character 2"],
  ["\\pL", "unknown escape at character 2"],
  ["(a)\\1", "back-references are not supported at character 5"],
  ["\\x4", "bad hexadecimal escape at character 4"],
  ["\\x{110000}", "bad hexadecimal escape at character 9"],
  ["(?=a)", "look-around is not supported at character 3"],
  ["(?<!a)", "look-around is not supported at character 3"],
  ["(?q)", "unknown flag at character 4"],
  ["(?i-)", "unknown flag at character 6"],
  ["(?", "unknown flag at character 3"],
  ["(?P=a)", "expected (?P<name> at character 4"],
  ["(?P<a", "bad group name at character 6"],
  ["(?P<a>)(?P<a>)", "group name appears twice at character 13"],
  ["((a{100}){100}){100}", "pattern is too large once it is compiled at character 16"],
  ["(".repeat(101), "groups are nested too deep at character 101"],
  ["a".repeat(8193), "pattern is longer than 8192 characters at character 1"],
  ["(a)".repeat(500), "too many groups for a pattern of this size"],
])("refuses %.30j", (pattern, problem) => {
  expect(guest.text("regex_compile", [pattern])).toBe(problem);
});

describe("random patterns", () => {
  const atom = fc.oneof(
    fc.constantFrom("a", "b", "c", "ab", ".", "[ab]", "[^a]", "\\w", "\\d", "[b-c1]", "😀", "\\W"),
    fc.constantFrom("^", "$", "\\b", "\\B"),
  );
  const quantifier = fc.constantFrom("", "", "*", "+", "?", "{2}", "{1,2}", "{0,3}", "{1,}");
  const lazy = fc.constantFrom("", "", "?");

  /** `isRepeated`: inside of a quantifier, where Node forgets what groups held, and Perl does not. */
  function pattern(depth: number, isRepeated: boolean): fc.Arbitrary<string> {
    if (depth === 0) return atom;
    const inner = fc
      .array(pattern(depth - 1, isRepeated), { maxLength: 3 })
      .map((all) => all.join(""));
    const choice = fc.array(inner, { minLength: 1, maxLength: 3 }).map((all) => all.join("|"));
    const opening = isRepeated ? fc.constant("(?:") : fc.constantFrom("(", "(?:");
    const group = fc.tuple(opening, choice).map(([open, all]) => `${open}${all})`);
    const body = pattern(depth - 1, true).filter((text) => text !== "");
    // A part that may match nothing is repeated by other rules in Node: one is put before it.
    const repeated = fc
      .tuple(body, quantifier, lazy)
      .map(([text, count, least]) => `(?:b(?:${text}))${count}${count === "" ? "" : least}`);
    return fc.oneof(
      atom,
      group,
      repeated,
      choice.map((all) => `(?:${all})`),
    );
  }

  const text = fc.string({ unit: fc.constantFrom("a", "b", "c", "1", "-", "😀"), maxLength: 12 });

  test("find what Node finds, with the same groups", () => {
    const cases = fc.tuple(pattern(4, false), fc.array(text, { minLength: 3, maxLength: 3 }));
    fc.assert(
      fc.property(cases, ([source, texts]) => {
        compile(source);
        for (const some of texts) {
          // Node finds \\B between the two halves of a character.
          const subject = source.includes("\\B") ? some.replaceAll("😀", "é") : some;
          const expected = foundByNode(source, subject);
          expect(found(subject), `${source} in ${subject}`).toBe(expected);
          expect(guest.bool("regex_test", [subject])).toBe(expected !== null);
          const isWhole = new RegExp(`^(?:${source})$`, "u").test(subject);
          expect(guest.bool("regex_matches", [subject]), `all of ${subject}`).toBe(isWhole);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test("of any characters compile or are refused, and never trap", () => {
    const unit = fc.constantFrom(..."ab\\()[]{}*+?|^$.-,:<>=!PiQEdwx0123:alpha".split(""));
    let taken = 0;
    const source = fc.oneof(fc.string({ unit, maxLength: 30 }), fc.string({ unit: "binary" }));
    fc.assert(
      fc.property(source, text, (some, subject) => {
        if (guest.text("regex_compile", [some]) !== null) return;
        taken += 1;
        const isThere = guest.bool("regex_test", [subject]);
        expect(found(subject) !== null).toBe(isThere);
      }),
      { numRuns: 5000 },
    );
    expect(taken).toBeGreaterThan(1000);
  });
});

test.each(["(a*)*b", "(a|aa)+c", "(?:a?){30}a{30}b", "^(([a-z])+.)+[A-Z]([a-z])+$"])(
  "%j answers where a backtracking search would not end",
  (pattern) => {
    compile(pattern);
    expect(guest.bool("regex_test", ["a".repeat(5000)])).toBe(false);
    expect(found("a".repeat(5000))).toBeNull();
  },
);

import { describe, expect, test } from "vitest";
import type { MatcherConfig, OnMatchConfig, PredicateConfig } from "../config/matcher-config.ts";
import { compileMatcher } from "./match-tree.ts";
import type { MatchInput } from "./match-tree.ts";

/** What is looked at: fields by name. */
type Context = Readonly<Record<string, string>>;
type Config = MatcherConfig<string, string>;

function field(name: string): MatchInput<Context> {
  return { read: (context) => context[name] ?? null };
}

function find(config: Config, context: Context): string | null {
  return compileMatcher(config, field).match(context);
}

function to(action: string, more: Partial<OnMatchConfig<string, string>> = {}) {
  return { matcher: null, action, keepsMatching: false, ...more };
}

function nested(matcher: Config): OnMatchConfig<string, string> {
  return { matcher, action: null, keepsMatching: false };
}

function map(
  kind: "exact" | "prefix" | "domains",
  entries: Readonly<Record<string, OnMatchConfig<string, string>>>,
  onNoMatch: OnMatchConfig<string, string> | null = null,
): Config {
  return { kind, input: "a", entries: Object.entries(entries), onNoMatch };
}

function is(input: string, value: string): PredicateConfig<string> {
  return { kind: "string", input, match: { kind: "exact", value, ignoreCase: false } };
}

function list(
  rules: readonly (readonly [PredicateConfig<string>, OnMatchConfig<string, string>])[],
  onNoMatch: OnMatchConfig<string, string> | null = null,
): Config {
  return {
    kind: "list",
    rules: rules.map(([predicate, onMatch]) => ({ predicate, onMatch })),
    onNoMatch,
  };
}

const nothing: Config = { kind: "none", onNoMatch: null };

describe("maps", () => {
  test("an exact map takes the whole text, and nothing where there is none", () => {
    const config = map("exact", { x: to("X"), "": to("empty") }, to("else"));
    expect(find(config, { a: "x" })).toBe("X");
    expect(find(config, { a: "xy" })).toBe("else");
    expect(find(config, { a: "" })).toBe("empty");
    expect(find(config, {})).toBe("else");
    expect(find(map("exact", { x: to("X") }), { a: "y" })).toBeNull();
  });

  test("a prefix map tries shorter keys when the longer one's matcher finds nothing", () => {
    const config = map("prefix", { a: to("A"), abc: nested(nothing), ab: to("AB") });
    expect(find(config, { a: "abcd" })).toBe("AB");
    expect(find(config, { a: "ax" })).toBe("A");
    expect(find(config, { a: "x" })).toBeNull();
  });

  test("a nested matcher that finds nothing leads to on_no_match of the outer one", () => {
    const inner = map("exact", { y: to("Y") });
    expect(find(map("exact", { x: nested(inner) }, to("outer")), { a: "x" })).toBe("outer");
    const caught = map("exact", { y: to("Y") }, to("inner"));
    expect(find(map("exact", { x: nested(caught) }, to("outer")), { a: "x" })).toBe("inner");
  });

  test("domains: the name, then wildcards from the longest, then all", () => {
    const config = map("domains", {
      "a.test": to("exact"),
      ".test": to("short"),
      ".b.test": to("long"),
      ".c.test": nested(nothing),
      "": to("all"),
    });
    expect(find(config, { a: "a.test" })).toBe("exact");
    expect(find(config, { a: "x.y.b.test" })).toBe("long");
    expect(find(config, { a: "b.test" })).toBe("short");
    expect(find(config, { a: "x.c.test" })).toBe("short");
    expect(find(config, { a: "else" })).toBe("all");
    expect(find(config, {})).toBeNull();
  });
});

describe("lists", () => {
  test("the first rule that matches decides; one whose matcher finds nothing is passed over", () => {
    const config = list([
      [is("a", "1"), nested(nothing)],
      [is("b", "1"), to("second")],
      [is("a", "1"), to("third")],
    ]);
    expect(find(config, { a: "1", b: "1" })).toBe("second");
    expect(find(config, { a: "1" })).toBe("third");
    expect(find(config, { a: "2" })).toBeNull();
  });

  test("keep_matching goes on, in rules, maps and on_no_match", () => {
    const kept = to("kept", { keepsMatching: true });
    expect(
      find(
        list([
          [is("a", "1"), kept],
          [is("a", "1"), to("next")],
        ]),
        { a: "1" },
      ),
    ).toBe("next");
    expect(find(map("exact", { x: kept }, to("else")), { a: "x" })).toBe("else");
    expect(find({ kind: "none", onNoMatch: kept }, {})).toBeNull();
  });

  test("predicates: and, or, not; what is not there matches nothing", () => {
    const both = { kind: "and", predicates: [is("a", "1"), is("b", "1")] } as const;
    const either = { kind: "or", predicates: [is("a", "1"), is("b", "1")] } as const;
    const not = { kind: "not", predicate: is("a", "1") } as const;
    const holds = (predicate: PredicateConfig<string>, context: Context): boolean =>
      find(list([[predicate, to("yes")]]), context) === "yes";
    expect([holds(both, { a: "1" }), holds(both, { a: "1", b: "1" })]).toEqual([false, true]);
    expect([holds(either, { b: "1" }), holds(either, { b: "2" })]).toEqual([true, false]);
    expect([holds(not, { a: "1" }), holds(not, { a: "2" }), holds(not, {})]).toEqual([
      false,
      true,
      true,
    ]);
  });

  test("ranges of addresses in a predicate", () => {
    const ranges = [
      { address: "10.0.0.0", prefixLength: 8 },
      { address: "2001:db8::", prefixLength: 32 },
    ];
    const config = list([[{ kind: "ip", input: "a", ranges }, to("in")]]);
    expect(find(config, { a: "10.9.8.7" })).toBe("in");
    expect(find(config, { a: "2001:db8:1::1" })).toBe("in");
    expect(find(config, { a: "11.0.0.1" })).toBeNull();
    expect(find(config, { a: "no address" })).toBeNull();
  });
});

describe("ranges", () => {
  const range = (text: string) => {
    const [address = "", length = "0"] = text.split("/");
    return { address, prefixLength: Number(length) };
  };
  const tree = (isExclusive: boolean): Config => ({
    kind: "ranges",
    input: "a",
    onNoMatch: to("else"),
    ranges: [
      { ranges: [range("10.0.0.0/8")], onMatch: to("wide"), isExclusive: false },
      { ranges: [range("10.1.0.0/16"), range("fd00::/8")], onMatch: to("mid"), isExclusive },
      { ranges: [range("10.1.1.1/32")], onMatch: nested(nothing), isExclusive: false },
    ],
  });

  test("the longest prefix decides, in both families", () => {
    expect(find(tree(false), { a: "10.2.0.1" })).toBe("wide");
    expect(find(tree(false), { a: "10.1.2.3" })).toBe("mid");
    expect(find(tree(false), { a: "fd00::1" })).toBe("mid");
    expect(find(tree(false), { a: "192.0.2.1" })).toBe("else");
  });

  test("where it finds nothing the next shorter one is asked, unless that is exclusive", () => {
    expect(find(tree(false), { a: "10.1.1.1" })).toBe("mid");
    expect(find(tree(true), { a: "10.1.1.1" })).toBe("wide");
    expect(find(tree(true), { a: "10.1.2.3" })).toBe("mid");
  });
});

test("a matcher of many levels is followed to its end", () => {
  let config = map("exact", { x: to("deep") });
  for (let depth = 0; depth < 90; depth += 1) config = map("exact", { x: nested(config) });
  expect(find(config, { a: "x" })).toBe("deep");
});

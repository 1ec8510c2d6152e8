import { describe, expect, test } from "vitest";
import { canonicalPath, mergeSlashes, PATH_INVALID, unescapeSlashes } from "./path-normalizer.ts";

describe("canonicalPath", () => {
  // Answers of Envoy 1.40.
  const cases: readonly (readonly [string, string])[] = [
    ["/", "/"],
    ["/a", "/a"],
    ["/a/../secret", "/secret"],
    ["/a/./b", "/a/b"],
    ["/..", "/"],
    ["/../x", "/x"],
    ["/a//../b", "/a/b"],
    ["/%2e%2e/secret", "/secret"],
    ["/%61%7e%41", "/a~A"],
    ["/a/b/..", "/a/"],
    ["/a?x=../y", "/a?x=../y"],
    ["/%zz", "/%zz"],
    ["/a/%2E", "/a/"],
    ["/a\\b", "/a/b"],
    ["/x%c3%a9", "/x%c3%a9"],
    ["/.a/..b/c.", "/.a/..b/c."],
    ["/a%2fb", "/a%2fb"],
    ["/a b", "/a%20b"],
    ["//", "//"],
    ["/a/...", "/a/..."],
    ["/%", "/%"],
    ["/%4", "/%4"],
  ];
  for (const [path, wanted] of cases) {
    test(`${path} becomes ${wanted}`, () => {
      expect(canonicalPath(path)).toBe(wanted);
    });
  }

  test("refuses an escaped NUL", () => {
    expect(canonicalPath("/a%00b")).toBe(PATH_INVALID);
    expect(canonicalPath("/a?x=%00")).toBe("/a?x=%00");
  });

  test("changes nothing the second time", () => {
    for (const [path] of cases) {
      const once = canonicalPath(path) as string;
      expect(canonicalPath(once)).toBe(once);
    }
  });
});

test("unescapeSlashes leaves the query alone", () => {
  expect(unescapeSlashes("/a%2Fb%5cc?x=%2f")).toBe("/a/b\\c?x=%2f");
  expect(unescapeSlashes("/a?x=%2f")).toBe("/a?x=%2f");
  expect(unescapeSlashes("/a%20b")).toBe("/a%20b");
});

test("mergeSlashes leaves the query alone", () => {
  expect(mergeSlashes("//a///b//?x=//y")).toBe("/a/b/?x=//y");
  expect(mergeSlashes("/a?x=//y")).toBe("/a?x=//y");
  expect(mergeSlashes("/a/")).toBe("/a/");
});

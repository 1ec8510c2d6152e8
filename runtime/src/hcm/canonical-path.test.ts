// What Envoy 1.40 made of these paths with normalize_path, merge_slashes and the escaped-slash
// actions.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { canonicalPath, mergeSlashes, unescapeSlashes } from "./canonical-path.ts";

describe("canonicalPath", () => {
  test.each([
    ["/", "/"],
    ["/plain/path.html", "/plain/path.html"],
    ["/a/../secret", "/secret"],
    ["/a/./b", "/a/b"],
    ["/..", "/"],
    ["/../x", "/x"],
    ["/a//../b", "/a/b"],
    ["/a//..", "/a/"],
    ["/a//.", "/a//"],
    ["//..//", "//"],
    ["/a/b/..", "/a/"],
    ["/a/.", "/a/"],
    ["/...", "/..."],
    ["/a/.b", "/a/.b"],
    ["/a/..b", "/a/..b"],
    ["/%2e%2E/secret", "/secret"],
    ["/a/.%2e", "/"],
    ["/a%2Eb", "/a.b"],
    ["/%61%7e%41%5F%2D", "/a~A_-"],
    ["/a?x=../y", "/a?x=../y"],
    ["/a/..?x", "/?x"],
    ["/a\\b", "/a/b"],
    ["/a\\..\\b", "/b"],
    ["/\\", "//"],
    ["/%zz", "/%zz"],
    ["/%", "/%"],
    ["/%6", "/%6"],
    ["/x%c3%a9", "/x%c3%a9"],
    ["/%2F..%2fb", "/%2F..%2fb"],
    ["/%20%7f", "/%20%7f"],
    ['/|^`{}"<>', "/%7C%5E%60%7B%7D%22%3C%3E"],
    ["/[a]!$&'()*+,;=:@", "/[a]!$&'()*+,;=:@"],
  ])("%s becomes %s", (path, expected) => {
    expect(canonicalPath(path)).toBe(expected);
  });

  test.each([
    ["/%2%65", "/%252e"],
    ["/%%36%35", "/%2565"],
    ["/%2%35", "/%2525"],
    ["/%%41", "/%A"],
    ["/%%41a", "/%25Aa"],
    ["/%a%61b", "/%25aab"],
    ["/%%41/..", "/"],
    ["/a/%2%65%2e/b", "/a/%252e./b"],
    ["/%25%32%65", "/%252e"],
  ])("unescaping never makes a new escape: %s becomes %s", (path, expected) => {
    expect(canonicalPath(path)).toBe(expected);
  });

  test.each([
    ["/a/..;/b", "/b"],
    ["/a/..;x=1;y", "/"],
    ["/a/.;/b", "/a/b"],
    ["/a/..;\\b", "/"],
    ["/a;x/../b", "/b"],
    ["/a/;/b", "/a/;/b"],
    ["/a/...;/b", "/a/...;/b"],
    ["/a/%2e%2e;/b", "/a/..;/b"],
    ["/a\\..;/b", "/a/..;/b"],
    ["/..;?x;/y", "/?x;/y"],
  ])("dot segments may carry parameters: %s becomes %s", (path, expected) => {
    expect(canonicalPath(path)).toBe(expected);
  });

  test("1500 random paths become what Envoy made of them", () => {
    const text = readFileSync(new URL("./fixtures/paths.json", import.meta.url), "utf8");
    const pairs = JSON.parse(text) as readonly (readonly [string, string | null])[];
    expect(pairs.length).toBeGreaterThan(1000);
    const wrong = pairs.filter(([path, expected]) => canonicalPath(path) !== expected);
    expect(wrong).toEqual([]);
  });

  test("an escaped NUL has no canonical form", () => {
    expect(canonicalPath("/a%00b")).toBeNull();
  });

  test("is at rest after one step, for any ASCII", () => {
    const pieces = ["/", ".", "..", "%2e", "\\", "a", "%", "2", "5", ";", "%61", "|"];
    let seed = 1;
    for (let round = 0; round < 5000; round += 1) {
      let path = "/";
      for (let i = 0; i < 8; i += 1) {
        seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
        path += pieces[(seed >>> 16) % pieces.length] as string;
      }
      const once = canonicalPath(path) as string;
      expect(once.split(/[/\\]/)).not.toContain("..");
      expect(once).not.toContain("\\");
    }
  });
});

test.each([
  ["/a%2Fb?x=%2f", "/a/b?x=%2f"],
  ["/a%5c%5Cb", "/a\\\\b"],
  ["/a?%2f", "/a?%2f"],
  ["/a%252fb", "/a%252fb"],
  ["/%2", "/%2"],
])("unescapeSlashes: %s becomes %s", (path, expected) => {
  expect(unescapeSlashes(path)).toBe(expected);
});

test.each([
  ["//a///b//?x=//y", "/a/b/?x=//y"],
  ["/a/", "/a/"],
  ["/a///", "/a/"],
  ["//", "//"],
  ["///", "//"],
  ["//?x", "//?x"],
  ["/?//", "/?//"],
])("mergeSlashes: %s becomes %s", (path, expected) => {
  expect(mergeSlashes(path)).toBe(expected);
});

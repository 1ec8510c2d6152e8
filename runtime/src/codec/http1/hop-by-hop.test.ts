// Which headers stay on one connection.
import { describe, expect, test } from "vitest";
import {
  hasToken,
  isUpgrade,
  sanitizeConnection,
  stripRequestHopByHop,
  stripResponseHopByHop,
  wantsClose,
} from "./hop-by-hop.ts";
import { headerLines, responseMap } from "./recorders-for-test.ts";

function lines(...headers: string[]): string[] {
  return headerLines(responseMap(0, ...headers));
}

describe("hasToken", () => {
  const cases: [string, boolean][] = [
    ["close", true],
    [" Close\t", true],
    ["a,CLOSE ,b", true],
    ["a, close", true],
    ["closed", false],
    ["a close", false],
    ["", false],
    [",,", false],
  ];
  test.each(cases)("close in %j: %j", (value, expected) => {
    expect(hasToken(value, "close")).toBe(expected);
  });
});

test("wantsClose by version and tokens", () => {
  expect(wantsClose(responseMap(200), 1)).toBe(false);
  expect(wantsClose(responseMap(200), 0)).toBe(true);
  expect(wantsClose(responseMap(200, "connection: keep-alive"), 0)).toBe(false);
  expect(wantsClose(responseMap(200, "proxy-connection: keep-alive"), 0)).toBe(true);
  expect(wantsClose(responseMap(200, "proxy-connection: close"), 1)).toBe(true);
});

test("isUpgrade needs both headers", () => {
  expect(isUpgrade(responseMap(0, "upgrade: x"))).toBe(false);
  expect(isUpgrade(responseMap(0, "upgrade: x", "connection: keep-alive"))).toBe(false);
  expect(isUpgrade(responseMap(0, "upgrade: x", "connection: keep-alive, Upgrade"))).toBe(true);
});

describe("stripping", () => {
  const all = [
    "a: 1",
    "connection: keep-alive, upgrade",
    "upgrade: websocket",
    "keep-alive: 5",
    "proxy-connection: x",
    "transfer-encoding: chunked",
    "content-length: 5",
  ];

  test("a request keeps te: trailers and nothing else of TE", () => {
    const kept = responseMap(0, ...all, "te: gzip;q=1, Trailers");
    stripRequestHopByHop(kept, false);
    expect(headerLines(kept)).toEqual(lines("a: 1", "content-length: 5", "te: trailers"));
    const gone = responseMap(0, "te: gzip");
    stripRequestHopByHop(gone, false);
    expect(headerLines(gone)).toEqual([]);
  });

  test("an upgrade that is allowed keeps its two headers", () => {
    const upgraded = [all[0], all[1], all[2], all[6]] as string[];
    for (const strip of [stripRequestHopByHop, stripResponseHopByHop]) {
      const map = responseMap(0, ...all);
      strip(map, true);
      expect(headerLines(map)).toEqual(lines(...upgraded));
    }
  });

  test("a response", () => {
    const map = responseMap(0, ...all);
    stripResponseHopByHop(map, false);
    expect(headerLines(map)).toEqual(lines("a: 1", "content-length: 5"));
  });
});

describe("sanitizeConnection", () => {
  test("removes what is named, over several lines; framing stays", () => {
    const map = responseMap(
      0,
      "connection: Foo, content-length",
      "connection: bar",
      "foo: 1",
      "bar: 2",
      "content-length: 3",
    );
    expect(sanitizeConnection(map)).toBe(true);
    expect(headerLines(map)).toEqual(
      lines("connection: Foo, content-length", "connection: bar", "content-length: 3"),
    );
  });

  test("naming host takes it away, as in Envoy", () => {
    const map = responseMap(0, "connection: host", "host: h");
    expect(sanitizeConnection(map)).toBe(true);
    expect(map.authority).toBeNull();
  });

  test.each(["x-forwarded-host", ":method", "1,2,3,4,5,6,7,8,9,10"])("refuses %s", (value) => {
    expect(sanitizeConnection(responseMap(0, `connection: ${value}`))).toBe(false);
  });

  test("nine names are not too many", () => {
    expect(sanitizeConnection(responseMap(0, "connection: 1,2,3,4,5,6,7,8,9"))).toBe(true);
  });
});

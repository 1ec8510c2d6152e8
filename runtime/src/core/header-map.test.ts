// HeaderMap: what came over HTTP/1 and what was changed, against a plain list as its model.
import { describe, expect, test } from "vitest";
import { HeaderMap } from "./header-map.ts";
import {
  HeaderId,
  hashHeaderByte,
  headerIdOf,
  internHeaderName,
  isJoinedHeader,
} from "./header-names.ts";

/** Fills a map as the HTTP/1 parser does; `lines` are "name: value" with lower-case names. */
function parsed(first: string, lines: readonly string[], base = 7): HeaderMap {
  const map = new HeaderMap();
  fill(map, first, lines, base);
  const [method, path] = first.split(" ");
  map.setRequestLine(method as string, path as string, true);
  return map;
}

function fill(map: HeaderMap, first: string, lines: readonly string[], base: number): void {
  map.reset();
  let at = base + first.length + 2;
  const raw = `${first}\r\n${lines.map((line) => `${line}\r\n`).join("")}\r\n`;
  const bytes = Buffer.from(`${"-".repeat(base)}${raw}`, "latin1");
  for (const line of lines) {
    const colon = line.indexOf(":");
    let hash = 0;
    for (let i = at; i < at + colon; i += 1) hash = hashHeaderByte(hash, bytes[i] as number);
    const id = internHeaderName(bytes, at, at + colon, hash);
    map.pushRaw(id, at, at + colon, at + colon + 2, at + line.length);
    at += line.length + 2;
  }
  map.finishRaw(raw, base, first.length + 2, true);
}

function entries(map: HeaderMap): string[] {
  const list: string[] = [];
  map.visit({ onHeader: (name, value) => list.push(`${name}: ${value}`) });
  return list;
}

const FIRST = "GET /a?b HTTP/1.1";
const LINES = ["host: h", "accept: */*", "x-one: 1", "cookie: a", "cookie: b", "x-two: 2"];

describe("a head that came", () => {
  test("is written back byte for byte", () => {
    const map = parsed(FIRST, LINES);
    expect(map.serializeRequest()).toBe(`${FIRST}\r\n${LINES.join("\r\n")}\r\n`);
  });

  test("host is :authority, wherever it stood, and is written first", () => {
    const map = parsed(FIRST, ["x-one: 1", "host: h", "x-two: 2"]);
    expect(map.authority).toBe("h");
    expect(map.get("host")).toBe("h");
    expect(map.get(":authority")).toBe("h");
    expect(map.getById(HeaderId.Host)).toBe("h");
    expect(entries(map)).toEqual([
      ":authority: h",
      ":path: /a?b",
      ":method: GET",
      "x-one: 1",
      "x-two: 2",
    ]);
    expect(map.serializeRequest()).toBe(`${FIRST}\r\nhost: h\r\nx-one: 1\r\nx-two: 2\r\n`);
  });

  test("size and byteSize count pseudo headers", () => {
    const map = parsed(FIRST, ["host: h", "x-one: 12"]);
    expect(map.size).toBe(4);
    expect(map.byteSize).toBe(":authorityh".length + ":path/a?b".length + ":methodGET".length + 7);
  });

  test("look-ups answer the first of several, getAll all of them", () => {
    const map = parsed(FIRST, LINES);
    expect(map.get("cookie")).toBe("a");
    expect(map.getAll("cookie")).toEqual(["a", "b"]);
    expect(map.getAll("x-two")).toEqual(["2"]);
    expect(map.getAll("none")).toEqual([]);
    expect(map.getAll("host")).toEqual(["h"]);
    expect(map.has("x-none")).toBe(false);
    expect(map.seen & (1 << HeaderId.Cookie)).not.toBe(0);
    expect(map.duplicated).toBe(1 << HeaderId.Cookie);
  });

  test("valueIs compares whole values, of lines that came and of changed ones", () => {
    const map = parsed("GET / HTTP/1.1", ["connection: keep-alive", "x-a: keep-alive, te"]);
    const index = map.indexOfId(HeaderId.Connection);
    expect(map.valueIs(index, "keep-alive")).toBe(true);
    expect(map.valueIs(index, "keep-aliv")).toBe(false);
    expect(map.valueIs(index, "keep-alivE")).toBe(false);
    expect(map.valueIs(index + 1, "keep-alive")).toBe(false);
    map.setById(HeaderId.Connection, "close");
    expect(map.valueIs(index, "keep-alive")).toBe(false);
    expect(map.valueIs(index, "close")).toBe(true);
  });

  test("a head that is not plain is written anew", () => {
    const map = new HeaderMap();
    const raw = "GET / HTTP/1.1\r\nx:1\r\n\r\n";
    map.pushRaw(0, 16, 17, 18, 19);
    map.finishRaw(raw, 0, 16, false);
    map.setRequestLine("GET", "/", true);
    expect(map.serializeRequest()).toBe("GET / HTTP/1.1\r\nx: 1\r\n");
  });

  test("reset forgets everything", () => {
    const map = parsed(FIRST, LINES);
    map.set("x-one", "changed");
    map.setOriginalCase("x", 0);
    map.reset();
    expect(map.size).toBe(0);
    expect(entries(map)).toEqual([]);
    fill(map, FIRST, ["x-three: 3"], 0);
    expect(map.get("x-three")).toBe("3");
    expect(map.get("x-one")).toBeUndefined();
    expect(map.serializeLines("")).toBe("x-three: 3\r\n");
  });
});

describe("changes", () => {
  test("set changes in place and leaves one entry", () => {
    const map = parsed(FIRST, LINES);
    map.set("cookie", "c");
    map.set("x-one", "new");
    expect(map.serializeRequest()).toBe(
      `${FIRST}\r\nhost: h\r\naccept: */*\r\nx-one: new\r\ncookie: c\r\nx-two: 2\r\n`,
    );
    expect(map.getAll("cookie")).toEqual(["c"]);
  });

  test("places of headers that were added and removed come back, those of lines that came stay", () => {
    const map = parsed(FIRST, LINES);
    map.remove("x-one");
    for (let i = 0; i < 1000; i += 1) {
      map.replace("x-a", `${i}`);
      map.replace("user-agent", `${i}`);
      map.setLineById(HeaderId.Accept, "*/*", "accept: */*\r\n");
    }
    expect(map.entryCount).toBeLessThan(60);
    const left = entries(map).slice(3);
    expect(left.filter((line) => !/^(accept|cookie|x-two)/.test(line))).toEqual([
      "x-a: 999",
      "user-agent: 999",
    ]);
    expect(map.serializeRequest()).not.toContain("x-one");
    map.setLineById(HeaderId.Via, "1", "via: 1\r\n");
    expect(map.serializeRequest()).toContain("\r\nvia: 1\r\n");
  });

  test("replace removes all and appends at the end", () => {
    const map = parsed(FIRST, LINES);
    map.replace("cookie", "c");
    expect(entries(map).slice(3)).toEqual(["accept: */*", "x-one: 1", "x-two: 2", "cookie: c"]);
    map.replace(":path", "/z");
    expect(entries(map).slice(0, 3)).toEqual([":authority: h", ":method: GET", ":path: /z"]);
    map.replace("host", "i");
    expect(entries(map).slice(0, 3)).toEqual([":method: GET", ":path: /z", ":authority: i"]);
  });

  test("append keeps what is there", () => {
    const map = parsed(FIRST, ["host: h"]);
    map.append("x", "1");
    map.append("x", "2");
    map.appendById(HeaderId.SetCookie, "a");
    map.appendById(HeaderId.SetCookie, "b");
    expect(map.serializeLines("")).toBe("x: 1\r\nx: 2\r\nset-cookie: a\r\nset-cookie: b\r\n");
    map.append("host", "i");
    map.appendById(HeaderId.Host, "j");
    expect(map.authority).toBe("j");
    expect(map.serializeRequest().startsWith(`${FIRST}\r\nhost: j\r\n`)).toBe(true);
  });

  test("remove takes all entries, and their bits", () => {
    const map = parsed(FIRST, LINES);
    map.remove("cookie");
    map.remove("x-two");
    map.remove("none");
    expect(map.seen & (1 << HeaderId.Cookie)).toBe(0);
    expect(entries(map).slice(3)).toEqual(["accept: */*", "x-one: 1"]);
    map.remove("host");
    expect(map.authority).toBeNull();
    expect(map.serializeRequest()).toBe(`${FIRST}\r\naccept: */*\r\nx-one: 1\r\n`);
  });

  test("removeAt takes one entry; the bit stays while another is there", () => {
    const map = parsed(FIRST, LINES);
    map.removeAt(3);
    expect(map.getAll("cookie")).toEqual(["b"]);
    map.removeAt(4);
    expect(map.has("cookie")).toBe(false);
    expect(map.seen & (1 << HeaderId.Cookie)).toBe(0);
  });

  test("setLineById writes the line as made", () => {
    const map = parsed(FIRST, ["server: x"]);
    map.setLineById(HeaderId.Server, "envoy", "server: envoy\r\n");
    map.setLineById(HeaderId.Date, "d", "date: d\r\n");
    expect(map.get("server")).toBe("envoy");
    expect(map.serializeLines("")).toBe("server: envoy\r\ndate: d\r\n");
    map.set("server", "other");
    expect(map.serializeLines("")).toBe("server: other\r\ndate: d\r\n");
  });

  test("replaceById writes a line as made, where there is one", () => {
    const map = parsed(FIRST, ["x: 1", "x: 2"]);
    map.replaceById(0, "x", "3", "x: 3\r\n");
    map.replaceById(HeaderId.Server, "server", "s");
    expect(map.serializeLines("")).toBe("x: 3\r\nserver: s\r\n");
    map.set("x", "4");
    expect(map.serializeLines("")).toBe("x: 4\r\nserver: s\r\n");
  });

  test("the first line that was written is known by its length", () => {
    const map = parsed(FIRST, ["host: h", "x: 1"]);
    for (const path of [null, "/longer"]) {
      if (path !== null) map.path = path;
      const text = map.serializeRequest();
      expect(map.firstLineWritten).toBe(text.indexOf("\n") + 1);
    }
    const response = parsed("HTTP/1.1 200 OK", ["x: 1"]);
    for (const status of [200, 404]) {
      if (status !== 200) response.status = status;
      const text = response.serializeResponse("HTTP/1.1 404 Not Found\r\n");
      expect(response.firstLineWritten).toBe(text.indexOf("\n") + 1);
    }
  });

  test("changed pseudo headers are written, unknown ones ignored", () => {
    const map = parsed(FIRST, ["host: h", "x: 1"]);
    map.set(":path", "/new");
    map.set(":method", "POST");
    map.set(":nonsense", "x");
    map.scheme = "http";
    expect(map.serializeRequest()).toBe("POST /new HTTP/1.1\r\nhost: h\r\nx: 1\r\n");
    expect(map.get(":scheme")).toBe("http");
    expect(map.get(":nonsense")).toBeUndefined();
    map.set(":status", "abc");
    expect(map.status).toBe(0);
    map.set(":status", "404");
    expect(map.get(":status")).toBe("404");
  });

  test("clear leaves nothing to write", () => {
    const map = parsed(FIRST, LINES);
    map.clear();
    expect(map.size).toBe(0);
    expect(map.serializeRequest()).toBe("GET / HTTP/1.1\r\n");
    map.append("x", "1");
    expect(map.serializeLines("")).toBe("x: 1\r\n");
  });

  test("CONNECT names the authority as target", () => {
    const map = new HeaderMap();
    map.method = "CONNECT";
    map.authority = "h:1";
    expect(map.serializeRequest()).toBe("CONNECT h:1 HTTP/1.1\r\nhost: h:1\r\n");
  });

  test("a response's status line", () => {
    const map = new HeaderMap();
    fill(map, "HTTP/1.1 200 Fine", ["x: 1"], 3);
    map.setStatusLine(200, true);
    expect(map.serializeResponse("HTTP/1.1 200 OK\r\n")).toBe("HTTP/1.1 200 Fine\r\nx: 1\r\n");
    map.status = 201;
    expect(map.serializeResponse("HTTP/1.1 201 Created\r\n")).toBe(
      "HTTP/1.1 201 Created\r\nx: 1\r\n",
    );
  });

  test("original case is written, look-ups stay lower-case", () => {
    const map = parsed("GET / HTTP/1.1", ["x-one: 1", "host: h", "x-two: 2"]);
    map.setOriginalCase("-------GET / HTTP/1.1\r\nX-oNE: 1\r\nHOST: h\r\nX-TWO: 2\r\n\r\n", 0);
    map.set("x-two", "3");
    map.append("x-three", "4");
    expect(map.get("x-one")).toBe("1");
    expect(map.serializeRequest()).toBe(
      "GET / HTTP/1.1\r\nHOST: h\r\nX-oNE: 1\r\nX-TWO: 3\r\nx-three: 4\r\n",
    );
  });
});

test("a copy has the same lines in the same order, and is another map", () => {
  const map = parsed("GET /a HTTP/1.1", ["host: h", "x-a: 1", "accept: 1", "accept: 2", "x-a: 3"]);
  map.replace(":path", "/b");
  const copy = map.copy();
  expect(entries(copy)).toEqual(entries(map));
  copy.set("x-a", "2");
  copy.path = "/c";
  expect([map.get("x-a"), map.path, copy.get("x-a")]).toEqual(["1", "/b", "2"]);
});

describe("against a plain list", () => {
  const names = ["accept", "cookie", "x-a", "x-b", "te", "via", "vary"];

  /** mulberry32 */
  function makeRandom(seed: number): (below: number) => number {
    let state = seed;
    return (below) => {
      state = (state + 0x6d2b79f5) | 0;
      let t = Math.imul(state ^ (state >>> 15), 1 | state);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * below);
    };
  }

  function change(list: [string, string][], kind: number, name: string, value: string): void {
    const first = list.findIndex((entry) => entry[0] === name);
    if (kind === 0) {
      if (first < 0) list.push([name, value]);
      else {
        (list[first] as [string, string])[1] = value;
        for (let i = list.length - 1; i > first; i -= 1) {
          if (list[i]?.[0] === name) list.splice(i, 1);
        }
      }
    } else if (kind === 1) {
      if (first >= 0 && isJoinedHeader(headerIdOf(name))) {
        const joined = `${list[first]?.[1]},${value}`;
        change(list, 0, name, joined);
      } else list.push([name, value]);
    } else {
      for (let i = list.length - 1; i >= 0; i -= 1) if (list[i]?.[0] === name) list.splice(i, 1);
      if (kind === 2) list.push([name, value]);
    }
  }

  test("20,000 random changes on reused maps", () => {
    const random = makeRandom(4711);
    const map = new HeaderMap();
    for (let run = 0; run < 1_000; run += 1) {
      const list: [string, string][] = [];
      for (let i = random(8); i > 0; i -= 1) {
        list.push([names[random(names.length)] as string, String(random(100))]);
      }
      fill(
        map,
        FIRST,
        list.map(([name, value]) => `${name}: ${value}`),
        random(20),
      );
      for (let step = 0; step < 20; step += 1) {
        const name = names[random(names.length)] as string;
        const value = String(random(1000));
        const kind = random(4);
        change(list, kind, name, value);
        if (kind === 0) map.set(name, value);
        else if (kind === 1) map.append(name, value);
        else if (kind === 2) map.replace(name, value);
        else map.remove(name);
        const text = list.map(([n, v]) => `${n}: ${v}\r\n`).join("");
        if (map.serializeLines("") !== text) {
          throw new Error(`run ${run} step ${step}: ${map.serializeLines("")} is not ${text}`);
        }
        const probe = names[random(names.length)] as string;
        expect(map.get(probe)).toBe(list.find((entry) => entry[0] === probe)?.[1]);
        expect(map.size).toBe(list.length);
      }
    }
  });
});

// URLs, queries, cookies, dates and addresses in the kit, against Node's own where it has them.
import { BlockList, isIP, isIPv4 } from "node:net";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { KitGuest } from "./kit-guest.ts";

let guest: KitGuest;

beforeAll(async () => {
  guest = await KitGuest.create();
});

describe("a query", () => {
  const again = (text: string): string | null => guest.text("query_again", [text]);
  const nodes = (text: string): string => {
    const params = new URLSearchParams(text);
    return [...params].map(([name, value]) => `${name}\n${value}\n`).join("") + params.toString();
  };
  const parts = "a b = & + % %41 %4 %zz %c3%a9 %ff %00 ~ * . - _ ? # / !".split(" ");

  test("is read and written as URLSearchParams does", () => {
    // Node takes a broken escape beside other letters for Latin-1, so those have a test of their own.
    const ascii = fc.array(fc.constantFrom(...parts, " "), { maxLength: 12 });
    const wide = fc.array(fc.constantFrom("a", "=", "&", "+", "é", "😀", "\ud800"), {
      maxLength: 12,
    });
    fc.assert(
      fc.property(fc.oneof(ascii, wide), (pieces) => {
        const text = pieces.join("").replace(/^\?+/, "");
        expect(again(text)).toBe(nodes(text.toWellFormed()));
      }),
      { numRuns: 3000 },
    );
  });

  test("is changed as URLSearchParams is", () => {
    const letters = fc.constantFrom("a", "b", "a=1", "b=2", "a=3", "c=%20");
    const texts = fc.array(letters, { maxLength: 6 }).map((all) => all.join("&"));
    fc.assert(
      fc.property(texts, fc.constantFrom("a", "b", "x"), fc.string(), (text, name, value) => {
        const params = new URLSearchParams(text);
        const before = `${params.get(name) ?? "-"}|${params.getAll(name).join(",")}`;
        const had = params.has(name);
        params.append(name, "z");
        params.set(name, value);
        const set = params.toString();
        params.delete(name);
        const expected = [before, had, set, params.toString(), true].join("\n");
        expect(guest.text("query_change", [text, name, value])).toBe(expected);
      }),
    );
  });
});

describe("a URL", () => {
  const parse = (text: string): string[] | undefined =>
    guest.text("url_parse", [text])?.split("\n");
  const host = fc.constantFrom(
    "a",
    "Example.COM",
    "a-b.c_d.net",
    "1.2.3.4",
    "[::1]",
    "[2001:DB8::1]",
  );
  const step = fc.constantFrom(
    "a",
    "",
    ".",
    "..",
    "%2e",
    "%2E%2e",
    ".%2e",
    "...",
    "b%20c",
    "x;y=1,2",
    "~@:!$&'()*+",
  );
  const url = fc.record({
    scheme: fc.constantFrom("http", "HTTPS"),
    user: fc.constantFrom("", "me@", "me:you@", ":@"),
    host,
    port: fc.constantFrom("", ":", ":81", ":65535", ":0"),
    path: fc.array(step, { maxLength: 6 }).map((all) => all.map((one) => `/${one}`).join("")),
    query: fc.constantFrom("", "?", "?a=b&c", "?x?y/z", "?a=%zz"),
    hash: fc.constantFrom("", "#", "#top?x/y", "#a#b"),
  });

  test("is taken apart as Node's, and put together again", () => {
    fc.assert(
      fc.property(url, (parts) => {
        const text = `${parts.scheme}://${parts.user}${parts.host}${parts.port}${parts.path}${parts.query}${parts.hash}`;
        const expected = new URL(text);
        const [scheme, user, name, port, path, query, fragment, normal, target, authority, whole] =
          parse(text) ?? [];
        expect(`${scheme}:`).toBe(expected.protocol);
        expect(user).toBe(parts.user === "" ? "-" : parts.user.slice(0, -1));
        expect(name).toBe(expected.hostname);
        expect(port).toBe(parts.port.length > 1 ? parts.port.slice(1) : "-1");
        expect(path).toBe(parts.path);
        expect(query).toBe(parts.query === "" ? "-" : parts.query.slice(1));
        expect(fragment).toBe(parts.hash === "" ? "-" : parts.hash.slice(1));
        expect(normal).toBe(expected.pathname);
        expect(target).toBe((parts.path === "" ? "/" : parts.path) + parts.query);
        expect(authority).toBe(`${name}${port === "-1" ? "" : `:${port}`}`);
        expect(whole).toBe(
          `${scheme}://${parts.user}${authority}${parts.path}${parts.query}${parts.hash}`,
        );
      }),
      { numRuns: 2000 },
    );
  });

  test.each([
    "",
    "a",
    "//a",
    "http:",
    "http:/a",
    "http://",
    "http:///a",
    "http://a:65536",
    "http://a:x",
    "http://a b",
    "http://a/ b",
    "http://a\\b",
    "http://a/\\",
    "http://a\n",
    "1http://a",
    "ht tp://a",
    "http://[::1",
    "http://::1]",
    "http://[]",
    "http://[g]",
    "http://a[1]",
    "http://a%20b",
    "http://a:1:2",
    "http://@",
    "http://a:+1",
    "://a",
    "http://é",
    "http://a,b",
    "http://a\x7f",
  ])("refuses %j", (text) => {
    expect(parse(text)).toBeUndefined();
  });

  test.each([
    ["/a/b?c=d#e", ["/a/b", "c=d", "e"]],
    ["/", ["/", "-", "-"]],
    ["//a?", ["//a", "", "-"]],
    ["/a#b?c", ["/a", "-", "b?c"]],
    ["/é?|{", ["/é", "|{", "-"]],
  ])("the target %s is taken apart", (text, expected) => {
    const parts = guest.text("url_target", [text])?.split("\n") ?? [];
    expect(parts.slice(4, 7)).toEqual(expected);
    expect(parts[10]).toBe(text);
  });

  test.each(["", "a", "?a", "*", "/a b", "/\t", "/\\"])("refuses the target %j", (text) => {
    expect(guest.text("url_target", [text])).toBeNull();
  });
});

describe("cookies", () => {
  test.each([
    ["", []],
    ["a=b", ["a", "b"]],
    ["a=b; c=d", ["a", "b", "c", "d"]],
    [" a = b ;c=d;", ["a", "b", "c", "d"]],
    ["a=b=c", ["a", "b=c"]],
    ['a="b c"', ["a", "b c"]],
    ['a="; b="', ["a", '"', "b", '"']],
    ["none; a=1; no; b=2; no", ["a", "1", "b", "2"]],
    ["a=; =b", ["a", "", "", "b"]],
    [";;;", []],
    ["a=1;a=2", ["a", "1", "a", "2"]],
    ["\ta=\t1\t", ["a", "1"]],
  ])("of %j are %j", (header, expected) => {
    expect(guest.text("cookie_pairs", [header])).toBe(
      `${expected.map((one) => `${one}\n`).join("")}--`,
    );
  });

  test("are found by name, the first one", () => {
    expect(guest.text("cookie_value", ["x; a=1; b=2; b=3", "b"])).toBe("2");
    expect(guest.text("cookie_value", ["x; a=1", "x"])).toBeNull();
    expect(guest.text("cookie_value", ["aa=1", "a"])).toBeNull();
  });

  test("of any text are taken without a trap, each name with its value", () => {
    const unit = fc.constantFrom("a", "b", "=", ";", " ", '"', "é");
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 20 }), (header) => {
        const pairs = header.split(";").flatMap((part) => {
          const at = part.indexOf("=");
          if (at < 0) return [];
          const value = part.slice(at + 1).trim();
          return [part.slice(0, at).trim(), /^"(.*)"$/.exec(value)?.[1] ?? value];
        });
        const expected = `${pairs.map((one) => `${one}\n`).join("")}--`;
        expect(guest.text("cookie_pairs", [header])).toBe(expected);
      }),
      { numRuns: 2000 },
    );
  });
});

describe("Set-Cookie", () => {
  const NONE = "-9223372036854775808";

  test.each([
    ["a=b", ["a", "b", "", "", "", NONE, "false", "false", "", "a=b"]],
    [
      "id=x; Domain=Example.com; Path=/; Expires=Sun, 06 Nov 1994 08:49:37 GMT; Max-Age=60; Secure; HttpOnly; SameSite=Lax",
      [
        "id",
        "x",
        "example.com",
        "/",
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "60",
        "true",
        "true",
        "Lax",
        "id=x; Domain=example.com; Path=/; Expires=Sun, 06 Nov 1994 08:49:37 GMT; Max-Age=60; Secure; HttpOnly; SameSite=Lax",
      ],
    ],
    [
      "a=b;max-age=-5;SECURE;x=y",
      ["a", "b", "", "", "", "-5", "true", "false", "", "a=b; Max-Age=-5; Secure"],
    ],
    [
      "a=b; max-age=9x; max-age=; max-age=-",
      ["a", "b", "", "", "", NONE, "false", "false", "", "a=b"],
    ],
    [
      "a=b; max-age=99999999999999999999",
      ["a", "b", "", "", "", "9999999999999", "false", "false", "", "a=b; Max-Age=9999999999999"],
    ],
    ['a="b"', ["a", "b", "", "", "", NONE, "false", "false", "", "a=b"]],
    ["a=b c", ["a", "b c", "", "", "", NONE, "false", "false", "", "-"]],
  ])("%.30s", (header, expected) => {
    expect(guest.text("set_cookie_parse", [header])?.split("\n")).toEqual(expected);
  });

  test.each(["", "a", "=b", " =b", ";a=b"])("%j is no cookie", (header) => {
    expect(guest.text("set_cookie_parse", [header])).toBeNull();
  });

  test("is not written when a part would end it", () => {
    const good = ["a", "b", "", "/", "", "Lax"];
    expect(guest.text("set_cookie_write", good)).toBe("a=b; Path=/; SameSite=Lax");
    const bad: [number, string][] = [
      [0, ""],
      [0, "a b"],
      [0, "a="],
      [0, "a;"],
      [0, "é"],
      [1, "b;"],
      [1, "b c"],
      [1, "b,"],
      [1, 'b"'],
      [1, "b\n"],
      [2, "x;"],
      [3, "/;"],
      [3, "/\r\n"],
      [4, "x;y"],
      [5, "Lax; x"],
      [5, "La x"],
    ];
    for (const [place, text] of bad) {
      const parts = good.with(place, text);
      expect({ parts, header: guest.text("set_cookie_write", parts) }).toEqual({
        parts,
        header: null,
      });
    }
  });
});

describe("a date", () => {
  const write = (ms: number): string | null => guest.text("date_write", [BigInt(ms)]);
  const parse = (text: string): number | null => {
    const answer = guest.text("date_parse", [text]);
    return answer === null ? null : Number(answer);
  };
  const FIRST = Date.parse("0000-01-01T00:00:00Z");
  const LAST = Date.parse("9999-12-31T23:59:59.999Z");

  test("is written and read as Node does, in years 0 to 9999", () => {
    const edges = fc.constantFrom(
      FIRST,
      LAST,
      0,
      -1,
      951782400000,
      4107542400000,
      -62167219200001 + 86400000,
    );
    fc.assert(
      fc.property(fc.oneof(fc.integer({ min: FIRST, max: LAST }), edges), (ms) => {
        const text = new Date(ms).toUTCString();
        expect(write(ms)).toBe(text);
        expect(parse(text)).toBe(Math.floor(ms / 1000) * 1000);
      }),
      { numRuns: 3000 },
    );
    for (let year = 0; year < 10_000; year += 1) {
      const ms = Date.parse(`${`${year}`.padStart(4, "0")}-12-31T23:59:59Z`);
      expect(write(ms)).toBe(new Date(ms).toUTCString());
    }
    expect(write(FIRST - 1)).toBe("");
    expect(write(LAST + 1)).toBe("");
  });

  test("is read in the two forms of old", () => {
    const days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
    const ofOld = fc.integer({ min: 0, max: Date.parse("2069-12-31T23:59:59Z") / 1000 });
    fc.assert(
      fc.property(ofOld, (seconds) => {
        const date = new Date(seconds * 1000);
        const [, day = "", month, year = "", time] = date.toUTCString().split(" ");
        const name = days[date.getUTCDay()] ?? "";
        expect(parse(`${name}, ${day}-${month}-${year.slice(2)} ${time} GMT`)).toBe(seconds * 1000);
        const short = `${Number(day)}`.padStart(2, " ");
        expect(parse(`${name.slice(0, 3)} ${month} ${short} ${time} ${year}`)).toBe(seconds * 1000);
      }),
      { numRuns: 1000 },
    );
  });

  test.each([
    ["Tue, 29 Feb 2000 00:00:00 GMT", 951782400000],
    ["Mon, 31 Dec 2012 23:59:60 GMT", 1356998399000],
    ["Mon, 29 Feb 2000 00:00:00 GMT", 951782400000],
    ["Thu, 29 Feb 2001 00:00:00 GMT", null],
    ["Thu, 29 Feb 1900 00:00:00 GMT", null],
    ["Thu, 31 Apr 2001 00:00:00 GMT", null],
    ["Thu, 00 Apr 2001 00:00:00 GMT", null],
    ["Thu, 01 Apr 2001 24:00:00 GMT", null],
    ["Thu, 01 Apr 2001 00:60:00 GMT", null],
    ["Thu, 01 Apr 2001 00:00:61 GMT", null],
    ["Thu, 01 Apr 2001 00:00:00 UTC", null],
    ["Thu, 01 Apr 2001 00:00:00 GMT ", null],
    ["Thu, 1 Apr 2001 00:00:00 GMT", null],
    ["thu, 01 Apr 2001 00:00:00 GMT", null],
    ["Thx, 01 Apr 2001 00:00:00 GMT", null],
    ["Thu, 01 Apx 2001 00:00:00 GMT", null],
    ["Thu, 01-Apr-01 00:00:00 GMT", null],
    ["Thursday, 01 Apr 2001 00:00:00 GMT", null],
    ["unM, 01 Apr 2001 00:00:00 GMT", null],
    ["Sun Nov  6 08:49:37 1994", 784111777000],
    ["Sun Nov 6 08:49:37 1994", null],
    ["Sun", null],
    ["", null],
    ["Sun, ", null],
  ])("%j is %j", (text, expected) => {
    expect(parse(text)).toBe(expected);
  });

  test("cut, or with another letter somewhere, is refused or read, and never a trap", () => {
    const text = "Sun, 06 Nov 1994 08:49:37 GMT";
    for (let length = 0; length < text.length; length += 1) {
      expect(parse(text.slice(0, length))).toBeNull();
    }
    fc.assert(
      fc.property(
        fc.nat(text.length - 1),
        fc.string({ unit: "binary", maxLength: 2 }),
        (at, some) => {
          const other = text.slice(0, at) + some + text.slice(at + 1);
          const isDate =
            /^(Sun|Mon|Tue|Wed|Thu|Fri|Sat), \d\d [A-Z][a-z]{2} \d{4} [\d:]{8} GMT$/.test(other);
          expect(parse(other) === null || isDate).toBe(true);
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe("addresses", () => {
  const v4 = fc.ipV4();
  const v6 = fc.oneof(
    fc.ipV6(),
    fc.constantFrom("::", "::1", "1::", "::ffff:1.2.3.4", "::1.2.3.4", "1:2:3:4:5:6:7::"),
  );
  const isTaken = (text: string): boolean => guest.text("ip_parse", [text], 0) !== null;

  test("are what Node takes for one", () => {
    const unit = fc.constantFrom(..."0123456789abcdfF:::...::%g".split(""));
    const broken = fc.tuple(fc.oneof(v4, v6), fc.nat(), fc.string({ unit, maxLength: 2 }));
    const texts = broken.map(([text, place, some]) => {
      const at = place % (text.length + 1);
      return text.slice(0, at) + some + text.slice(at + (place % 2));
    });
    let taken = 0;
    fc.assert(
      fc.property(fc.oneof(texts, v4, v6, fc.string({ unit, maxLength: 12 })), (text) => {
        // A zone is a matter of the machine, and no part of an address here.
        const expected = isIP(text) !== 0 && !text.includes("%");
        taken += expected ? 1 : 0;
        expect({ text, isTaken: isTaken(text) }).toEqual({ text, isTaken: expected });
      }),
      { numRuns: 5000 },
    );
    expect(taken).toBeGreaterThan(500);
  });

  test("are in the ranges in which Node says they are", () => {
    const plain = (text: string): string => /^::ffff:([\d.]+)$/.exec(text)?.[1] ?? text;
    const near = (text: string): fc.Arbitrary<string> =>
      fc.constantFrom(text, "10.0.0.1", "10.0.1.1", "2001:db8::1");
    const pairs = fc
      .oneof(v4, v6, fc.constantFrom("10.0.0.0", "2001:db8::"))
      .chain((base) =>
        fc.tuple(
          fc.constant(base),
          fc.integer({ min: 0, max: isIPv4(base) ? 32 : 128 }),
          fc.oneof(near(base), v4, v6),
        ),
      );
    fc.assert(
      fc.property(pairs, ([base, bits, address]) => {
        const isMapped = base !== plain(base);
        fc.pre(!isMapped || bits >= 96);
        // To Node an IPv4 address is in ranges of IPv6 as well.
        const kind = isIPv4(plain(base)) ? "ipv4" : "ipv6";
        const list = new BlockList();
        list.addSubnet(plain(base), isMapped ? bits - 96 : bits, kind);
        const isSameKind = isIPv4(plain(address)) === (kind === "ipv4");
        const expected = isSameKind && list.check(plain(address), kind);
        const seen = guest.text("cidr_contains", [`${base}/${bits}`, address]);
        expect({ base, bits, address, seen }).toEqual({ base, bits, address, seen: `${expected}` });
      }),
      { numRuns: 3000 },
    );
  });

  test.each([
    ["10.0.0.0/33", false],
    ["10.0.0.0/-1", false],
    ["10.0.0.0/", false],
    ["10.0.0.0/8/8", false],
    ["10.0.0.0/ 8", false],
    ["10.0.0/8", false],
    ["::/129", false],
    ["::ffff:10.0.0.0/8", false],
    ["::ffff:10.0.0.0/104", true],
    ["::/0", true],
    ["0.0.0.0/0", true],
    ["10.1.2.3", true],
    ["", false],
    ["/8", false],
    ["10.0.0.0/08", true],
    ["10.0.0.0/0008", false],
  ])("%j is a range: %j", (text, expected) => {
    expect(guest.bool("cidr_is_range", [text])).toBe(expected);
  });

  test.each([
    ["10.0.0.1:80", "true 0 167772161 true"],
    ["10.0.0.1", "true 0 167772161 true"],
    ["::ffff:10.0.0.1", "true 0 167772161 true"],
    ["[::ffff:a00:1]:443", "true 0 167772161 true"],
    ["[::1]:80", "false 0 1 false"],
    ["[::1]", "false 0 1 false"],
    ["::1", "false 0 1 false"],
    ["10.0.0.1:", null],
    ["10.0.0.1:65536", null],
    ["[10.0.0.1]:80", null],
    ["[::1]80", null],
    ["[::1", null],
    ["]", null],
    ["", null],
    [":", null],
  ])("%j with its port is %j", (text, expected) => {
    expect(guest.text("ip_parse", [text], 1)).toBe(expected);
  });
});

import { describe, expect, test } from "vitest";
import { HeaderMap } from "../core/header-map.ts";
import {
  FilterDataStatus as D,
  FilterHeadersStatus as H,
  FilterTrailersStatus as T,
} from "./filter-status.ts";
import { FilterWants } from "./http-filter.ts";
import { ChainHarness, localReply } from "./testing.ts";

const reply403 = localReply(403, "no", "denied");

describe("requests", () => {
  test("pass a chain in order, headers, body, trailers", () => {
    const chain = new ChainHarness([{}, {}]);
    chain.decodeHeaders(false);
    chain.decodeData("ab", false);
    chain.manager.decodeTrailers(new HeaderMap());
    expect(chain.take()).toBe("A.dh B.dh >h A.dd(ab) B.dd(ab) >d(ab) A.dt B.dt >t");
  });

  test("pass an empty chain as lent bytes", () => {
    const chain = new ChainHarness([]);
    chain.decodeHeaders(false);
    chain.decodeData("ab", false);
    chain.decodeData("", true);
    expect(chain.take()).toBe(">h >d(ab) >d().");
  });

  test("without interest in the body are handed the caller's own buffer", () => {
    const chain = new ChainHarness([{ wants: FilterWants.DecodeHeaders }]);
    chain.decodeHeaders(false);
    const bytes = Buffer.from("abc");
    let seen: Buffer | null = null;
    chain.onRequestData = (buffer): void => {
      seen = buffer;
    };
    chain.manager.decodeData(bytes, 0, 3, true);
    expect(seen).toBe(bytes);
  });

  test("callbacks that are not wanted are not made", () => {
    const chain = new ChainHarness([{ wants: FilterWants.DecodeData }, { wants: 0 }]);
    chain.decodeHeaders(false);
    chain.decodeData("x", false);
    chain.manager.decodeTrailers(new HeaderMap());
    chain.encodeHeaders(true);
    expect(chain.take()).toBe(">h A.dd(x) >d(x) >t <h.");
  });

  test("StopIteration holds headers while that filter still sees the body; Continue releases", () => {
    const chain = new ChainHarness([
      {},
      { decodeHeaders: H.StopIteration, decodeData: [D.StopIterationAndBuffer, D.Continue] },
      {},
    ]);
    chain.decodeHeaders(false);
    chain.decodeData("a", false);
    expect(chain.take()).toBe("A.dh B.dh A.dd(a) B.dd(a)");
    expect(chain.manager.isDecodingStopped(1)).toBe(true);
    chain.decodeData("b", true);
    expect(chain.take()).toBe("A.dd(b). B.dd(b). C.dh >h C.dd(ab). >d(ab).");
    expect(chain.manager.isDecodingStopped(1)).toBe(false);
  });

  for (const status of [H.StopAllIterationAndBuffer, H.StopAllIterationAndWatermark]) {
    test(`status ${status} holds everything, and the filter sees the held body later`, () => {
      for (const at of [0, 1, 2]) {
        const scripts = [{}, {}, {}].map((s, i) => (i === at ? { decodeHeaders: status } : s));
        const chain = new ChainHarness(scripts);
        chain.decodeHeaders(false);
        chain.decodeData("a", false);
        chain.decodeData("b", false);
        chain.manager.decodeTrailers(new HeaderMap());
        const name = "ABC"[at] as string;
        expect(chain.take()).not.toContain(`${name}.dd`);
        expect(chain.requestOut).toBe("");
        chain.manager.continueDecoding(at);
        const after = "ABC".slice(at + 1);
        const each = (what: string): string =>
          after
            .split("")
            .map((f) => `${f}.${what} `)
            .join("");
        expect(chain.take()).toBe(
          `${each("dh")}>h ${name}.dd(ab) ${each("dd(ab)")}>d(ab) ${name}.dt ${each("dt")}>t`,
        );
      }
    });
  }

  test("a header-only request that is held ends with its headers", () => {
    const chain = new ChainHarness([{ decodeHeaders: H.StopAllIterationAndBuffer }, {}]);
    chain.decodeHeaders(true);
    chain.manager.continueDecoding(0);
    expect(chain.take()).toBe("A.dh. B.dh. >h.");
  });

  test("an end that came as an empty piece stays one", () => {
    const chain = new ChainHarness([{ decodeHeaders: H.StopAllIterationAndBuffer }, {}]);
    chain.decodeHeaders(false);
    chain.decodeData("", true);
    chain.manager.continueDecoding(0);
    expect(chain.take()).toBe("A.dh B.dh >h A.dd(). B.dd(). >d().");
  });

  test("continueDecoding from within the callback that stops counts as Continue", () => {
    const chain = new ChainHarness([
      {
        decodeHeaders: (filter) => {
          filter.callbacks.continueDecoding(filter.position);
          return H.StopAllIterationAndBuffer;
        },
        decodeData: [
          (filter) => {
            filter.callbacks.continueDecoding(filter.position);
            return D.StopIterationAndBuffer;
          },
        ],
        decodeTrailers: (filter) => {
          filter.callbacks.continueDecoding(filter.position);
          return T.StopIteration;
        },
      },
      {},
    ]);
    chain.decodeHeaders(false);
    chain.decodeData("a", false);
    chain.manager.decodeTrailers(new HeaderMap());
    expect(chain.take()).toBe("A.dh B.dh >h A.dd(a) B.dd(a) >d(a) A.dt B.dt >t");
  });

  test("continueDecoding of a filter that goes has no effect", () => {
    const chain = new ChainHarness([{}]);
    chain.decodeHeaders(false);
    chain.manager.continueDecoding(0);
    expect(chain.take()).toBe("A.dh >h");
  });

  test("AndBuffer collects; the filter's buffer may be changed before it goes on", () => {
    const chain = new ChainHarness([{ decodeData: [D.StopIterationAndBuffer] }, {}]);
    chain.decodeHeaders(false);
    chain.decodeData("abc", false);
    chain.decodeData("def", true);
    expect(chain.manager.decodingBuffer()?.toString()).toBe("abcdef");
    chain.manager.decodingBuffer()?.replace(1, 4, Buffer.from("-"));
    chain.manager.continueDecoding(0);
    expect(chain.take()).toBe("A.dh B.dh >h A.dd(abc) A.dd(def). B.dd(a-f). >d(a-f).");
  });

  test("what AndBuffer has collected of many reads goes on in one piece", () => {
    const held = Array.from({ length: 5 }, () => D.StopIterationAndBuffer);
    const chain = new ChainHarness([{ decodeData: [...held, D.Continue] }]);
    chain.decodeHeaders(false);
    const text = "t".repeat(60_000);
    for (let i = 0; i < 5; i += 1) chain.decodeData(text, false);
    chain.decodeData("", true);
    expect(
      chain
        .take()
        .split(" ")
        .filter((event) => event.startsWith(">d")),
    ).toEqual([`>d(${text.repeat(5)}).`]);
  });

  test("NoBuffer drops the bytes but not the end", () => {
    const chain = new ChainHarness([{ decodeData: [D.StopIterationNoBuffer] }, {}]);
    chain.decodeHeaders(false);
    chain.decodeData("abc", false);
    chain.decodeData("def", true);
    chain.manager.continueDecoding(0);
    expect(chain.take()).toBe("A.dh B.dh >h A.dd(abc) A.dd(def). B.dd(). >d().");
  });

  test("StopIteration of trailers holds body and trailers until the filter goes on", () => {
    const chain = new ChainHarness([
      { decodeData: [D.StopIterationAndBuffer], decodeTrailers: T.StopIteration },
      {},
    ]);
    chain.decodeHeaders(false);
    chain.decodeData("ab", false);
    chain.manager.decodeTrailers(new HeaderMap());
    expect(chain.take()).toBe("A.dh B.dh >h A.dd(ab) A.dt");
    chain.manager.continueDecoding(0);
    expect(chain.take()).toBe("B.dd(ab) >d(ab) B.dt >t");
  });

  test("Continue of trailers releases headers and body that the filter held", () => {
    const chain = new ChainHarness([
      { decodeHeaders: H.StopIteration, decodeData: [D.StopIterationAndBuffer] },
      {},
    ]);
    chain.decodeHeaders(false);
    chain.decodeData("ab", false);
    chain.manager.decodeTrailers(new HeaderMap());
    expect(chain.take()).toBe("A.dh A.dd(ab) A.dt B.dh >h B.dd(ab) >d(ab) B.dt >t");
  });

  test("ContinueAndEndStream ends with the headers and drops what follows", () => {
    const chain = new ChainHarness([{}, { decodeHeaders: H.ContinueAndEndStream }, {}]);
    chain.decodeHeaders(false);
    chain.decodeData("ab", false);
    chain.manager.decodeTrailers(new HeaderMap());
    expect(chain.take()).toBe("A.dh B.dh C.dh. >h.");
  });

  test("ContinueAndDontEndStream lets a body follow headers that were the end", () => {
    const chain = new ChainHarness([{ decodeHeaders: H.ContinueAndDontEndStream }, {}]);
    chain.decodeHeaders(true);
    expect(chain.take()).toBe("A.dh. B.dh >h");
    chain.manager.addDecodedData(0, Buffer.from("late"));
    expect(chain.take()).toBe("B.dd(late) >d(late)");
    chain.manager.continueDecoding(0);
    expect(chain.take()).toBe("B.dd(). >d().");
  });

  test("a body added to header-only requests follows the headers", () => {
    const chain = new ChainHarness([
      {},
      {
        decodeHeaders: (filter) => {
          filter.callbacks.addDecodedData(filter.position, Buffer.from("new"));
          return H.Continue;
        },
      },
      {},
    ]);
    chain.decodeHeaders(true);
    expect(chain.take()).toBe("A.dh. B.dh. C.dh >h C.dd(new). >d(new).");
  });

  test("bytes added in a data callback stand behind its bytes; in the trailers' before the trailers", () => {
    const chain = new ChainHarness([
      {
        decodeData: [
          (filter) => {
            filter.callbacks.addDecodedData(0, Buffer.from("+"));
            return D.Continue;
          },
        ],
        decodeTrailers: (filter) => {
          filter.callbacks.addDecodedData(0, Buffer.from("!"));
          return T.Continue;
        },
      },
      {},
    ]);
    chain.decodeHeaders(false);
    chain.decodeData("a", false);
    chain.manager.decodeTrailers(new HeaderMap());
    expect(chain.take()).toBe("A.dh B.dh >h A.dd(a) B.dd(a+) >d(a+) A.dt B.dd(!) >d(!) B.dt >t");
  });

  test("trailers added in the last data callback reach the filters behind", () => {
    const chain = new ChainHarness([
      {
        decodeData: [
          (filter, _data, end) => {
            if (end) filter.callbacks.addDecodedTrailers().append("x-sum", "1");
            return D.Continue;
          },
        ],
      },
      {},
    ]);
    chain.decodeHeaders(false);
    chain.decodeData("a", false);
    chain.decodeData("b", true);
    expect(chain.take()).toBe("A.dh B.dh >h A.dd(a) B.dd(a) >d(a) A.dd(b). B.dd(b) >d(b) B.dt >t");
    expect(chain.manager.requestTrailers()?.get("x-sum")).toBe("1");
  });

  test("two filters that hold at once keep their bytes apart", () => {
    const chain = new ChainHarness([
      { decodeData: [D.Continue, D.StopIterationAndBuffer] },
      { decodeData: [D.StopIterationAndBuffer] },
    ]);
    chain.decodeHeaders(false);
    chain.decodeData("a", false);
    chain.decodeData("b", true);
    chain.manager.continueDecoding(1);
    expect(chain.take()).toBe("A.dh B.dh >h A.dd(a) B.dd(a) A.dd(b). >d(a)");
    chain.manager.continueDecoding(0);
    expect(chain.take()).toBe("B.dd(b).");
    chain.manager.continueDecoding(1);
    expect(chain.take()).toBe(">d(b).");
  });
});

describe("responses", () => {
  test("pass the chain backwards", () => {
    const chain = new ChainHarness([{}, {}]);
    chain.encodeHeaders(false);
    chain.encodeData("ab", false);
    chain.manager.encodeTrailers(new HeaderMap());
    expect(chain.take()).toBe("B.eh A.eh <h B.ed(ab) A.ed(ab) <d(ab) B.et A.et <t");
  });

  test("hold and release as requests do, at each position", () => {
    for (const at of [0, 1, 2]) {
      const scripts = [{}, {}, {}].map((s, i) =>
        i === at ? { encodeHeaders: H.StopIteration, encodeData: [D.StopIterationAndBuffer] } : s,
      );
      const chain = new ChainHarness(scripts);
      chain.encodeHeaders(false);
      chain.encodeData("a", false);
      chain.encodeData("b", true);
      expect(chain.responseOut).toBe("");
      expect(chain.manager.isEncodingStopped(at)).toBe(true);
      expect(chain.manager.encodingBuffer()?.toString()).toBe("ab");
      chain.take();
      chain.manager.continueEncoding(at);
      const after = "CBA".slice(3 - at).split("");
      const each = (what: string): string => after.map((f) => `${f}.${what} `).join("");
      const body = at === 0 ? "<d(ab)." : `${each("ed(ab).")}<d(ab).`;
      expect(chain.take()).toBe(`${each("eh")}<h ${body}`);
    }
  });

  test("every headers status", () => {
    const run = (status: H): string => {
      const chain = new ChainHarness([{}, { encodeHeaders: status }]);
      chain.encodeHeaders(false);
      chain.encodeData("a", true);
      return chain.take();
    };
    expect(run(H.Continue)).toBe("B.eh A.eh <h B.ed(a). A.ed(a). <d(a).");
    expect(run(H.StopIteration)).toBe("B.eh B.ed(a). A.eh <h A.ed(a). <d(a).");
    expect(run(H.ContinueAndEndStream)).toBe("B.eh A.eh. <h.");
    expect(run(H.StopAllIterationAndBuffer)).toBe("B.eh");
    expect(run(H.StopAllIterationAndWatermark)).toBe("B.eh");
    expect(run(H.ContinueAndDontEndStream)).toBe("B.eh A.eh <h B.ed(a). A.ed(a). <d(a).");
  });

  test("the end of the response ends the request's iteration", () => {
    const chain = new ChainHarness([{ decodeHeaders: H.StopAllIterationAndBuffer }]);
    chain.decodeHeaders(false);
    chain.encodeHeaders(true);
    chain.manager.continueDecoding(0);
    chain.decodeData("late", true);
    expect(chain.take()).toBe("A.dh A.eh. <h.");
  });

  test("a response without status is answered with 502 past the filters", () => {
    const chain = new ChainHarness([
      {
        encodeHeaders: (_filter, headers) => {
          headers.remove(":status");
          return H.Continue;
        },
      },
    ]);
    chain.encodeHeaders(true);
    expect(chain.take()).toBe("A.eh. !reply502 <h502 <d(missing required header: :status).");
  });
});

describe("limits", () => {
  test("a buffered request may be as long as the limit, and not longer", () => {
    const chain = new ChainHarness([{ decodeData: [D.StopIterationAndBuffer] }, {}], 4);
    chain.decodeHeaders(false);
    chain.decodeData("abcd", false);
    expect(chain.take()).toBe("A.dh B.dh >h A.dd(abcd)");
    chain.decodeData("e", false);
    expect(chain.take()).toBe(
      "A.dd(e) !reply413 B.eh A.eh <h413 B.ed(Payload Too Large). A.ed(Payload Too Large). <d(Payload Too Large).",
    );
    chain.decodeData("f", true);
    expect(chain.take()).toBe("");
  });

  test("StopAllIterationAndBuffer has the same limit", () => {
    const chain = new ChainHarness([{ decodeHeaders: H.StopAllIterationAndBuffer }], 4);
    chain.decodeHeaders(false);
    chain.decodeData("abcd", false);
    expect(chain.take()).toBe("A.dh");
    chain.decodeData("e", false);
    expect(chain.take()).toContain("!reply413");
  });

  test("with watermark the source is stopped above the limit and started at half of it", () => {
    for (const script of [
      { decodeHeaders: H.StopAllIterationAndWatermark },
      { decodeData: [D.StopIterationAndWatermark, D.StopIterationAndWatermark, D.Continue] },
    ]) {
      const chain = new ChainHarness([script], 4);
      chain.decodeHeaders(false);
      chain.decodeData("abcd", false);
      expect(chain.events).not.toContain(">stop");
      chain.decodeData("e", false);
      expect(chain.events.at(-1)).toBe(">stop");
      chain.manager.continueDecoding(0);
      expect(chain.events.at(-1)).toBe(">go");
      expect(chain.requestOut).toBe("abcde");
    }
  });

  test("a buffered response over the limit is answered with 500 past the filters", () => {
    const chain = new ChainHarness(
      [{}, { encodeHeaders: H.StopIteration, encodeData: [D.StopIterationAndBuffer] }],
      4,
    );
    chain.encodeHeaders(false);
    chain.encodeData("abcd", false);
    expect(chain.take()).toBe("B.eh B.ed(abcd)");
    chain.encodeData("e", false);
    expect(chain.take()).toBe("B.ed(e) !reply500 <h500 <d(Internal Server Error).");
  });

  test("a buffered response over the limit whose headers are out is broken off", () => {
    const chain = new ChainHarness([{ encodeData: [D.StopIterationAndBuffer] }], 4);
    chain.encodeHeaders(false);
    chain.encodeData("abcde", false);
    expect(chain.take()).toBe("A.eh <h A.ed(abcde) !reset(response_payload_too_large)");
  });

  test("a response with watermark stops its source", () => {
    const chain = new ChainHarness([{ encodeData: [D.StopIterationAndWatermark] }], 4);
    chain.encodeHeaders(false);
    chain.encodeData("abcde", true);
    expect(chain.take()).toBe("A.eh <h A.ed(abcde). <stop");
    chain.manager.continueEncoding(0);
    expect(chain.take()).toBe("<d(abcde). <go");
  });
});

describe("local replies", () => {
  const inHeaders = {
    decodeHeaders: (filter: { callbacks: { sendLocalReply(r: typeof reply403): void } }): H => {
      filter.callbacks.sendLocalReply(reply403);
      return H.StopIteration;
    },
  };

  test("from request headers run through all encoders, after the callback returned", () => {
    const chain = new ChainHarness([{}, inHeaders, {}]);
    chain.decodeHeaders(false);
    expect(chain.take()).toBe(
      "A.dh B.dh !reply403 C.eh B.eh A.eh <h403 C.ed(no). B.ed(no). A.ed(no). <d(no).",
    );
    chain.decodeData("late", true);
    chain.manager.continueDecoding(1);
    expect(chain.take()).toBe("");
  });

  test("from request body and trailers", () => {
    const chain = new ChainHarness([
      {
        decodeData: [
          (filter) => {
            filter.callbacks.sendLocalReply(localReply(400, "", "bad"));
            return D.Continue;
          },
        ],
      },
      {},
    ]);
    chain.decodeHeaders(false);
    chain.decodeData("x", true);
    expect(chain.take()).toBe("A.dh B.dh >h A.dd(x). !reply400 B.eh. A.eh. <h400.");

    const second = new ChainHarness([
      {
        decodeTrailers: (filter) => {
          filter.callbacks.sendLocalReply(localReply(400, "", "bad"));
          return T.Continue;
        },
      },
    ]);
    second.decodeHeaders(false);
    second.manager.decodeTrailers(new HeaderMap());
    expect(second.take()).toBe("A.dh >h A.dt !reply400 A.eh. <h400.");
  });

  test("from response headers replace the response past the other filters", () => {
    const chain = new ChainHarness([
      {},
      {
        encodeHeaders: (filter) => {
          filter.callbacks.sendLocalReply(reply403);
          return H.Continue;
        },
      },
    ]);
    chain.encodeHeaders(false);
    expect(chain.take()).toBe("B.eh !reply403 <h403 <d(no).");
    chain.encodeData("late", true);
    expect(chain.responseOut).toBe("nolate");
  });

  test("after the headers are out reset the stream", () => {
    const chain = new ChainHarness([
      {
        encodeData: [
          (filter) => {
            filter.callbacks.sendLocalReply(reply403);
            return D.Continue;
          },
        ],
      },
    ]);
    chain.encodeHeaders(false);
    chain.encodeData("a", true);
    expect(chain.take()).toBe("A.eh <h A.ed(a). !reset(denied)");
  });

  test("a second one from the reply's own response callbacks goes straight out, once", () => {
    const chain = new ChainHarness([
      {
        ...inHeaders,
        encodeHeaders: (filter) => {
          filter.callbacks.sendLocalReply(localReply(418, "tea", "again"));
          filter.callbacks.sendLocalReply(localReply(419, "", "more"));
          return H.Continue;
        },
      },
    ]);
    chain.decodeHeaders(true);
    expect(chain.events.join(" ")).toContain("A.dh. !reply403 A.eh !reply418 <h418 <d(tea).");
    expect(chain.events).not.toContain("!reply419");
  });

  test("while paused, from outside any callback", () => {
    const chain = new ChainHarness([{ decodeHeaders: H.StopAllIterationAndBuffer }]);
    chain.decodeHeaders(false);
    chain.filter(0).callbacks.sendLocalReply(reply403);
    expect(chain.take()).toBe("A.dh !reply403 A.eh <h403 A.ed(no). <d(no).");
  });

  test("a reset asked for in a callback happens when it returned and wins over a reply", () => {
    const chain = new ChainHarness([
      {
        decodeHeaders: (filter) => {
          filter.callbacks.sendLocalReply(reply403);
          filter.callbacks.resetStream("guest");
          return H.Continue;
        },
      },
      {},
    ]);
    chain.decodeHeaders(true);
    expect(chain.take()).toBe("A.dh. !reset(guest)");
  });
});

describe("the end of a stream", () => {
  test("logs all, then destroys all, once", () => {
    const chain = new ChainHarness([{}, {}]);
    chain.manager.log();
    chain.manager.log();
    chain.manager.destroy();
    chain.manager.destroy();
    chain.manager.log();
    expect(chain.take()).toBe("A.log B.log A.destroy B.destroy");
  });

  test("empties the room of its chain", () => {
    const chain = new ChainHarness([]);
    const { manager } = chain;
    manager.room.push(...new ChainHarness([{}, {}]).filters);
    manager.reset(manager.room, chain, chain.info, 0);
    chain.decodeHeaders(true);
    expect(manager.room.length).toBe(2);
    manager.destroy();
    expect(manager.room).toEqual([]);
  });

  test("leaves callbacks without effect", () => {
    const chain = new ChainHarness([{ decodeHeaders: H.StopAllIterationAndBuffer }, {}]);
    chain.decodeHeaders(false);
    chain.manager.destroy();
    chain.take();
    chain.manager.continueDecoding(0);
    chain.manager.continueEncoding(0);
    chain.manager.sendLocalReply(reply403);
    chain.manager.resetStream("x");
    chain.manager.addDecodedData(0, Buffer.from("x"));
    chain.encodeHeaders(true);
    expect(chain.manager.decodingBuffer()).toBe(null);
    expect(chain.take()).toBe("");
  });

  test("may come from inside the router's call", () => {
    const chain = new ChainHarness([{}, {}]);
    chain.onRequestHeaders = (): void => chain.manager.destroy();
    chain.decodeHeaders(false);
    chain.decodeData("x", true);
    expect(chain.take()).toBe("A.dh B.dh A.destroy B.destroy");
  });

  test("serves the next stream as new", () => {
    const chain = new ChainHarness([{ decodeHeaders: H.StopAllIterationAndBuffer }]);
    chain.decodeHeaders(false);
    chain.decodeData("old", false);
    chain.manager.destroy();
    chain.take();
    chain.manager.reset([], chain, chain.info, 0);
    chain.decodeHeaders(false);
    chain.decodeData("new", true);
    expect(chain.take()).toBe(">h >d(new).");
  });
});

test("the route cache is cleared through the end", () => {
  const chain = new ChainHarness([{}]);
  chain.manager.clearRouteCache();
  expect(chain.take()).toBe("!route");
});

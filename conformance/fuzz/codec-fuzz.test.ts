// Fuzzes both HTTP/1 connections against the reference, in whole and in pieces.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { HeadParser } from "../../runtime/src/codec/http1/parser.ts";
import { HeaderMap } from "../../runtime/src/core/header-map.ts";
import { changed, cuts, noise, piecesOf, requests, responses } from "./generators.ts";
import { limits, options, receive, serve } from "./play.ts";
import {
  type Field,
  type Message,
  referenceRequests,
  referenceResponse,
  type Stream,
} from "./reference.ts";
import { check } from "./settings.ts";

/** Fields that say what the message is; those that Connection may have taken out are not compared. */
function comparable({ start, fields, body, isWhole }: Message): object {
  const isSanitized = fields.some(([name]) =>
    /^(connection|te|upgrade|http2-settings)$/.test(name),
  );
  return { start, body, isWhole, fields: isSanitized ? [] : fields.map(normal).filter(isCompared) };
}

function isCompared([name]: Field): boolean {
  return name !== "host";
}

/** Leading zeros of a length are not passed on. */
function normal([name, value]: Field): Field {
  return [name, name === "content-length" ? value.replace(/^0+(?=\d)/, "") : value];
}

function messagesOf({ messages }: Stream): object[] {
  return messages.map(comparable);
}

/** What the codec made of `text`, and what it should have. */
interface Verdict {
  readonly seen: unknown;
  readonly wanted: unknown;
}

/** Messages whose heads were sanitised on our side are compared without fields. */
function judgeRequests(text: string): Verdict {
  const ours = serve([text]);
  const reference = referenceRequests(text, limits);
  const wanted = messagesOf(reference) as { fields: Field[] }[];
  const seen = messagesOf(ours).map((message, at) =>
    wanted[at]?.fields.length === 0 ? { ...message, fields: [] } : message,
  );
  const isEarly = ours.end === "error" && reference.end === "more";
  // The head was not whole, and yet wrong: no rest could have made it right.
  const end = isEarly ? referenceRequests(`${text}\r\n\r\n`, limits).end : reference.end;
  return { seen: [seen, ours.end], wanted: [wanted, end] };
}

function judgeResponse(text: string, method: string, isEnded: boolean): Verdict {
  const { message, isRefused } = receive([text], method, isEnded);
  const wanted = referenceResponse(text, method, isEnded, limits);
  if (typeof wanted === "string") {
    const isEarly = wanted === "more" && isRefused;
    const end = isEarly ? referenceResponse(`${text}\r\n\r\n`, method, isEnded, limits) : wanted;
    return {
      seen: [message.start, isRefused ? "error" : "more"],
      wanted: ["", typeof end === "string" ? end : "taken"],
    };
  }
  const should = comparable(wanted);
  // A length of 0 is taken out of a 204.
  const isBare = message.start === "204";
  return {
    seen: { ...comparable(message), ...(isBare ? { fields: [] } : {}) },
    wanted: { ...should, ...(isBare ? { fields: [] } : {}) },
  };
}

/** More than a head may have: after it, what was merely late is an error everywhere. */
const PAD = "a".repeat(limits.headBytesMax * 2);

describe("requests", () => {
  test("are accepted, refused and framed as the reference says", () => {
    check(
      fc.property(changed(requests), (text) => {
        const { seen, wanted } = judgeRequests(text);
        expect(seen).toEqual(wanted);
      }),
      4000,
    );
  });

  test("of noise, too", () => {
    check(
      fc.property(noise, (text) => {
        for (const bytes of [text, `POST / HTTP/1.1\r\nHost: h\r\n${text}`]) {
          const { seen, wanted } = judgeRequests(bytes);
          expect(seen).toEqual(wanted);
        }
      }),
      2000,
    );
  });

  test("mean the same however their bytes are split", () => {
    check(
      fc.property(changed(requests), cuts, (text, where) => {
        const whole = serve([text, PAD]);
        const cut = serve([...piecesOf(text, where), PAD]);
        expect([messagesOf(cut), cut.end]).toEqual([messagesOf(whole), whole.end]);
      }),
      3000,
    );
  });

  test("mean the same byte by byte", () => {
    check(
      fc.property(changed(requests), (text) => {
        const whole = serve([text, PAD]);
        const single = serve([...text.split(""), PAD]);
        expect([messagesOf(single), single.end]).toEqual([messagesOf(whole), whole.end]);
      }),
      600,
    );
  });

  test("mean the same with names that keep their case, and where trailers pass", () => {
    check(
      fc.property(changed(requests), cuts, (text, where) => {
        const whole = serve([text, PAD]);
        const use = { ...options, headerCase: "preserve" as const, enableTrailers: true };
        const preserved = serve([...piecesOf(text, where), PAD], use);
        expect([messagesOf(preserved), preserved.end]).toEqual([messagesOf(whole), whole.end]);
      }),
      1500,
    );
  });
});

describe("responses", () => {
  const method = fc.constantFrom("GET", "HEAD");

  test("are accepted, refused and framed as the reference says", () => {
    check(
      fc.property(changed(responses), method, fc.boolean(), (text, asked, isEnded) => {
        const { seen, wanted } = judgeResponse(text, asked, isEnded);
        expect(seen).toEqual(wanted);
      }),
      4000,
    );
  });

  test("mean the same however their bytes are split", () => {
    check(
      fc.property(changed(responses), method, cuts, (text, asked, where) => {
        const whole = receive([text, PAD], asked, true);
        const cut = receive([...piecesOf(text, where), PAD], asked, true);
        expect([comparable(cut.message), cut.isRefused]).toEqual([
          comparable(whole.message),
          whole.isRefused,
        ]);
      }),
      3000,
    );
  });
});

/** A head that was parsed, as it would be written. */
function written(text: string): string | null {
  const bytes = Buffer.from(text, "latin1");
  const map = new HeaderMap();
  const end = new HeadParser().request(bytes, 0, bytes.length, map, options);
  return end < 0 ? null : `${map.serializeRequest()}\r\n`;
}

test("what was parsed and written is parsed and written as before", () => {
  check(
    fc.property(changed(requests), (text) => {
      const once = written(text);
      // The manager refuses what is no path, as Envoy does: "GET http://h?x".
      fc.pre(once !== null && !/ \?/.test(once.split("\r\n")[0] ?? ""));
      const [first] = referenceRequests(text, limits).messages;
      const [again] = referenceRequests(once, limits).messages;
      expect([written(once), again?.start]).toEqual([once, first?.start]);
    }),
    1500,
  );
});

// Checks the harness itself: what it cuts, replaces, compares and forgives. Needs no proxy.
import { describe, expect, test, vi } from "vitest";
import { bootstrapText, certificateFiles, type Places } from "./bootstrap.ts";
import { get, reply, type TlsClient } from "./case.ts";
import { certificateSet, fingerprintOf } from "./certificates.ts";
import { diffCase } from "./diff.ts";
import { judge, matchesName, parseKnownDifferences } from "./known-differences.ts";
import { Normaliser } from "./normalise.ts";
import { type ConnectionResult, playConnection } from "./raw-client.ts";
import type { CaseResult } from "./result.ts";
import { UpstreamRecorder } from "./upstream-recorder.ts";
import { cutRequest, cutResponses } from "./wire.ts";

const PLACES: Places = {
  adminPort: 20001,
  sitePorts: { main: 20003 },
  upstreamPorts: { up: 20007, other: 20009, dead: 20011 },
  folder: "/somewhere/run",
  certificates: null,
};
const WAITS = { responseMs: 2000, closeMs: 30 };

describe("cutResponses", () => {
  test("cuts interim and final responses apart", () => {
    const text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokREST";
    const { messages, rest } = cutResponses(text, false, false);
    expect(messages.map((one) => one.start)).toEqual(["HTTP/1.1 100 Continue", "HTTP/1.1 200 OK"]);
    expect(messages[1]).toMatchObject({ body: "ok", framing: "length", isComplete: true });
    expect(rest).toBe("REST");
  });

  test("reads chunks and trailers, and keeps header lines as they are", () => {
    const text =
      "HTTP/1.1 200 OK\r\nX-A:  1\r\nTransfer-Encoding: chunked\r\n\r\n" +
      "2\r\nab\r\n1;x\r\nc\r\n0\r\nT: 1\r\n\r\n";
    const { messages } = cutResponses(text, false, false);
    expect(messages[0]).toEqual({
      start: "HTTP/1.1 200 OK",
      headers: ["X-A:  1", "Transfer-Encoding: chunked"],
      framing: "chunked",
      body: "abc",
      trailers: ["T: 1"],
      isComplete: true,
    });
  });

  test("at every cut of the bytes nothing is complete too early", () => {
    const text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n";
    for (let length = 0; length < text.length; length += 1) {
      const { messages } = cutResponses(text.slice(0, length), false, false);
      expect(messages.filter((one) => one.isComplete)).toEqual([]);
    }
  });

  test("a body without length ends with the connection", () => {
    const text = "HTTP/1.0 200 OK\r\n\r\nabc";
    expect(cutResponses(text, false, false).messages[0]?.isComplete).toBe(false);
    expect(cutResponses(text, false, true).messages[0]).toMatchObject({
      body: "abc",
      isComplete: true,
    });
  });

  test("answers to HEAD, 204 and 304 have no body whatever they say", () => {
    const head = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    expect(cutResponses(head, true, false).messages[0]?.isComplete).toBe(true);
    const bare = head.replace("200 OK", "304 Not Modified");
    expect(cutResponses(bare, false, false).messages[0]?.isComplete).toBe(true);
  });

  test("bytes that are no head are left over", () => {
    expect(cutResponses("garbage", false, true)).toEqual({ messages: [], rest: "garbage" });
  });
});

test("cutRequest tells an incomplete body from a complete one", () => {
  const text = "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nab";
  expect(cutRequest(text)?.message.isComplete).toBe(false);
  expect(cutRequest(`${text}cNEXT`)).toMatchObject({ used: text.length + 1 });
  expect(cutRequest("GET / HTTP/1.1\r\n")).toBeUndefined();
});

describe("Normaliser", () => {
  const one = "11111111-2222-4333-8444-555555555555";
  const two = "aaaaaaaa-bbbb-9ccc-8ddd-eeeeeeeeeeee";

  test("numbers ids by first appearance and shows their version", () => {
    const normaliser = new Normaliser(PLACES);
    expect(normaliser.header(`x-request-id: ${two}`)).toBe("x-request-id: {uuid 1, version 9}");
    expect(normaliser.text(`${one} ${two}`)).toBe("{uuid 2, version 4} {uuid 1, version 9}");
  });

  test("keeps ids that the case itself sent", () => {
    expect(new Normaliser(PLACES, `X: ${one}`).text(one)).toBe(one);
  });

  test("replaces dates of now, and keeps those of another time", () => {
    const now = new Date().toUTCString();
    const old = "Mon, 01 Jan 2024 00:00:00 GMT";
    const normaliser = new Normaliser(PLACES);
    expect(normaliser.header(`date: ${now}`)).toBe("date: {date}");
    expect(normaliser.header(`date: ${old}`)).toBe(`date: ${old}`);
  });

  test("names known ports and hides unknown ones", () => {
    const text = new Normaliser(PLACES).text("127.0.0.1:20003 127.0.0.1:20007 127.0.0.1:41234");
    expect(text).toBe("127.0.0.1:{port:main} 127.0.0.1:{up:up} 127.0.0.1:{port}");
    const six = new Normaliser(PLACES).text("[::1]:41234 [::1]:8080");
    expect(six).toBe("[::1]:{port} [::1]:8080");
  });

  test("leaves other numbers and header names in another case alone", () => {
    const normaliser = new Normaliser(PLACES);
    expect(normaliser.text("120003 200031 15000")).toBe("120003 200031 15000");
    expect(normaliser.header("x-envoy-upstream-service-time: 12")).toBe(
      "x-envoy-upstream-service-time: {ms}",
    );
    expect(normaliser.header("x-envoy-upstream-service-time: soon")).toContain("soon");
  });

  test("long bodies become a digest", () => {
    const normaliser = new Normaliser(PLACES);
    expect(normaliser.body("a".repeat(600))).toBe("a".repeat(600));
    expect(normaliser.body("a".repeat(601))).toMatch(/^\{601 bytes, sha256 [0-9a-f]{16}\}$/);
  });
});

const RESULT: CaseResult = {
  connections: [
    {
      responses: [{ start: "HTTP/1.1 200 OK", headers: ["a: 1", "b: 2"], framing: "none" }],
      fate: "open",
    },
  ],
  upstream: [],
  log: ["one"],
  stats: { "http.main.rq_total": 1 },
};

describe("diffCase", () => {
  test("equal results have no differences", () => {
    expect(diffCase("x", RESULT, structuredClone(RESULT))).toEqual([]);
  });

  test("the order of headers is a difference", () => {
    const first = RESULT.connections[0]!.responses[0]!;
    const responses = [{ ...first, headers: ["b: 2", "a: 1"] }];
    const found = diffCase("x", RESULT, { ...RESULT, connections: [{ responses, fate: "open" }] });
    expect(found.map((one) => one.aspect)).toEqual(["headers"]);
  });

  test("each aspect is named, stats by their names", () => {
    const found = diffCase("x", RESULT, {
      connections: [{ responses: [], fate: "reset" }],
      upstream: [{ ...RESULT.connections[0]!.responses[0]!, upstream: "up", connection: 1 }],
      log: [],
      stats: { "cluster.up.x": 2 },
    });
    expect(found.map((one) => one.aspect)).toEqual([
      "status",
      "fate",
      "upstream",
      "log",
      "stats:http.main.rq_total",
      "stats:cluster.up.x",
    ]);
  });
});

const PAGE = `# Page
| case | aspect | what | why |
|---|---|---|---|
| not-here | * | outside of the section | x |

## Measured by the harness

| case | aspect | what | why |
|---|---|---|---|
| one, two-* | status, \`stats:*\` | a \\| b | c |

## Else
| case | aspect | what | why |
|---|---|---|---|
| nor-here | * | x | y |
`;

describe("known differences", () => {
  const known = parseKnownDifferences(PAGE);
  const base = { where: "", expected: "", actual: "" };

  test("reads the rows of one section", () => {
    expect(known).toEqual([
      {
        cases: ["one", "two-*"],
        aspects: ["status", "stats:*"],
        what: "a | b",
        why: "c",
        line: 10,
      },
    ]);
  });

  test("refuses a row with an empty cell or another number of cells", () => {
    expect(() => parseKnownDifferences(PAGE.replace("| c |", "|  |"))).toThrow(":10:");
    expect(() => parseKnownDifferences(PAGE.replace("| c |", "| c | d |"))).toThrow(":10:");
  });

  test("a star stands for any text and all else for itself", () => {
    expect(matchesName("two-*", "two-x")).toBe(true);
    expect(matchesName("two-*", "a-two-x")).toBe(false);
    expect(matchesName("a.b", "axb")).toBe(false);
  });

  test("finds what is not listed", () => {
    const listed = { ...base, caseId: "one", aspect: "status" } as const;
    const unlisted = { ...base, caseId: "one", aspect: "body" } as const;
    expect(judge(known, [listed, unlisted], []).unlisted).toEqual([unlisted]);
  });

  test("finds what has healed, and only among cases that ran", () => {
    const listed = { ...base, caseId: "two-b", aspect: "stats:x" } as const;
    expect(judge(known, [listed], ["one", "two-b"]).healed).toEqual([
      "KNOWN_DIFFERENCES.md:10: one no longer differs in status, stats:*",
    ]);
    expect(judge(known, [], ["other"]).healed).toEqual([]);
  });
});

test("bootstrapText makes TCP proxies, chains with TLS and hashes of certificates", async () => {
  const certificates = await certificateSet();
  const tls = { common_tls_context: { tls_certificates: [certificateFiles("server")] } };
  const validation = { trusted_ca: { filename: "$DIR/authority.pem $SHA256:client $SPKI:client" } };
  const main = { chains: [{ name: "a", match: { destination_port: 1 }, tls, tcp: validation }] };
  const text = bootstrapText({ sites: { main } }, { ...PLACES, certificates });
  expect(text).not.toContain("$");
  expect(text).toContain(fingerprintOf(certificates, "client"));
  expect(text).toContain("/somewhere/run/server-chain.pem");
  const masked = new Normaliser({ ...PLACES, certificates }).text(text);
  expect(masked).toContain("{folder}/authority.pem {sha256 of client} {spki of client}");
});

test("bootstrapText fills in ports and folder", () => {
  const text = bootstrapText({ sites: { main: {} } }, PLACES);
  expect(text).not.toContain("$");
  expect(JSON.parse(text)).toMatchObject({
    static_resources: { listeners: [{ address: { socket_address: { port_value: 20003 } } }] },
  });
  expect(text).toContain("/somewhere/run/main.log");
});

describe("client and upstream together", () => {
  test("note each other's bytes, connections and ends", async () => {
    const recorder = await UpstreamRecorder.start({ up: 0 });
    const port = recorder.ports["up"] ?? 0;
    recorder.script([
      reply("201 Created", "a"),
      { steps: ["HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc"], after: "close" },
    ]);
    const first = await playConnection(port, { send: [get("/1")] }, WAITS);
    const second = await playConnection(port, { send: [get("/2")] }, { ...WAITS, closeMs: 2000 });
    expect(first).toMatchObject({ fate: "open", messages: [{ start: "HTTP/1.1 201 Created" }] });
    expect(second).toMatchObject({ fate: "closed", messages: [{ isComplete: false }] });
    const requests = recorder.requests();
    expect(requests.map((one) => [one.connection, one.message.start])).toEqual([
      [1, "GET /1 HTTP/1.1"],
      [2, "GET /2 HTTP/1.1"],
    ]);
    await recorder.stop();
  });

  test("pipelined requests are answered in order, bytes above 127 pass", async () => {
    const recorder = await UpstreamRecorder.start({ up: 0 });
    const port = recorder.ports["up"] ?? 0;
    recorder.script([reply("200 OK", "\xff"), reply("200 OK", "two")]);
    const both = `${get("/1", "X: \xe9")}${get("/2")}`;
    const result = await playConnection(port, { send: [both], responses: 2 }, WAITS);
    expect(result.messages.map((one) => one.body)).toEqual(["\xff", "two"]);
    expect(recorder.requests()[0]?.message.headers).toContain("X: \xe9");
    await recorder.stop();
  });

  test("bytes that are no HTTP go both ways, each end's FIN by itself", async () => {
    const recorder = await UpstreamRecorder.start({ up: 0 });
    const port = recorder.ports["up"] ?? 0;
    const steps = ["hello ", { awaitText: "abc" }, { awaitEnd: true }, "late"] as const;
    recorder.script([], [{ steps }, { steps: ["hello"] }]);
    const send = [{ awaitText: "hello" }, "abc", { fin: true }] as const;
    const first = await playConnection(port, { raw: true, send }, { ...WAITS, closeMs: 2000 });
    expect(first).toEqual({ messages: [], rest: "hello late", fate: "closed" });
    const cut = [{ awaitText: "hello" }, { reset: true }] as const;
    await playConnection(port, { raw: true, send: cut }, WAITS);
    await vi.waitFor(() => {
      expect(recorder.streams()).toEqual([
        { upstream: "up", bytes: "abc", end: "closed" },
        { upstream: "up", bytes: "", end: "reset" },
      ]);
    });
    await recorder.stop();
  });

  test("bytes behind the request of a tunnel are no further request", async () => {
    const recorder = await UpstreamRecorder.start({ up: 0 });
    const port = recorder.ports["up"] ?? 0;
    const answer = "HTTP/1.1 101 Switching Protocols\r\n\r\n";
    recorder.script([
      { tunnel: true, steps: [answer, { awaitText: "GET" }, "bye"], after: "close" },
    ]);
    const send = [get("/"), { awaitText: "\r\n\r\n" }, "GET no request", { awaitText: "bye" }];
    const result = await playConnection(port, { send }, { ...WAITS, closeMs: 2000 });
    expect(result).toMatchObject({ messages: [{ framing: "none" }], rest: "bye", fate: "closed" });
    expect(recorder.requests()).toMatchObject([{ tunnel: "GET no request" }]);
    await recorder.stop();
  });

  test("TLS tells what both ends agreed on, and a session is resumed", async () => {
    const certificates = await certificateSet();
    const secure = {
      up: { certificate: "server", clientAuthority: "authority", alpn: ["http/1.1"] },
    };
    const recorder = await UpstreamRecorder.start({ up: 0 }, { secure, certificates });
    const port = recorder.ports["up"] ?? 0;
    recorder.script([]);
    const context = { certificates, sessions: [] };
    const client = { servername: "server.test", certificate: "client", alpn: ["h2", "http/1.1"] };
    const play = (at: number, tls: TlsClient): Promise<ConnectionResult> =>
      playConnection(port, { send: [get("/")], tls }, { ...WAITS, closeMs: 200 }, context, at);
    const first = await play(0, client);
    const again = await play(1, { ...client, resume: 1 });
    const refused = await play(2, { servername: "server.test" });
    expect(first.tls).toBe("TLSv1.3, alpn http/1.1, server trusted");
    expect(again.tls).toBe("TLSv1.3, alpn http/1.1, resumed");
    expect(refused).toMatchObject({ messages: [], fate: "closed" });
    expect(refused.tls).toContain("ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED");
    expect(recorder.requests()[0]?.tls).toBe(
      "TLSv1.3, sni server.test, alpn http/1.1, client trusted",
    );
    await recorder.stop();
  });

  test("a reset is told from an end", async () => {
    const recorder = await UpstreamRecorder.start({ up: 0 });
    recorder.script([{ steps: [], after: "reset" }]);
    const port = recorder.ports["up"] ?? 0;
    const result = await playConnection(port, { send: [get("/")] }, WAITS);
    expect(result.fate).toBe("reset");
    await recorder.stop();
  });
});

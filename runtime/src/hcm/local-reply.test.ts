// Local replies as Envoy 1.40 wrote them: bodies, gRPC, local_reply_config.
import { describe, expect, test } from "vitest";
import type { LocalReplyConfig, LocalReplyMapperConfig } from "../config/snapshot.ts";
import { Clock } from "../core/clock.ts";
import { HeaderMap } from "../core/header-map.ts";
import { SeededRandom } from "../core/random.ts";
import { Runtime } from "../core/runtime.ts";
import type { StreamInfo } from "../core/stream-info.ts";
import type { LocalReply } from "../filter/http-filter.ts";
import { isGrpcRequest } from "../core/grpc-status.ts";
import { connectionFrom, getRequest, infoOf, writtenLines } from "./hcm-for-test.ts";
import { addReplyHeaders, LocalReplyWriter } from "./local-reply.ts";

function writer(config: LocalReplyConfig | null): LocalReplyWriter {
  const random = new SeededRandom(1);
  const options = { clock: new Clock(), random, runtime: new Runtime(), hostname: "h" };
  return new LocalReplyWriter(config, options);
}

function reply(status: number, body = "", more: Partial<LocalReply> = {}): LocalReply {
  const details = "some details";
  return { status, body, headers: null, grpcStatus: -1, details, responseFlags: 0, ...more };
}

interface Written {
  readonly status: number;
  readonly lines: string[];
  readonly body: string;
  readonly info: StreamInfo;
}

function write(
  local: LocalReply,
  config: LocalReplyConfig | null = null,
  request: HeaderMap | null = getRequest("/"),
  ...routeHeaders: readonly (readonly [string, string])[]
): Written {
  const info = infoOf(connectionFrom("10.0.0.1"));
  const response = new HeaderMap();
  addReplyHeaders(response, local.headers);
  for (const [name, value] of routeHeaders) response.append(name, value);
  const isGrpc = request !== null && isGrpcRequest(request);
  const body = writer(config).write(local, response, info, request, isGrpc);
  return { status: response.status, lines: writtenLines(response), body, info };
}

const grpcRequest = (): HeaderMap => getRequest("/", "content-type: application/grpc+proto");

describe("without configuration", () => {
  test("a body has length and type", () => {
    const written = write(reply(503, "no healthy upstream"));
    expect(written.lines).toEqual(["content-length: 19", "content-type: text/plain"]);
    expect(written).toMatchObject({ status: 503, body: "no healthy upstream" });
  });

  test("an empty one has neither; the codec frames it", () => {
    expect(write(reply(404))).toMatchObject({ status: 404, lines: [], body: "" });
  });

  test("headers of the reply come first, the route's second; types of either stay", () => {
    const local = reply(302, "x", { headers: ["location", "/y"] });
    const written = write(local, null, getRequest("/"), ["content-type", "a/b"]);
    expect(written.lines).toEqual(["location: /y", "content-type: a/b", "content-length: 1"]);
  });

  test("an empty body drops length and type that somebody set", () => {
    const more = [["content-type", "a/b"] as const, ["content-length", "7"] as const];
    expect(write(reply(200), null, getRequest("/"), ...more).lines).toEqual([]);
  });

  test("leaves its status to logs, and no body", () => {
    expect(write(reply(503, "x")).info).toMatchObject({ responseCode: 503, localReplyBody: "" });
  });
});

describe("gRPC", () => {
  test.each([
    [200, 2],
    [400, 13],
    [401, 16],
    [403, 7],
    [404, 12],
    [408, 2],
    [409, 2],
    [413, 2],
    [429, 14],
    [499, 2],
    [500, 2],
    [502, 14],
    [503, 14],
    [504, 14],
  ])("%i is status %i", (status, grpcStatus) => {
    const written = write(reply(status), null, grpcRequest());
    expect(written).toMatchObject({ status: 200, body: "" });
    expect(written.lines).toEqual(["content-type: application/grpc", `grpc-status: ${grpcStatus}`]);
  });

  test("the body becomes the percent-encoded message", () => {
    expect(write(reply(503, 'b%~\n"x \xc3\xa9'), null, grpcRequest()).lines[2]).toBe(
      'grpc-message: b%25%7E%0A"x %C3%A9',
    );
  });

  test("a status of the reply or of a header wins", () => {
    const own = write(reply(503, "", { grpcStatus: 8 }), null, grpcRequest());
    expect(own.lines).toContain("grpc-status: 8");
    const more = [["grpc-status", "3"] as const, ["content-length", "9"] as const];
    const header = write(reply(503, "b"), null, grpcRequest(), ...more);
    expect(header.lines).toEqual([
      "grpc-status: 3",
      "content-type: application/grpc",
      "grpc-message: b",
    ]);
  });

  test.each(["application/grpc-web", "application/grpc;x", "text/plain"])("%s is none", (type) => {
    expect(write(reply(404), null, getRequest("/", `content-type: ${type}`)).status).toBe(404);
  });
});

const json = {
  kind: "json",
  text: "",
  json: { c: "%RESPONSE_CODE%", b: "%LOCAL_REPLY_BODY%", t: "%RESP(CONTENT-TYPE)%" },
  omitEmptyValues: false,
  contentType: "",
} as const;

function mapper(value: number, more: Partial<LocalReplyMapperConfig>): LocalReplyMapperConfig {
  const filter = { kind: "status_code", op: "eq", value, runtimeKey: "" } as const;
  return { filter, statusCode: 0, body: null, bodyFormat: null, headersToAdd: [], ...more };
}

const headersToAdd = [
  {
    name: "x-a",
    format: "%RESPONSE_CODE%/%LOCAL_REPLY_BODY%",
    action: "append_if_exists_or_add",
    keepEmptyValue: false,
  },
  {
    name: "content-type",
    format: "a/b",
    action: "overwrite_if_exists_or_add",
    keepEmptyValue: false,
  },
] as const;

const config: LocalReplyConfig = {
  mappers: [
    mapper(503, { statusCode: 418, bodyFormat: json, headersToAdd }),
    mapper(404, { statusCode: 400, body: "mapped" }),
    mapper(400, { statusCode: 404 }),
    mapper(401, { body: "" }),
    mapper(403, {
      bodyFormat: {
        kind: "text",
        text: "%RESPONSE_CODE% %LOCAL_REPLY_BODY%!\n",
        json: null,
        omitEmptyValues: false,
        contentType: "text/html; charset=UTF-8",
      },
    }),
  ],
  bodyFormat: null,
};

describe("mappers", () => {
  test("status, format and headers; headers still see the old status and no body", () => {
    const written = write(reply(503, "why"), config);
    expect(written.status).toBe(418);
    expect(written.body).toBe('{"b":"why","c":418,"t":"a/b"}\n');
    expect(written.lines).toEqual(["content-type: a/b", "x-a: 503/", "content-length: 30"]);
    expect(written.info.responseCode).toBe(418);
  });

  test("only the first that matches applies", () => {
    const written = write(reply(404, "why"), config);
    expect(written).toMatchObject({ status: 400, body: "mapped" });
    expect(written.lines).toEqual(["content-length: 6", "content-type: text/plain"]);
  });

  test("a body may be taken away", () => {
    expect(write(reply(401, "why"), config)).toMatchObject({ status: 401, body: "", lines: [] });
  });

  test("a text format with its content type", () => {
    const written = write(reply(403, "why"), config);
    expect(written.body).toBe("403 why!\n");
    expect(written.lines[1]).toBe("content-type: text/html; charset=UTF-8");
  });

  test("gRPC takes the mapped status, and JSON without its line feed", () => {
    expect(write(reply(404), config, grpcRequest()).lines).toEqual([
      "content-type: application/grpc",
      "grpc-status: 13",
      "grpc-message: mapped",
    ]);
    const message = write(reply(503, "why"), config, grpcRequest()).lines[3];
    expect(message).toBe('grpc-message: {"b":"why","c":418,"t":"a/b"}');
  });
});

describe("body_format for all", () => {
  const all: LocalReplyConfig = { mappers: [], bodyFormat: json };

  test("empty bodies get one, too; its type replaces the route's in place", () => {
    const written = write(reply(404), all, getRequest("/"), ["content-type", "text/x"]);
    expect(written.body).toBe('{"b":"","c":404,"t":"text/x"}\n');
    expect(written.lines).toEqual(["content-type: application/json", "content-length: 30"]);
  });

  test("bodies keep their bytes", () => {
    const written = write(reply(404, "\xc3\xa9"), all);
    expect(Buffer.from(written.body, "latin1").toString("utf8")).toContain('"b":"é"');
    expect(written.lines[0]).toBe(`content-length: ${written.body.length}`);
  });
});

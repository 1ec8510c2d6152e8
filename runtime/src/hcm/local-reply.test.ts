import { describe, expect, test } from "vitest";
import type { LocalReplyConfig, LocalReplyMapperConfig } from "../config/snapshot.ts";
import { Clock } from "../core/clock.ts";
import { HeaderMap } from "../core/header-map.ts";
import { SeededRandom } from "../core/random.ts";
import { StreamInfo } from "../core/stream-info.ts";
import { localReply } from "../filter/testing.ts";
import { headerLines, requestHeaders } from "./hcm-for-test.ts";
import { grpcStatusOfHttp, LocalReplyWriter } from "./local-reply.ts";

interface Written {
  readonly status: number;
  readonly lines: readonly string[];
  readonly body: string;
  readonly info: StreamInfo;
}

function write(
  config: LocalReplyConfig | null,
  status: number,
  body: string,
  isGrpc = false,
): Written {
  const clock = new Clock();
  const options = { clock, random: new SeededRandom(1), hostname: "h" };
  const writer = new LocalReplyWriter(config, options);
  const headers = new HeaderMap();
  const info = new StreamInfo();
  const reply = localReply(status, body, "some_details");
  const text = writer.write(reply, headers, info, requestHeaders("/p"), isGrpc);
  return { status: headers.status, lines: headerLines(headers), body: text, info };
}

function mapper(more: Partial<LocalReplyMapperConfig>): LocalReplyMapperConfig {
  return {
    filter: { kind: "status_code", op: "eq", value: 404 },
    statusCode: 0,
    body: null,
    bodyFormat: null,
    headersToAdd: [],
    ...more,
  };
}

const format = { omitEmptyValues: false, contentType: "" };
const textFormat = {
  ...format,
  kind: "text" as const,
  text: "T %LOCAL_REPLY_BODY% %RESPONSE_CODE%",
  json: null,
};
const jsonFormat = {
  ...format,
  kind: "json" as const,
  text: "",
  json: { s: "%RESPONSE_CODE%", b: "%LOCAL_REPLY_BODY%", p: "%REQ(:path)%" },
};

describe("a plain reply", () => {
  test("has length and type when it has a body", () => {
    const { lines, body } = write(null, 503, "no healthy upstream");
    expect(lines).toEqual(["content-length: 19", "content-type: text/plain"]);
    expect(body).toBe("no healthy upstream");
  });

  test("has neither without a body", () => {
    expect(write(null, 404, "")).toMatchObject({ status: 404, lines: [], body: "" });
  });

  test("leaves its status to logs, and no body, as Envoy", () => {
    const { info } = write(null, 503, "x");
    expect([info.responseCode, info.localReplyBody]).toEqual([503, ""]);
  });
});

describe("a gRPC reply", () => {
  test("carries status and message in its head", () => {
    expect(write(null, 503, "a%b\n", true)).toMatchObject({
      status: 200,
      lines: ["content-type: application/grpc", "grpc-status: 14", "grpc-message: a%25b%0A"],
      body: "",
    });
    expect(write(null, 404, "", true).lines).toEqual([
      "content-type: application/grpc",
      "grpc-status: 12",
    ]);
  });

  test("maps HTTP's status", () => {
    const mapped = [400, 401, 403, 404, 429, 502, 503, 504, 500, 418].map(grpcStatusOfHttp);
    expect(mapped).toEqual([13, 16, 7, 12, 14, 14, 14, 14, 2, 2]);
  });
});

describe("local_reply_config", () => {
  // As recorded from Envoy 1.40.
  test("formats bodies, empty ones too", () => {
    const html = { ...textFormat, contentType: "text/html; charset=UTF-8" };
    const { lines, body } = write({ mappers: [], bodyFormat: html }, 503, "");
    expect(body).toBe("T  503");
    expect(lines).toEqual(["content-length: 6", "content-type: text/html; charset=UTF-8"]);
    expect(write({ mappers: [], bodyFormat: html }, 503, "x", true).lines[2]).toBe(
      "grpc-message: T x 503",
    );
  });

  test("maps status, headers and format of what its filter finds", () => {
    const config = {
      mappers: [
        mapper({
          statusCode: 418,
          headersToAdd: [
            {
              name: "x-mapped",
              format: "%RESPONSE_CODE%",
              action: "append_if_exists_or_add",
              keepEmptyValue: false,
            },
          ],
          bodyFormat: jsonFormat,
        }),
      ],
      bodyFormat: null,
    };
    const written = write(config, 404, "");
    expect(written.status).toBe(418);
    expect(written.info.responseCode).toBe(418);
    expect(written.body).toBe('{"b":"","p":"/p","s":418}\n');
    expect(written.lines).toEqual([
      "x-mapped: 404",
      "content-length: 26",
      "content-type: application/json",
    ]);
    expect(write(config, 403, "no")).toMatchObject({ status: 403, body: "no" });
  });

  test("takes the first mapper that matches, and its body", () => {
    const mappers = [mapper({ body: "first" }), mapper({ body: "second" })];
    expect(write({ mappers, bodyFormat: null }, 404, "x").body).toBe("first");
    expect(write({ mappers, bodyFormat: textFormat }, 404, "x").body).toBe("T first 404");
  });
});

// What a HeaderMap costs a proxied request: look-ups, changes, and writing the head again, against
// cutting all names and values at once.
import { HeadParser } from "../../runtime/src/codec/http1/parser.ts";
import { defaultOptions } from "../../runtime/src/codec/http1/recorders-for-test.ts";
import { HeaderMap } from "../../runtime/src/core/header-map.ts";
import { HeaderId } from "../../runtime/src/core/header-names.ts";
import { browserHead } from "./heads.ts";
import type { MicroBench } from "./runner.ts";

const parser = new HeadParser();
const map = new HeaderMap();
const bytes: Buffer = Buffer.from(browserHead, "latin1");
const TIMEOUT_LINE = "x-envoy-expected-rq-timeout-ms: 15000\r\n";

function parse(): void {
  parser.request(bytes, 0, bytes.length, map, defaultOptions);
}

export const benches: readonly MicroBench[] = [
  {
    name: "parse only (to be taken off the rows below)",
    run(times): number {
      let sum = 0;
      for (let i = 0; i < times; i += 1) {
        parse();
        sum += map.entryCount;
      }
      return sum;
    },
  },
  {
    name: "parse, add three headers, serialize as runs",
    run(times): number {
      let sum = 0;
      for (let i = 0; i < times; i += 1) {
        parse();
        map.setById(HeaderId.XForwardedProto, "http");
        map.setById(HeaderId.XRequestId, "0e0e0e0e-1111-4222-8333-444444444444");
        map.setLineById(HeaderId.XEnvoyExpectedRqTimeoutMs, "15000", TIMEOUT_LINE);
        sum += map.serializeRequest().length;
      }
      return sum;
    },
  },
  {
    name: "parse, look up six known and two other names",
    run(times): number {
      let sum = 0;
      for (let i = 0; i < times; i += 1) {
        parse();
        if (map.getById(HeaderId.UserAgent) !== undefined) sum += 1;
        if (map.getById(HeaderId.Cookie) !== undefined) sum += 1;
        if (map.getById(HeaderId.XForwardedFor) !== undefined) sum += 1;
        if (map.getById(HeaderId.Te) !== undefined) sum += 1;
        if (map.getById(HeaderId.Accept) !== undefined) sum += 1;
        if (map.getById(HeaderId.Referer) !== undefined) sum += 1;
        if (map.get("sec-fetch-mode") !== undefined) sum += 1;
        if (map.get("x-filter") !== undefined) sum += 1;
      }
      return sum;
    },
  },
  {
    name: "parse, cut all names and values",
    run(times): number {
      let sum = 0;
      for (let i = 0; i < times; i += 1) {
        parse();
        for (let k = 0; k < map.entryCount; k += 1) sum += map.name(k).length + map.value(k).length;
      }
      return sum;
    },
  },
];

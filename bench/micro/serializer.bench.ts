// What it costs to write a response head: a proxied one in runs, and one made of separate headers.
// The text is made flat as the socket's write would.
import { HeadParser } from "../../runtime/src/codec/http1/parser.ts";
import { chunkStart, properCase, responseHead } from "../../runtime/src/codec/http1/serializer.ts";
import { defaultOptions } from "../../runtime/src/codec/http1/recorders-for-test.ts";
import { HeaderMap } from "../../runtime/src/core/header-map.ts";
import { HeaderId } from "../../runtime/src/core/header-names.ts";
import type { MicroBench } from "./runner.ts";

const parser = new HeadParser();
const map = new HeaderMap();
const target: Buffer = Buffer.alloc(16 * 1024);
const upstream: Buffer = Buffer.from(
  [
    "HTTP/1.1 200 OK",
    "content-type: text/html; charset=utf-8",
    "content-length: 1234",
    'etag: "33a64df551425fcc55e4d42a148795d9"',
    "cache-control: private, max-age=0",
    "x-frame-options: DENY",
    "",
    "",
  ].join("\r\n"),
  "latin1",
);
const DATE = "Sat, 21 Nov 2026 12:00:00 GMT";
const DATE_LINE = `date: ${DATE}\r\n`;

function write(text: string): number {
  return target.write(text, 0, "latin1");
}

export const benches: readonly MicroBench[] = [
  {
    name: "a proxied response head, parsed, with date, server and service time, to bytes",
    run(times): number {
      let sum = 0;
      for (let i = 0; i < times; i += 1) {
        parser.response(upstream, 0, upstream.length, map, defaultOptions);
        map.setById(HeaderId.XEnvoyUpstreamServiceTime, "3");
        map.setLineById(HeaderId.Date, DATE, DATE_LINE);
        map.setLineById(HeaderId.Server, "envoy", "server: envoy\r\n");
        sum += write(responseHead(map, 1, "", defaultOptions));
      }
      return sum;
    },
  },
  {
    name: "a local reply's head of five headers, to bytes",
    run(times): number {
      let sum = 0;
      for (let i = 0; i < times; i += 1) {
        map.reset();
        map.status = 404;
        map.setById(HeaderId.ContentLength, "9");
        map.setById(HeaderId.ContentType, "text/plain");
        map.setLineById(HeaderId.Date, DATE, DATE_LINE);
        map.setLineById(HeaderId.Server, "envoy", "server: envoy\r\n");
        sum += write(responseHead(map, 1, "", defaultOptions));
      }
      return sum;
    },
  },
  {
    name: "names of six headers in proper case",
    run(times): number {
      const text = upstream.toString("latin1");
      let sum = 0;
      for (let i = 0; i < times; i += 1) sum += properCase(text, 17).length;
      return sum;
    },
  },
  {
    name: "size line of a chunk",
    run(times): number {
      let sum = 0;
      for (let i = 0; i < times; i += 1) sum += chunkStart(i & 0xffff).length;
      return sum;
    },
  },
];

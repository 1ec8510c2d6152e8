// Runs the Markdown cases beside it against the HTTP/1 codec; README.md tells their form.
import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { Http1ClientConnection } from "../../runtime/src/codec/http1/client-connection.ts";
import {
  defaultOptions,
  FakeSink,
  RecordingManager,
  RecordingPool,
  RecordingResponse,
  requestMap,
  responseMap,
} from "../../runtime/src/codec/http1/recorders-for-test.ts";
import { Http1ServerConnection } from "../../runtime/src/codec/http1/server-connection.ts";
import { Http1Shared } from "../../runtime/src/codec/http1/shared.ts";
import type { Http1CodecOptions } from "../../runtime/src/core/http1-options.ts";

interface Case {
  readonly title: string;
  /** "server", or "client" with the request's start. */
  readonly side: string;
  readonly start: string;
  readonly options: Http1CodecOptions;
  readonly bytes: string;
  readonly endsInFin: boolean;
  readonly log: string[];
  readonly wrote: string | null;
}

interface Outcome {
  readonly log: string[];
  readonly wrote: string;
}

const escapes: ReadonlyMap<string, string> = new Map([
  ["r", "\r"],
  ["n", "\n"],
  ["t", "\t"],
  ["0", "\0"],
  ["\\", "\\"],
]);

/** The bytes that a block stands for, as latin1 text. */
function bytesOf(lines: readonly string[]): string {
  let bytes = "";
  for (const line of lines) {
    const isOpen = /(^|[^\\])(\\\\)*\\$/.test(line);
    const text = isOpen ? line.slice(0, -1) : line;
    bytes += text.replace(/\\(x[0-9a-fA-F]{2}|.)/g, (_all, code: string) =>
      code.length === 3
        ? String.fromCharCode(Number.parseInt(code.slice(1), 16))
        : (escapes.get(code) ?? code),
    );
    if (!isOpen) bytes += "\r\n";
  }
  return bytes;
}

function readCases(file: string): Case[] {
  const cases: Case[] = [];
  const sections = readFileSync(file, "utf8").split(/^## /m).slice(1);
  for (const section of sections) {
    const title = section.slice(0, section.indexOf("\n")).trim();
    const blocks = [...section.matchAll(/^```(\w+)([^\n]*)\n([\s\S]*?)^```$/gm)].map((match) => ({
      kind: match[1] as string,
      info: (match[2] as string).trim(),
      lines: (match[3] as string).split("\n").slice(0, -1),
    }));
    const block = (kind: string): (typeof blocks)[number] | undefined =>
      blocks.find((candidate) => candidate.kind === kind);
    const http = block("http");
    const log = block("log");
    if (http === undefined || log === undefined) throw new Error(`${file}: ${title}: no blocks`);
    const endsInFin = http.lines.at(-1) === "<FIN>";
    const [side, ...start] = http.info.split(" ");
    cases.push({
      title,
      side: side as string,
      start: start.join(" "),
      options: { ...defaultOptions, ...JSON.parse(block("json")?.lines.join("\n") ?? "{}") },
      bytes: bytesOf(endsInFin ? http.lines.slice(0, -1) : http.lines),
      endsInFin,
      log: log.lines,
      wrote: block("wrote") === undefined ? null : bytesOf(block("wrote")?.lines ?? []),
    });
  }
  return cases;
}

function runServer(one: Case, pieces: readonly string[]): Outcome {
  const sink = new FakeSink();
  const manager = new RecordingManager();
  manager.onRequestEnd = (request) => request.encoder.encodeHeaders(responseMap(200), true);
  manager.onRequestError = (request, error) => {
    const body = Buffer.from(error.body);
    request.encoder.encodeHeaders(
      responseMap(error.status, `content-length: ${body.length}`),
      false,
    );
    request.encoder.encodeData(body, 0, body.length, true);
  };
  const shared = new Http1Shared();
  const connection = new Http1ServerConnection(sink, manager, one.options, shared, null);
  for (const piece of pieces) {
    let bytes: Buffer = Buffer.from(piece, "latin1");
    while (bytes.length > 0) {
      connection.dispatch(bytes, bytes.length);
      bytes = sink.takeUnread();
    }
  }
  if (one.endsInFin) connection.onEnd();
  return { log: manager.log, wrote: sink.written };
}

function runClient(one: Case, pieces: readonly string[]): Outcome {
  const sink = new FakeSink();
  const log: string[] = [];
  const pool = new RecordingPool(log);
  const connection = new Http1ClientConnection(sink, pool, one.options, new Http1Shared());
  const encoder = connection.newStream(new RecordingResponse(log));
  encoder.encodeHeaders(requestMap(one.start, "host: h"), true);
  for (const piece of pieces) {
    const bytes = Buffer.from(piece, "latin1");
    connection.dispatch(bytes, bytes.length);
  }
  if (one.endsInFin) connection.onEnd();
  return { log, wrote: sink.written };
}

function run(one: Case, pieces: readonly string[]): Outcome {
  return one.side === "server" ? runServer(one, pieces) : runClient(one, pieces);
}

const folder = fileURLToPath(new URL(".", import.meta.url));
const files = globSync("*.md", { cwd: folder })
  .filter((file) => file !== "README.md")
  .sort();

describe.each(files)("%s", (file) => {
  const cases = readCases(`${folder}${file}`);

  test.each(cases.map((one): [string, Case] => [one.title, one]))("%s", (_title, one) => {
    const whole = run(one, [one.bytes]);
    expect(whole.log).toEqual(one.log);
    expect(whole.wrote).toBe(one.wrote ?? whole.wrote);
    expect(run(one, one.bytes.split(""))).toEqual(whole);
    for (let cut = 1; cut < one.bytes.length; cut += 1) {
      expect(run(one, [one.bytes.slice(0, cut), one.bytes.slice(cut)])).toEqual(whole);
    }
  });
});

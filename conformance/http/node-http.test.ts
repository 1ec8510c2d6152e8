// Our server connection beside Node's own HTTP parser, where both are strict: what one takes the other
// takes, with the same method, target, headers and body; what one refuses the other refuses.
import http from "node:http";
import net from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  defaultOptions,
  FakeSink,
  RecordingManager,
} from "../../runtime/src/codec/http1/recorders-for-test.ts";
import { Http1ServerConnection } from "../../runtime/src/codec/http1/server-connection.ts";
import { Http1Shared } from "../../runtime/src/codec/http1/shared.ts";

let server: http.Server;
let port: number;
/** What Node made of the connection at hand: one line a request, or "refused". */
let outcome: ((text: string) => void) | null = null;

beforeAll(async () => {
  server = http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const headers: string[] = [];
      for (let i = 0; i < request.rawHeaders.length; i += 2) {
        headers.push(`${request.rawHeaders[i]?.toLowerCase()}: ${request.rawHeaders[i + 1]}`);
      }
      const body = Buffer.concat(chunks).toString("latin1");
      outcome?.([`${request.method} ${request.url}`, ...headers, body].join("\n"));
      response.end();
    });
  });
  server.on("clientError", (_error, socket) => {
    outcome?.("refused");
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  port = (server.address() as net.AddressInfo).port;
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

function askNode(text: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1", () => socket.write(text, "latin1"));
    socket.on("error", () => {});
    outcome = (result) => {
      outcome = null;
      socket.destroy();
      resolve(result);
    };
  });
}

function askOurs(text: string): string {
  const manager = new RecordingManager();
  const connection = new Http1ServerConnection(
    new FakeSink(),
    manager,
    defaultOptions,
    new Http1Shared(),
    null,
  );
  const bytes = Buffer.from(text, "latin1");
  connection.dispatch(bytes, bytes.length);
  if (manager.protocolErrors > 0) return "refused";
  const headers = manager.streams[0]?.headers;
  if (headers === undefined || headers === null) return "nothing";
  const lines: string[] = [];
  headers.visit({ onHeader: (name, value) => lines.push(`${name}: ${value}`) });
  const data = manager.log.find((line) => line.startsWith("data "));
  const body = data === undefined ? "" : (JSON.parse(data.slice(5)) as string);
  return [
    `${headers.method} ${headers.path}`,
    `host: ${headers.authority}`,
    ...lines.filter((line) => !line.startsWith(":")),
    body,
  ].join("\n");
}

const HOST = "Host: h\r\n";
const taken: [string, string][] = [
  ["a GET", `GET /a?b HTTP/1.1\r\n${HOST}X-Y: z\r\n\r\n`],
  ["empty lines before it", `\r\n\r\nGET / HTTP/1.1\r\n${HOST}\r\n`],
  ["white space around values", `GET / HTTP/1.1\r\n${HOST}A: \t b \t\r\nB:\r\nC:d\r\n\r\n`],
  ["obs-text", `GET / HTTP/1.1\r\n${HOST}A: \xe9\xff\r\n\r\n`],
  ["every token byte", `GET / HTTP/1.1\r\n${HOST}!#$%&'*+-.^_\`|~0aZ: 1\r\n\r\n`],
  ["a body by length", `POST / HTTP/1.1\r\n${HOST}Content-Length: 3\r\n\r\nabc`],
  [
    "a body in chunks",
    `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n1\r\nd\r\n0\r\nT: 1\r\n\r\n`,
  ],
  ["a method of WebDAV", `PROPFIND / HTTP/1.1\r\n${HOST}\r\n`],
];

const CHUNKED = `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n`;
const refused: [string, string][] = [
  ["an unknown method", `BREW / HTTP/1.1\r\n${HOST}\r\n`],
  ["a lower-case method", `get / HTTP/1.1\r\n${HOST}\r\n`],
  ["a bad version", `GET / HTTP/1.x\r\n${HOST}\r\n`],
  ["a lower-case version", `GET / http/1.1\r\n${HOST}\r\n`],
  ["a space before the colon", `GET / HTTP/1.1\r\n${HOST}A : 1\r\n\r\n`],
  ["a NUL in a value", `GET / HTTP/1.1\r\n${HOST}A: 1\x002\r\n\r\n`],
  ["a lone CR in a value", `GET / HTTP/1.1\r\n${HOST}A: 1\r2\r\n\r\n`],
  ["a line without colon", `GET / HTTP/1.1\r\n${HOST}abc\r\n\r\n`],
  ["two lengths", `POST / HTTP/1.1\r\n${HOST}Content-Length: 1\r\nContent-Length: 1\r\n\r\na`],
  ["a length with a sign", `POST / HTTP/1.1\r\n${HOST}Content-Length: +1\r\n\r\na`],
  ["length and chunked", CHUNKED.replace(HOST, `${HOST}Content-Length: 3\r\n`)],
  ["a chunk size that is none", `${CHUNKED}x\r\n`],
  ["a bare LF after a chunk size", `${CHUNKED}3\nabc\r\n0\r\n\r\n`],
  ["bytes after a chunk's data", `${CHUNKED}3\r\nabcd\r\n0\r\n\r\n`],
  ["a chunk size that overflows", `${CHUNKED}fffffffffffffffff\r\n`],
];

describe("as node:http", () => {
  test.each(taken)("takes %s", async (_name, text) => {
    const ours = askOurs(text);
    expect(ours).not.toBe("refused");
    expect(ours).toBe(await askNode(text));
  });

  test.each(refused)("refuses %s", async (_name, text) => {
    expect(askOurs(text)).toBe("refused");
    expect(await askNode(text)).toBe("refused");
  });
});

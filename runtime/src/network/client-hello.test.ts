import { connect } from "node:tls";
import type { ConnectionOptions } from "node:tls";
import { Duplex } from "node:stream";
import { expect, test } from "vitest";
import { SeededRandom } from "../core/random.ts";
import { ClientHelloState, readClientHello } from "./client-hello.ts";

const { NeedMore, Found, NotTls, TooLarge } = ClientHelloState;
const MAX = 16_384;

/** What OpenSSL sends first. */
function helloOf(options: ConnectionOptions): Promise<Buffer> {
  return new Promise((resolve) => {
    const socket = new Duplex({
      read(): void {},
      write(chunk: Buffer, _encoding, done): void {
        resolve(chunk);
        done();
      },
    });
    connect({ socket, ...options }).on("error", () => {});
  });
}

/** The same message in records of `size` bytes. */
function inRecords(hello: Buffer, size: number): Buffer {
  const message = hello.subarray(5);
  const records: Buffer[] = [];
  for (let at = 0; at < message.length; at += size) {
    const part = message.subarray(at, at + size);
    records.push(Buffer.from([22, 3, 1, part.length >> 8, part.length & 255]), part);
  }
  return Buffer.concat(records);
}

test.each<[string, ConnectionOptions, string, string[]]>([
  [
    "a name and protocols",
    { servername: "A.Example.com", ALPNProtocols: ["h2", "http/1.1"] },
    "a.example.com",
    ["h2", "http/1.1"],
  ],
  ["a name", { servername: "b" }, "b", []],
  ["protocols", { ALPNProtocols: ["x"] }, "", ["x"]],
  ["TLS 1.2", { servername: "c", maxVersion: "TLSv1.2" }, "c", []],
])("reads %s, split at every byte and in several records", async (_, options, name, protocols) => {
  const hello = await helloOf(options);
  // The message is what stands behind the heads of the record and of itself.
  const message = hello.subarray(9);
  const expected = { state: Found, serverName: name, applicationProtocols: protocols, message };
  expect(readClientHello(hello, MAX)).toEqual(expected);
  expect(readClientHello(Buffer.concat([hello, Buffer.from("more")]), MAX)).toEqual(expected);
  for (let cut = 0; cut < hello.length; cut += 1) {
    expect(readClientHello(hello.subarray(0, cut), MAX).state).toBe(NeedMore);
  }
  for (const size of [1, 3, 100]) {
    const records = inRecords(hello, size);
    expect(readClientHello(records, MAX)).toEqual(expected);
    expect(readClientHello(records.subarray(0, -1), MAX).state).toBe(NeedMore);
  }
});

test("knows at once what is no ClientHello", () => {
  const garbage = ["GET / HTTP/1.1\r\n", "\x16\x02", "\x16\x03\x01\0\0", "\x16\x03\x01\xff\xff"];
  const messages = ["\x16\x03\x01\0\x05hello", "\x16\x03\x01\0\x05\x01\0\0\x01a"];
  for (const text of [...garbage, ...messages]) {
    expect(readClientHello(Buffer.from(text, "latin1"), MAX).state).toBe(NotTls);
  }
});

test("refuses one that says it is too long before it comes", () => {
  const head = Buffer.from([22, 3, 1, 0x40, 0, 1, 0, 0x40, 1]);
  expect(readClientHello(head, MAX).state).toBe(TooLarge);
  expect(readClientHello(head, MAX + 1).state).toBe(NeedMore);
});

test("records of one byte each cost no more than their bytes", () => {
  // Joining what there is for each record would take minutes.
  const bytes = Buffer.alloc(65_532);
  for (let at = 0; at < bytes.length; at += 6) bytes.set([22, 3, 1, 0, 1, 1], at);
  const head = [1, 0, 62, 128];
  for (const [i, byte] of head.entries()) bytes[i * 6 + 5] = byte;
  for (let round = 0; round < 200; round += 1) {
    expect(readClientHello(bytes, MAX).state).toBe(NeedMore);
  }
});

test("comes to an end with whatever bytes", async () => {
  const hello = await helloOf({ servername: "a.example", ALPNProtocols: ["h2"] });
  const random = new SeededRandom(3);
  const counts = [0, 0, 0, 0];
  for (let round = 0; round < 20_000; round += 1) {
    const bytes = Buffer.from(hello);
    for (let change = 0; change < 1 + (round % 3); change += 1) {
      bytes[random.u32() % Math.min(bytes.length, 120 + (round % 400))] = random.u32() & 255;
    }
    const { state } = readClientHello(bytes, MAX);
    counts[state] = (counts[state] as number) + 1;
  }
  expect(counts.reduce((sum, count) => sum + count)).toBe(20_000);
  expect(counts[Found]).toBeGreaterThan(0);
  expect(counts[NotTls]).toBeGreaterThan(0);
});

// The page of this folder, done with real processes.
import { once } from "node:events";
import { connect } from "node:net";
import type { AddressInfo, Server } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RunningExample } from "../running-example.ts";
import { serve } from "./server.ts";

const heard: string[] = [];
let server: Server;
let headgate: RunningExample;
let port: number;

beforeAll(async () => {
  server = await serve(0, heard);
  headgate = await RunningExample.startFilter("tcp-filter", [
    ["port_value: 10001", `port_value: ${(server.address() as AddressInfo).port}`],
  ]);
  port = await headgate.port("main");
});

afterAll(async () => {
  await headgate.stop();
  server.close();
});

/** Writes each piece when the one before was answered; all that came until the end. */
async function talk(...pieces: readonly string[]): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  let got = "";
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    got += chunk;
  });
  const closed = new Promise((resolve) => {
    socket.once("close", resolve);
  });
  for (const piece of pieces) {
    socket.write(piece);
    const answered = once(socket, "data").catch(() => {});
    if (piece.endsWith("\n")) await Promise.race([answered, closed]);
  }
  socket.end();
  await closed;
  return got;
}

test("lines with an allowed command pass, also in pieces and several at once", async () => {
  expect(await talk("PING\r\n", "get ", "a\n")).toBe("+OK PING\n+OK get a\n");
  expect(await talk("set a 1\nset b 2\n")).toBe("+OK set a 1\n+OK set b 2\n");
});

test("anything else ends the connection, and nothing of it reaches the server", async () => {
  heard.length = 0;
  expect(await talk("ping\n", "FLUSHALL\n")).toBe("+OK ping\n");
  expect(await talk("FLUSHALL\nping\n")).toBe("");
  expect(await talk(`get ${"x".repeat(100)}\n`)).toBe("");
  expect(await talk("get ".padEnd(100, "x"))).toBe("");
  expect(await talk("get a")).toBe("");
  expect(heard).toEqual(["ping"]);
  await headgate.untilStats({
    "wasmcustom.tcp_filter.lines.result.passed": 5,
    "wasmcustom.tcp_filter.lines.result.denied": 3,
    "wasmcustom.tcp_filter.lines.result.too_long": 1,
    "wasmcustom.tcp_filter.lines.result.cut_off": 1,
  });
  expect(headgate.output).toMatch(/connection of 127\.0\.0\.1:\d+ refused: denied/);
});

test("without the server connections end, too", async () => {
  await new Promise((resolve) => server.close(resolve));
  expect(await talk("ping\n")).toBe("");
});

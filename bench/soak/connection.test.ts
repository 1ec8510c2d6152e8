// The client of the soak run must see what is wrong with an answer.
import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo, Server } from "node:net";
import { afterEach, expect, test } from "vitest";
import { ClientConnection } from "./connection.ts";
import type { Exchange } from "./connection.ts";

let server: Server | null = null;

afterEach(() => {
  server?.close();
});

/** Outcomes of `count` pipelined requests for "abcdef", when the server writes `bytes` and ends. */
async function ask(bytes: string, count = 1): Promise<string[]> {
  server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.end(bytes));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  return await new Promise((resolve) => {
    const outcomes: string[] = [];
    const onEnd = (exchange: Exchange): void => {
      outcomes.push(`${exchange.outcome} ${exchange.status} ${exchange.words}`.trim());
      if (outcomes.length === count) resolve(outcomes);
    };
    const connection = new ClientConnection(port, onEnd, () => {});
    for (let id = 0; id < count; id += 1) connection.send(exchangeOf(id));
  });
}

function exchangeOf(id: number): Exchange {
  return {
    id,
    head: "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
    body: null,
    chunkBytes: 0,
    expected: Buffer.from("abcdef"),
    describedAs: "GET /",
    sentAtMs: 0,
    endedAtMs: 0,
    status: 0,
    outcome: null,
    words: "",
    before: 0,
  };
}

const WHOLE = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabcdef";
const CHUNKED = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

test.each([
  [WHOLE, "ok 200"],
  [`${CHUNKED}2\r\nab\r\n4\r\ncdef\r\n0\r\n\r\n`, "ok 200"],
  ["HTTP/1.1 503 No\r\ncontent-length: 2\r\n\r\nno", "status 503"],
  [WHOLE.replace("abcdef", "abXdef"), "corrupt 200 wrong bytes before 6"],
  ["HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabcde", "corrupt 200 5 bytes of 6"],
  [`${CHUNKED}2\r\nab\r\n0\r\n\r\n`, "corrupt 200 2 bytes of 6"],
  [WHOLE.slice(0, -1), "cut 200"],
  [`${CHUNKED}2\r\nab\r\n`, "cut 200"],
  ["", "no answer 0"],
  ["HTTX/1.1 200 OK\r\n\r\n", "corrupt 0 not a head: httx/1.1 200 ok"],
])("%j: %s", async (bytes, outcome) => {
  expect(await ask(bytes)).toEqual([outcome]);
});

test("requests behind an answer that ends the connection were not taken", async () => {
  const last = WHOLE.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n");
  expect(await ask(WHOLE + last, 3)).toEqual(["ok 200", "ok 200", "not taken 0"]);
  expect(await ask(WHOLE + WHOLE.slice(0, -1), 3)).toEqual(["ok 200", "cut 200", "not taken 0"]);
});

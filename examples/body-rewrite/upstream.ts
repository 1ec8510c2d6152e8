// The upstream of this example: answers by path, POST with the length of what it got.
import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";

const USER = '{"id":12345678901234567890,"name":"kim","password":"hunter2"}';
const ANSWERS: Readonly<Record<string, readonly [type: string, body: string]>> = {
  "/users": [
    "application/json; charset=utf-8",
    `{"users":[${USER},{"id":2,"token":{"a":1}}],"password":null}`,
  ],
  "/plain": ["text/plain", `password and token\n`],
  "/broken": ["application/json", `{"password":"hunter2"`],
  "/large": ["application/json", JSON.stringify({ text: "x".repeat(300_000) })],
  "/large-text": ["text/plain", "x".repeat(300_000)],
};

function answer(request: IncomingMessage, response: ServerResponse): void {
  let bytes = 0;
  request.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
  });
  // What the filter refuses is broken off.
  request.on("error", () => {});
  request.on("end", () => {
    const got = ["application/json", `{"received":${bytes}}`] as const;
    const [type, body] = ANSWERS[request.url ?? ""] ?? got;
    response.setHeader("content-type", type).end(body);
  });
}

/** Listens on 127.0.0.1; port 0 is any that is free. */
export async function serve(port: number): Promise<Server> {
  const server = createServer(answer).listen(port, "127.0.0.1");
  await once(server, "listening");
  return server;
}

if (import.meta.main) {
  await serve(10_001);
  console.log("the upstream is on 127.0.0.1:10001");
}

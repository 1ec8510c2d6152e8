// The upstream of `headgate filter run`: answers with what came to it, as JSON.
import type { IncomingMessage, Server, ServerResponse } from "node:http";

/** An import would read every export of node:http: 40 ms of the start. */
const { createServer } = process.getBuiltinModule("node:http");

/** Of a body that is told; the rest is counted only. */
const BODY_TOLD_MAX = 1024 * 1024;

/** Resolves with the server, on a port of its own. */
export function startEcho(): Promise<Server> {
  const server = createServer(answer);
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => resolve(server));
  });
}

/** Whether nobody listens on the port. Headgate itself would share it with another Headgate. */
export function isFree(port: number): Promise<boolean> {
  const probe = createServer();
  return new Promise((resolve) => {
    probe.once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
}

function answer(request: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  request.on("data", (chunk: Buffer) => {
    if (bytes < BODY_TOLD_MAX) chunks.push(chunk.subarray(0, BODY_TOLD_MAX - bytes));
    bytes += chunk.length;
  });
  // The client has gone: nobody is left to answer.
  request.on("error", () => {});
  request.on("end", () => {
    const { method, url: path, headers } = request;
    const body = Buffer.concat(chunks).toString("utf8");
    const told = { method, path, headers, body, bodyBytes: bytes };
    response.setHeader("content-type", "application/json");
    response.end(`${JSON.stringify(told, null, 1)}\n`);
  });
}

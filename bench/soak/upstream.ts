// One upstream of the soak run, a process of its own so that it can be killed and stopped.
// Usage: node upstream.ts ADDRESS PORT. What it does wrong is asked for by the request's query.
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { content } from "./content.ts";

/** Shorter than Headgate's idle timeout: it closes connections that lie in pools. */
const KEEP_ALIVE_MS = 3000;
const GARBAGE = "\u0000\u0001 this is not HTTP\r\n\r\n";

function onRequest(request: IncomingMessage, response: ServerResponse): void {
  const query = new URL(request.url ?? "/", "http://up").searchParams;
  const slowMs = Number(query.get("slow") ?? 0);
  const offset = Number(query.get("o") ?? 0);
  const length = Number(query.get("n") ?? 0);
  const fault = query.get("fault");
  const answer = (body: Buffer): void => {
    if (slowMs > 0) setTimeout(() => respond(response, body, fault, query), slowMs);
    else respond(response, body, fault, query);
  };
  if (request.method === "GET") {
    answer(content(offset, length));
    return;
  }
  const parts: Buffer[] = [];
  request.on("data", (part: Buffer) => parts.push(part));
  request.on("end", () => answer(Buffer.concat(parts)));
  // The proxy may leave in the middle: nothing to answer then.
  request.on("error", () => {});
}

function respond(
  response: ServerResponse,
  body: Buffer,
  fault: string | null,
  query: URLSearchParams,
): void {
  const { socket } = response;
  response.on("error", () => {});
  if (socket === null) return;
  if (fault === "reset") {
    socket.resetAndDestroy();
  } else if (fault === "garbage") {
    socket.end(GARBAGE);
  } else if (fault === "close") {
    socket.end();
  } else if (fault === "middle") {
    response.writeHead(200, { "content-length": body.length + 1 });
    response.write(body, () => socket.resetAndDestroy());
  } else if (fault === "cut") {
    response.writeHead(200, { "content-length": body.length + 1 });
    response.write(body, () => socket.end());
  } else {
    if (fault === "last") response.setHeader("connection", "close");
    if (query.get("chunked") !== "1") response.setHeader("content-length", body.length);
    else response.write(body.subarray(0, body.length >> 1));
    response.end(query.get("chunked") === "1" ? body.subarray(body.length >> 1) : body);
  }
}

const [address = "127.0.0.1", port = "0"] = process.argv.slice(2);
const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, onRequest);
server.listen(Number(port), address, 1024, () => console.log("ready"));

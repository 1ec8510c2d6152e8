// The upstream of the quickstart: answers every request with what it received. start.mjs runs it.
import { createServer } from "node:http";

/**
 * Starts on 127.0.0.1; port 0 takes a free one. The promise holds the server once it listens, and
 * is rejected when the port is taken.
 */
export function startUpstream(port) {
  const server = createServer((request, response) => {
    response.setHeader("content-type", "text/plain; charset=utf-8");
    let bodyBytes = 0;
    request.on("data", (chunk) => {
      bodyBytes += chunk.length;
    });
    request.on("end", () => response.end(describe(request, bodyBytes)));
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => resolve(server));
  });
}

function describe(request, bodyBytes) {
  const lines = ["The upstream received:", "", `${request.method} ${request.url}`];
  for (let i = 0; i < request.rawHeaders.length; i += 2) {
    lines.push(`${request.rawHeaders[i]}: ${request.rawHeaders[i + 1]}`);
  }
  lines.push("", `and ${bodyBytes} bytes of body.`, "");
  return lines.join("\n");
}

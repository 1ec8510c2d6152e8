// The upstream of --bodies. Usage: node upstream.mjs PORT. GET /SIZE has a body of SIZE bytes of text in which
// "secret" stands eight times in each 4 KB; what is sent with POST is read to its end and answered with 100 bytes.
import http from "node:http";

const LINES = `the secret of ${"a line of text that nobody hides. ".repeat(15)}\n`;
const TEXT = { "content-type": "text/plain" };
const SMALL = Buffer.alloc(100, "x");
const bodies = new Map();

function bodyOf(url) {
  const known = bodies.get(url);
  if (known !== undefined) return known;
  const made = Buffer.alloc(Number(url.slice(1)), LINES);
  bodies.set(url, made);
  return made;
}

function answer(response, body) {
  response.writeHead(200, { ...TEXT, "content-length": body.length });
  response.end(body);
}

const server = http.createServer({ keepAliveTimeout: 3_600_000 }, (request, response) => {
  if (request.method === "GET") return answer(response, bodyOf(request.url));
  request.resume();
  request.on("end", () => answer(response, SMALL));
});
server.listen({ port: Number(process.argv[2]), host: "127.0.0.1", backlog: 4096 });
process.on("SIGTERM", () => process.exit(0));

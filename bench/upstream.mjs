// The upstream of the benches where no nginx is found: answers every request head at once.
// Usage: node upstream.mjs PORT [TEXT]. `/b...` has a body of 64 KiB, `/g...` one of 16 MiB, `/t...` that
// of the file TEXT, all else one of 100 bytes; `/check` names a user.
import { readFileSync } from "node:fs";
import net from "node:net";

const SMALL = answer(Buffer.alloc(100, "x"));
const BIG = answer(Buffer.alloc(64 * 1024, "x"));
const GREAT = answer(Buffer.alloc(16 * 1024 * 1024, "x"));
const TEXT = answer(
  process.argv[3] === undefined ? Buffer.alloc(0) : readFileSync(process.argv[3]),
);
const CHECK = answer(Buffer.from("ok"), "X-Auth-User: ada\r\n");

function answer(body, headers = "") {
  const length = `Content-Length: ${body.length}\r\n`;
  const head = `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n${length}${headers}\r\n`;
  return Buffer.concat([Buffer.from(head), body]);
}

const BY_PATH = { b: BIG, g: GREAT, t: TEXT, c: CHECK };

const server = net.createServer({ noDelay: true }, (socket) => {
  let text = "";
  socket.on("error", () => socket.destroy());
  socket.on("data", (part) => {
    text += part.latin1Slice(0, part.length);
    for (let end = text.indexOf("\r\n\r\n"); end >= 0; end = text.indexOf("\r\n\r\n")) {
      socket.write(BY_PATH[text["GET /".length]] ?? SMALL);
      text = text.slice(end + 4);
    }
  });
});
server.listen({ port: Number(process.argv[2]), host: "127.0.0.1", backlog: 4096 });
process.on("SIGTERM", () => process.exit(0));

// The upstream of the benches where no nginx is found: answers every request head at once.
// Usage: node upstream.mjs PORT. `/b...` has a body of 64 KiB, `/g...` one of 16 MiB, all else
// one of 100 bytes.
import net from "node:net";

const SMALL = answer(100);
const BIG = answer(64 * 1024);
const GREAT = answer(16 * 1024 * 1024);

function answer(bytes) {
  const head = `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${bytes}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), Buffer.alloc(bytes, "x")]);
}

const server = net.createServer({ noDelay: true }, (socket) => {
  let text = "";
  socket.on("error", () => socket.destroy());
  socket.on("data", (part) => {
    text += part.latin1Slice(0, part.length);
    for (let end = text.indexOf("\r\n\r\n"); end >= 0; end = text.indexOf("\r\n\r\n")) {
      socket.write(text.startsWith("GET /b") ? BIG : text.startsWith("GET /g") ? GREAT : SMALL);
      text = text.slice(end + 4);
    }
  });
});
server.listen({ port: Number(process.argv[2]), host: "127.0.0.1", backlog: 4096 });
process.on("SIGTERM", () => process.exit(0));

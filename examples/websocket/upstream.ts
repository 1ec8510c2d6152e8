// The upstream of this example: plain requests are answered "plain", WebSockets get their short
// messages back.
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { Duplex } from "node:stream";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const CLOSE = 8;

/** Serves on 127.0.0.1; port 0 is any that is free. */
export async function serve(port: number): Promise<Server> {
  const server = createServer((_, response) => response.end("plain\n"));
  server.on("upgrade", (request, socket: Duplex, head: Buffer) => {
    socket.unshift(head);
    greet(String(request.headers["sec-websocket-key"]), socket);
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return server;
}

function greet(key: string, socket: Duplex): void {
  const accept = createHash("sha1")
    .update(key + GUID)
    .digest("base64");
  const lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"];
  socket.write([...lines, `Sec-WebSocket-Accept: ${accept}`, "", ""].join("\r\n"));
  let bytes: Buffer = Buffer.alloc(0);
  socket.on("error", () => socket.destroy());
  socket.on("end", () => socket.end());
  socket.on("data", (part: Buffer) => {
    bytes = sayBack(Buffer.concat([bytes, part]), socket);
  });
}

/** The frames that are whole, without the mask; answers the rest. Messages above 125 bytes end it. */
function sayBack(bytes: Buffer, socket: Duplex): Buffer {
  let from = 0;
  while (bytes.length >= from + 6) {
    const first = bytes[from] as number;
    const size = (bytes[from + 1] as number) & 0x7f;
    if (size > 125) socket.destroy();
    if (size > 125 || bytes.length < from + 6 + size) break;
    const mask = bytes.subarray(from + 2, from + 6);
    const payload = bytes
      .subarray(from + 6, from + 6 + size)
      .map((byte, i) => byte ^ (mask[i & 3] as number));
    socket.write(Buffer.concat([Buffer.from([first, size]), payload]));
    // After a close frame the server ends the connection (RFC 6455, 7.1.1).
    if ((first & 0x0f) === CLOSE) socket.end();
    from += 6 + size;
  }
  return bytes.subarray(from);
}

if (import.meta.main) {
  await serve(9001);
  console.log("WebSockets on 127.0.0.1:9001");
}

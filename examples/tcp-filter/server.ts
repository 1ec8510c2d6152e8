// The server of this example: answers each line with itself.
import { once } from "node:events";
import { createServer } from "node:net";
import type { Server } from "node:net";
import { createInterface } from "node:readline";

/** Listens on 127.0.0.1; port 0 is any that is free. `heard` gets each line. */
export async function serve(port: number, heard: string[] = []): Promise<Server> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    createInterface({ input: socket }).on("line", (line) => {
      heard.push(line);
      if (socket.writable) socket.write(`+OK ${line}\n`);
    });
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return server;
}

if (import.meta.main) {
  await serve(10_001);
  console.log("the server is on 127.0.0.1:10001");
}

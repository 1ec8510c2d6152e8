// Finds free TCP ports below the range that the kernel gives to outgoing connections and to port 0.
import net from "node:net";

const FIRST = 20_000;
const LAST = 32_000;
const TRIES_MAX = 500;
const taken = new Set<number>();

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => {
      server.close(() => resolve(true));
    });
  });
}

/** A port nobody listens on, never the same twice in one process. Throws when none is found. */
export async function freePort(): Promise<number> {
  for (let i = 0; i < TRIES_MAX; i += 1) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST));
    // A round number may stand in a header or a body, where it must not be taken for a port.
    if (taken.has(port) || port % 10 === 0) continue;
    taken.add(port);
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port between ${FIRST} and ${LAST}`);
}

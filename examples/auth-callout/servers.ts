// The two servers of this example: the upstream says who it was asked by, and the auth server knows two
// tokens, and thinks for too long about a third.
import { once } from "node:events";
import { createServer } from "node:http";
import type { RequestListener, Server } from "node:http";

const USERS: ReadonlyMap<string, string> = new Map([
  ["Bearer kim", "kim"],
  ["Bearer ada", "ada"],
]);

export const upstream: RequestListener = (request, response) => {
  response.end(`hello, ${String(request.headers["x-user"])}\n`);
};

/** How often it was asked by each token. */
export const asked: Map<string, number> = new Map();

export const auth: RequestListener = (request, response) => {
  const token = request.headers.authorization ?? "";
  asked.set(token, (asked.get(token) ?? 0) + 1);
  if (token === "Bearer slow") return;
  const user = USERS.get(token);
  if (user === undefined) response.statusCode = 401;
  else response.setHeader("x-user", user);
  response.end();
};

/** Listens on 127.0.0.1; port 0 is any that is free. */
export async function serve(listener: RequestListener, port: number): Promise<Server> {
  const server = createServer(listener).listen(port, "127.0.0.1");
  await once(server, "listening");
  return server;
}

if (import.meta.main) {
  await serve(upstream, 10_001);
  await serve(auth, 10_002);
  console.log("the upstream is on 127.0.0.1:10001, the auth server on 127.0.0.1:10002");
}

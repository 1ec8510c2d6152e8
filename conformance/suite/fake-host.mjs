// A host without plugins, for the suite's own tests: it answers on every listener of a configuration, and ends
// when somebody connects to one that has a module whose vm_configuration says so: always, or unless a file
// is there, which it leaves behind.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import http from "node:http";

const config = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8"));
for (const listener of config.static_resources.listeners) {
  const text = JSON.stringify(listener);
  const [, mark] = /unsteady (\S+?)"/.exec(text) ?? [];
  const isDeadly = text.includes("deadly") || (mark !== undefined && !existsSync(mark));
  if (mark !== undefined) writeFileSync(mark, "");
  const server = http.createServer((request, response) => {
    request.resume();
    response.end();
  });
  if (isDeadly) server.on("connection", () => process.exit(3));
  server.listen(listener.address.socket_address.port_value, "127.0.0.1");
}

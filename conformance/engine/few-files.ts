// Run with a small limit of open files: accepting fails, and works again when files are free.
import { createEngine, type EngineKind } from "./engine-kind.ts";
import { connect, listen, type Side } from "./recorder.ts";

const engine = createEngine(process.argv[2] as EngineKind);
const listening = await listen(engine);
const { events, handle } = listening;
const clients: Side[] = [];
// Until no file is left for either side of the next connection.
let isFull = false;
while (!isFull) {
  const client = connect(engine, handle.localAddress);
  clients.push(client);
  await client.events.until(() => client.events.log.length > 0);
  isFull = client.events.isClosed || clients.length > 500;
}
for (const { io } of clients) io.reset();
for (const { io } of events.accepted) io.reset();
await new Promise((resolve) => setTimeout(resolve, 50));
const before = events.accepted.length;
const last = connect(engine, handle.localAddress);
await events.until(() => events.accepted.length > before);
const server = events.accepted.at(-1) as Side;
server.io.writeText("works again");
await last.events.until(() => last.events.bytes > 0);
process.stdout.write(`${clients.length > 500 ? "never full" : last.events.text}\n`);
last.io.reset();
server.io.reset();
handle.close();

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
// Connections of before may still come, from the kernel's queue: nobody reads their answers.
const before = events.accepted.length;
events.whenAccepted = (io): void => void io.writeText("works again");
const last = await answered();
process.stdout.write(`${clients.length > 500 ? "never full" : last.events.text}\n`);
last.io.reset();
for (const { io } of events.accepted.slice(before)) io.reset();
handle.close();

/** Files are free a little after the resets: until then connecting fails. */
async function answered(): Promise<Side> {
  for (;;) {
    const client = connect(engine, handle.localAddress);
    await client.events.until(() => client.events.bytes > 0 || client.events.isClosed);
    if (client.events.bytes > 0) return client;
  }
}

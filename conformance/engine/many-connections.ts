// A thousand connections at once: what an engine keeps for each of them, and lets go of.
import type { NetworkEngine } from "../../runtime/src/engine/network-engine.ts";
import { connect, listen, settle, type Side } from "./recorder.ts";

const CONNECTIONS = 1000;

export interface Many {
  /** Of clients, then of those who accepted them. */
  readonly sides: readonly Side[];
  /** The listener's. */
  readonly close: () => void;
}

export async function connectMany(engine: NetworkEngine): Promise<Many> {
  const listening = await listen(engine);
  const sides: Side[] = [];
  for (let at = 0; at < CONNECTIONS; at += 1) {
    sides.push(connect(engine, listening.handle.localAddress));
  }
  await listening.events.until(() => listening.events.accepted.length === CONNECTIONS);
  for (const side of sides) {
    await side.events.until(() => side.events.log.length > 0);
  }
  sides.push(...listening.events.accepted);
  return { sides, close: () => listening.handle.close() };
}

/** Some bytes each way on all of them. */
export async function useAll({ sides }: Many): Promise<void> {
  for (const { io } of sides) io.writeText("hello");
  for (const { events } of sides) await events.until(() => events.bytes === 5);
}

/** In all ways in which a side can end a connection, and the listener with them. */
export async function endAll(engine: NetworkEngine, { sides, close }: Many): Promise<void> {
  sides.forEach(({ io }, at) => {
    if (at % 3 === 0) io.reset();
    else if (at % 3 === 1) io.close();
    else io.shutdownWrite();
  });
  await settle(engine);
  for (const { io } of sides) io.close();
  close();
  await settle(engine);
}

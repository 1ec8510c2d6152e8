// What a Validator starts: runs Headgate's command line once for each message, in this one process,
// and answers with the exit code and what it said.
import { main } from "@headgate/runtime";

/** A command line; the answers come in the order of the orders. */
export type ValidatorOrder = readonly string[];

export interface ValidatorAnswer {
  readonly code: number;
  readonly output: string;
}

const entries = {
  worker: new URL("../../runtime/src/server/worker-entry.ts", import.meta.url),
  probe: new URL("../../runtime/src/server/probe-entry.ts", import.meta.url),
};

let output = "";
const collect = (text: string | Uint8Array): boolean => {
  output += Buffer.from(text).toString("latin1");
  return true;
};
process.stdout.write = collect;
process.stderr.write = collect;

process.on("message", async (order: ValidatorOrder) => {
  output = "";
  const code = await main(order, entries);
  process.send?.({ code, output } satisfies ValidatorAnswer);
});

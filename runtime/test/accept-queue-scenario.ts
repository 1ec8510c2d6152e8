// What accept-queue.test.ts runs in a network namespace of its own, where it may set what the
// kernel does with the accept queue of a socket that is closed. Prints one JSON object.
import { writeFileSync } from "node:fs";
import { bootstrap } from "./bootstrap.ts";
import { crashableMain, HeadgateProcess, Scratch } from "./headgate-process.ts";
import { get } from "./http-clients.ts";
import { Load } from "./load-client.ts";
import { HttpUpstream } from "./upstreams.ts";

const CONNECTIONS = 300;
/** Connections need a tenth of it. */
const STANDS_STILL_MS = 1000;
/** Nothing may be left running, whatever happens. */
const TIME_MAX_MS = 110_000;

const running: HeadgateProcess[] = [];
process.on("exit", () => {
  for (const { child } of running) child.kill("SIGKILL");
});
setTimeout(() => process.exit(3), TIME_MAX_MS).unref();

/** Half of the connections come to a worker that stands still, and then dies. */
async function crash(headgate: HeadgateProcess, target: string, round: number): Promise<number> {
  headgate.kill("SIGUSR2");
  const stands = (): number => headgate.output.split("stands still").length - 1;
  await headgate.waitFor(() => stands() > round, "a worker that stands still");
  const answers = Array.from({ length: CONNECTIONS }, () =>
    get(target).then(
      ({ status }) => status === 200,
      () => false,
    ),
  );
  const lost = (await Promise.all(answers)).filter((isAnswered) => !isAnswered).length;
  const replaced = (): boolean => headgate.output.split("replacing it").length - 1 > round;
  await headgate.waitFor(replaced, "a replacement");
  // The successor listens when it has taken a connection.
  const name = `listener.127.0.0.1_0.worker_${round % 2}.downstream_cx_total`;
  const before = await headgate.stat(name);
  await headgate.waitFor(async () => {
    await fetch(`http://${target}/`, { headers: { connection: "close" } });
    return (await headgate.stat(name)) > before;
  }, "a connection to the successor");
  return lost;
}

/** Requests that are lost while a process takes over from another, `count` times in a row. */
async function takeOver(scratch: Scratch, config: object, count: number): Promise<string[]> {
  const start = async (epoch: number): Promise<HeadgateProcess> => {
    const headgate = await HeadgateProcess.start(scratch, config, {
      concurrency: 2,
      adminFile: `admin-${epoch}`,
      flags: [...engine, "--base-id", String(process.pid), "--drain-strategy", "immediate"],
    });
    running.push(headgate);
    return headgate;
  };
  let old = await start(0);
  const traffic = new Load({ target: await old.listener(), keepAlive: 4, single: 12 });
  for (let epoch = 1; epoch <= count; epoch += 1) {
    const fresh = await start(epoch);
    await old.exited;
    old = fresh;
  }
  await traffic.stop();
  await old.end();
  return traffic.failures;
}

const [migrate = "", crashes, takeoversText, engineName = ""] = process.argv.slice(2);
const engine = ["--network-engine", engineName];
writeFileSync("/proc/sys/net/ipv4/tcp_migrate_req", migrate);
const upstream = new HttpUpstream("from the upstream");
await upstream.listen();
const scratch = new Scratch();
const config = bootstrap({ upstreamPort: upstream.port });
const headgate = await HeadgateProcess.start(scratch, config, {
  command: crashableMain,
  concurrency: 2,
  flags: engine,
  env: { ...process.env, CRASH_AFTER_MS: String(STANDS_STILL_MS) },
});
running.push(headgate);
const target = await headgate.listener();
const lost: number[] = [];
for (let round = 0; round < Number(crashes); round += 1) {
  lost.push(await crash(headgate, target, round));
}
await headgate.end();
const takeovers = Number(takeoversText);
const failures = takeovers > 0 ? await takeOver(scratch, config, takeovers) : [];
scratch.remove();
const told = /net\.ipv4\.tcp_migrate_req=.*/.exec(headgate.output)?.[0];
process.stdout.write(JSON.stringify({ lost, failures, told }));
process.exit(0);

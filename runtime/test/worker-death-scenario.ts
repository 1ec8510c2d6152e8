// What worker-death.test.ts runs in a network namespace of its own: workers that are killed one after the
// other under load, and for each request that was lost, whose it was. Prints one JSON array.
// Usage: worker-death-scenario.ts TCP_MIGRATE_REQ ENGINE throw|stuck KILLS
import { writeFileSync } from "node:fs";
import { bootstrap, wasmFilter } from "./bootstrap.ts";
import { compileGuest } from "./guests/compile.ts";
import { crashableMain, HeadgateProcess, Scratch } from "./headgate-process.ts";
import { tellingHcm, WitnessedLoad, WitnessUpstream } from "./witnessed-load.ts";

const WORKERS = [0, 1];
const CLIENTS = { kept: 34, single: 16 };
/** Each worker has answered so often before one is killed. */
const ANSWERS_BEFORE = 40;

/** What one worker's death did. */
export interface Death {
  readonly answered: number;
  /** Lost requests that the dead worker had taken: it or the upstream is witness. */
  readonly inFlight: number;
  /** Lost first requests of connections that the dead worker had accepted, and that nobody saw. */
  readonly accepted: number;
  /**
   * Lost first requests of connections that nobody has counted: those in the dead worker's queue, with
   * tcp_migrate_req=0; and what its ring had accepted, or its thread takes in its last turn, and did not
   * come to.
   */
  readonly untold: number;
  /** Lost ones that were none of these. */
  readonly others: readonly string[];
  /** Connections that the other workers have accepted, less those that had an answer from them. */
  readonly unknown: number;
}

const [migrate = "", engine = "", manner = "", kills = ""] = process.argv.slice(2);
const isStuck = manner === "stuck";
writeFileSync("/proc/sys/net/ipv4/tcp_migrate_req", migrate);
const scratch = new Scratch();
const upstream = new WitnessUpstream();
await upstream.listen();

/** The guest is for requests of /loop only, and never returns. */
async function config(): Promise<object> {
  const wasm = scratch.path("guest.wasm");
  writeFileSync(wasm, await compileGuest("script"));
  const type = "type.googleapis.com/envoy.config.route.v3.FilterConfig";
  const without = { guest: { "@type": type, disabled: true } };
  const route = { cluster: "up", timeout: "0s" };
  const routes = [
    { match: { prefix: "/loop" }, route },
    { match: { prefix: "/" }, route, typed_per_filter_config: without },
  ];
  const virtual_hosts = [{ name: "all", domains: ["*"], routes }];
  const filters = [wasmFilter(wasm, "guest", "request_headers loop")];
  const hcm = { route_config: { virtual_hosts, ...tellingHcm } };
  return bootstrap({ upstreamPort: upstream.port, filters, hcm });
}

async function start(): Promise<HeadgateProcess> {
  const policy = scratch.write("policy.yaml", { default: { fuel: "off", start_time_ms: "off" } });
  const flags = ["--network-engine", engine, "--wasm-policy", policy];
  return await HeadgateProcess.start(scratch, await config(), {
    concurrency: WORKERS.length,
    ...(isStuck ? {} : { command: crashableMain }),
    flags: [...flags, "--worker-stuck-kill-s", isStuck ? "1" : "0"],
  });
}

async function accepted(headgate: HeadgateProcess): Promise<number[]> {
  const name = (worker: number): string =>
    `listener.127.0.0.1_0.worker_${worker}.downstream_cx_total`;
  return await Promise.all(WORKERS.map((worker) => headgate.stat(name(worker))));
}

async function kill(headgate: HeadgateProcess, target: string, round: number): Promise<Death> {
  const before = await accepted(headgate);
  const load = new WitnessedLoad(`round-${round}`, { target, upstream, ...CLIENTS });
  const areBusy = (): boolean =>
    WORKERS.every((worker) => load.answersOf(worker) >= ANSWERS_BEFORE);
  await headgate.waitFor(areBusy, "answers of each worker");
  const from = headgate.output.length;
  if (isStuck) load.ask("/loop");
  else headgate.kill("SIGUSR2");
  const died = /worker (\d) died: /;
  await headgate.says(died, from);
  const dead = Number(died.exec(headgate.output.slice(from))?.[1]);
  const answersThen = load.answersOf(dead);
  const isBack = (): boolean => load.answersOf(dead) > answersThen;
  await headgate.waitFor(isBack, "answers of the successor");
  await load.stop();
  const after = await accepted(headgate);
  const acceptedBy = WORKERS.map((worker) => (after[worker] ?? 0) - (before[worker] ?? 0));
  return judge(load, dead, acceptedBy);
}

/** `acceptedBy`: how many connections each worker has counted meanwhile. */
function judge(load: WitnessedLoad, dead: number, acceptedBy: readonly number[]): Death {
  const nobodys = load.losses.filter(({ worker }) => worker === null);
  const others = load.losses.filter(({ worker }) => worker !== null && worker !== dead);
  const unseen = WORKERS.map((worker) => (acceptedBy[worker] ?? 0) - load.connectionsOf(worker));
  const accepted = unseen[dead] ?? 0;
  return {
    answered: load.answered,
    inFlight: load.losses.length - nobodys.length - others.length,
    accepted,
    untold: nobodys.length - accepted,
    others: others.map(({ worker, words }) => `worker ${worker}: ${words}`),
    unknown: unseen.reduce((sum, count) => sum + Math.abs(count), 0) - Math.abs(accepted),
  };
}

const headgate = await start();
process.on("exit", () => headgate.child.kill("SIGKILL"));
const target = await headgate.listener();
const deaths: Death[] = [];
for (let round = 0; round < Number(kills); round += 1) {
  deaths.push(await kill(headgate, target, round));
}
await headgate.end();
upstream.close();
scratch.remove();
process.stdout.write(JSON.stringify(deaths));
process.exit(0);

// A WasmHost on a fake clock with the scripted guest of runtime/test/guests: for tests of what several
// plugins have to do with one another.
import { FakeTime } from "../../test/fake-time.ts";
import { compileGuest } from "../../test/guests/compile.ts";
import { LogRecorder } from "../../test/log-recorder.ts";
import type { WasmPluginConfig } from "../config/snapshot.ts";
import { plainPlugin } from "../config/wasm-plugin-for-test.ts";
import { Clock } from "../core/clock.ts";
import { SeededRandom } from "../core/random.ts";
import { TimerWheel } from "../core/timer-wheel.ts";
import { type LoadedModule, loadModule } from "../module/module-loader.ts";
import { StatsStore } from "../stats/store.ts";
import { Plugin, PluginError } from "./plugin.ts";
import { WasmHost, type WasmHostContext } from "./wasm-host.ts";

const BASE: WasmPluginConfig = { ...plainPlugin, name: "one", failurePolicy: "fail_closed" };

export async function wasmHostRig(script: string): Promise<{
  prepare: (changes: Partial<WasmPluginConfig>) => Plugin | PluginError;
  /** It is not in force yet. */
  prepareForLater: (changes: Partial<WasmPluginConfig>) => Plugin | PluginError;
  host: WasmHost;
  context: WasmHostContext;
  module: LoadedModule;
  stats: StatsStore;
  messages: () => string[];
  /** Lets time pass. */
  tick: (ms: number) => void;
}> {
  const module = await loadModule({ inlineBytes: await compileGuest("script") });
  const time = new FakeTime();
  const clock = new Clock(time);
  const runTurn = (turn: () => void): void => {
    clock.update();
    turn();
  };
  const recorder = new LogRecorder();
  const stats = new StatsStore({ slotsMax: 1 << 14 });
  const node = { id: "", cluster: "", zone: "", region: "", subZone: "" };
  const context: WasmHostContext = {
    clock,
    timers: new TimerWheel(clock, runTurn, time),
    random: new SeededRandom(1),
    stats,
    logger: recorder,
    node: { ...node, serialized: new Uint8Array(0) },
    workerIndex: 0,
    drainTimeMs: 2000,
  };
  const host = new WasmHost(context);
  const vmConfiguration = Buffer.from(script);
  return {
    prepareForLater: (changes) =>
      host.preparePlugin({ ...BASE, vmConfiguration, ...changes }, module, null, false),
    prepare: (changes) => host.preparePlugin({ ...BASE, vmConfiguration, ...changes }, module),
    host,
    context,
    module,
    stats,
    messages: () => recorder.lines.map((line) => line.message),
    tick: (ms) => time.advance(ms, () => {}),
  };
}

export function asPlugin(prepared: Plugin | PluginError): Plugin {
  if (prepared instanceof PluginError) throw new Error(prepared.reasons.join("; "));
  return prepared;
}

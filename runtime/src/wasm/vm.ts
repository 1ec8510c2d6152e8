// One instance of a module with its memory, and the call boundary from host to guest.
// Called by root and stream contexts. The way from guest to host is in hostcalls/guard.ts.
import { assert } from "../core/assert.ts";
import { LogLevel } from "../core/logger.ts";
import type { LocalReply } from "../filter/http-filter.ts";
import type { AbiVersion } from "proxy-wasm-types";
import type { CallObserver } from "./call-observer.ts";
import { CallTrace } from "./call-trace.ts";
import type { CompiledModule } from "./compiled-module.ts";
import { ContextTable } from "./context-table.ts";
import type { Context, DeferredKind } from "./context.ts";
import { DeferredAction } from "./deferred-action.ts";
import { FuelTank } from "./fuel-tank.ts";
import { GuestExports, type GuestFunction } from "./guest-exports.ts";
import { GuestLimits } from "./guest-limits.ts";
import type { GuestLog } from "./guest-log.ts";
import { callbackName, INITIALISATION_MARK } from "./guest-mark.ts";
import type { HostcallGate } from "./hostcalls/guard.ts";
import { createImports } from "./hostcalls/index.ts";
import { LastWords } from "./last-words.ts";
import { GuestMemory } from "./memory.ts";
import { Phase } from "./phase.ts";
import { MetricTable } from "./metrics.ts";
import { framesOf, type GuestFrame, GuestStack } from "./guest-frames.ts";
import { StreamSampler } from "./stream-sampler.ts";
import type { SpareMemory } from "./spare-memory.ts";
import type { StartLimit } from "./start-limit.ts";
import { trapStreamOf } from "./trap-report.ts";
import { type StopKind, type StopPlace, VmFailure } from "./vm-failure.ts";
import type { WasiFiles } from "./wasi-provider.ts";
import type { ThreadServices } from "./thread-services.ts";
import type { VmSettings } from "./vm-settings.ts";

/** Gives the guest's memory its room. */
export interface Allocator {
  /** Address of `size` bytes in the guest; 0 = none. */
  allocate(size: number): number;
  /** Takes fuel for work that the host does for the guest. */
  charge(fuel: number): void;
}

/** Who is told that a VM stopped for good. */
export interface VmOwner {
  onVmFailure(vm: Vm, failure: VmFailure): void;
  /** The guest does in its start what others see; false = it is stopped before it does. */
  onOutwardCall(name: string): boolean;
}

const NS_PER_MS = 1_000_000;
/** What a line of the log takes of the host's time, in nanoseconds, and each byte of it. */
const LOG_LINE_FUEL = 5000;
const LOG_BYTE_FUEL = 2;

/**
 * No JavaScript exception crosses a guest, whose catch_all could swallow it: a hostcall that must
 * stop the guest notes why and makes a trap, which nothing can catch. After `failure` is set the
 * guest is never entered again.
 */
export class Vm implements Allocator {
  readonly services: ThreadServices;
  readonly settings: VmSettings;
  readonly abiVersion: AbiVersion;
  readonly memory: GuestMemory;
  readonly contexts: ContextTable;
  readonly metrics: MetricTable;
  readonly log: GuestLog;
  readonly limits: GuestLimits;
  readonly lastWords: LastWords;
  /** Sees the calls as long as the VM lives; null = nobody does. */
  readonly observer: CallObserver | null;
  /** Which streams are timed. */
  readonly sampler: StreamSampler;
  /** Null = nobody wants to see the calls. */
  trace: CallTrace | null;
  /** What the guest imports that does something; each calls what the trace wants it to call. */
  readonly gates: HostcallGate[];
  /** Null = the guest has none, or they are gone with it. */
  files: WasiFiles | null = null;
  /** Changes once, when a standby takes over. */
  owner: VmOwner;
  readonly #mark: Int32Array;
  readonly #module: CompiledModule;
  readonly #spare: SpareMemory;
  #instance: WebAssembly.Instance | null = null;
  #exports: GuestExports | null = null;
  /** The context of the running callback; null = the guest does not run. */
  current: Context | null = null;
  /** What hostcalls act on: `current`, unless the guest chose another one. */
  effective: Context | null = null;
  phase: Phase;
  /** What each callback of a plugin's start may compute. */
  startLimit: StartLimit;
  failure: VmFailure | null = null;
  /** A local reply was asked for in this callback: its answer does not count. */
  isIterationStopped: boolean = false;
  /** Null = the guest is not metered. */
  #fuel: FuelTank | null = null;
  /** An error of ours that stopped the guest: thrown on when the guest is left. */
  #hostError: unknown = null;
  #deferred: DeferredAction[];
  /** Fuel of the callback that has returned or was stopped. */
  #used: number = 0;
  /** Hostcalls and callouts of the running callback. */
  hostcalls: number = 0;
  callouts: number = 0;
  #lastCallToken: number = 0;
  #lastGrpcCallToken: number = 1;
  #lastGrpcStreamToken: number = 2;

  constructor(
    services: ThreadServices,
    settings: VmSettings,
    module: CompiledModule,
    log: GuestLog,
    owner: VmOwner,
    spare: SpareMemory,
    limit: StartLimit,
  ) {
    this.services = services;
    this.settings = settings;
    this.abiVersion = module.abiVersion;
    this.memory = new GuestMemory();
    this.contexts = new ContextTable();
    this.metrics = new MetricTable(services.stats, services.gauges, settings.native);
    this.log = log;
    this.limits = new GuestLimits(settings.policy.limits, services.clock, services.stats, log);
    this.lastWords = new LastWords();
    this.sampler = new StreamSampler(settings.policy.timeEvery);
    const rule = services.traces.ruleOf(settings.firstPlugin, settings.policy);
    this.trace = rule === null ? null : new CallTrace(this);
    this.observer = services.observe?.(this) ?? null;
    this.gates = [];
    this.owner = owner;
    this.#mark = services.mark;
    this.#module = module;
    this.#spare = spare;
    this.phase = Phase.Initialize;
    this.startLimit = limit;
    this.#deferred = [];
    this.#instantiate(module);
    if (this.failure === null) this.#initialize();
    this.setConfiguring(false);
  }

  /** The callbacks that follow start and configure a plugin, or do no more. */
  setConfiguring(isConfiguring: boolean): void {
    this.phase = isConfiguring ? Phase.Start : Phase.Run;
    const { fuel, callbackTimeMs } = this.settings.policy;
    if (fuel === null) return;
    const { ms, word } = this.startLimit;
    if (isConfiguring) this.#fuel?.setBudget(fuel.configure, ms, word);
    else this.#fuel?.setBudget(fuel.callback, callbackTimeMs, "callback_time_ms");
  }

  /** From now on calls are logged, or not. Between callbacks only. */
  setTraced(isTraced: boolean): void {
    if (this.failure !== null || (!isTraced && this.trace === null)) return;
    // A new one, whatever was: streams are chosen anew.
    this.trace = isTraced ? new CallTrace(this) : null;
    for (const gate of this.gates) gate.follow(this.trace);
    this.#lookUpExports();
  }

  get exports(): GuestExports {
    return this.#exports as GuestExports;
  }

  /**
   * Enters the guest for `context` and answers what the callback answered, 0 when it has no result
   * or failed: `failure` tells. Then does what the callback asked for.
   */
  call(
    context: Context,
    callback: GuestFunction,
    a: number,
    b: number,
    c: number,
    d: number,
    e: number,
  ): number {
    assert(this.current === null, "a guest was entered twice");
    this.current = context;
    this.effective = context;
    this.isIterationStopped = false;
    const mark = this.#mark;
    mark[1] = callback.mark as number;
    mark[0] = context.plugin.mark;
    const isTimed = context.timedFor !== 0;
    const startMs = isTimed ? this.services.clock.preciseMs() : 0;
    const answer = this.#enter(callback, a, b, c, d, e);
    const ns = isTimed ? (this.services.clock.preciseMs() - startMs) * NS_PER_MS : 0;
    mark[0] = 0;
    this.current = null;
    this.effective = null;
    const { hostcalls, callouts, memory } = this;
    context.noteCost(callback.mark as number, this.#used, ns, hostcalls, memory.moved, callouts);
    this.#forgetCost();
    if (context.isRouteStale) context.flushRoute();
    if (this.#deferred.length > 0) this.#runDeferred();
    return answer;
  }

  #forgetCost(): void {
    this.#used = 0;
    this.hostcalls = 0;
    this.callouts = 0;
    this.memory.moved = 0;
  }

  /** The one `try` around a guest. */
  #enter(callback: GuestFunction, a: number, b: number, c: number, d: number, e: number): number {
    const fuel = this.#fuel;
    try {
      const answer = callback(a, b, c, d, e) as number;
      // A guest may have swallowed what stopped it, at the end of its stack.
      if (this.failure === null) {
        if (fuel !== null) this.#noteFuel(fuel.settle(), fuel.budget);
        return answer | 0;
      }
    } catch (error) {
      this.#noteError(error);
    }
    this.#fail(callback);
    return 0;
  }

  /** Where in the guest an error was made, by a hostcall of it for instance; innermost first. */
  framesOf(error: Error): GuestFrame[] {
    return framesOf(error, this.#module.codeMap);
  }

  #noteFuel(used: number, budget: number): void {
    if (this.current === null) return;
    const { root } = this.current;
    this.#used = used;
    root.fuelUsed.add(used);
    // What starts and ticks take says nothing about the cost of a stream.
    if (this.current !== root) root.plugin.counts.addFuel(used);
    if (used > budget / 2) root.noteHighUse(used, budget);
  }

  charge(fuel: number): void {
    this.#fuel?.take(fuel);
  }

  /** Charges it, and says whether it was there: what takes long is not begun without. */
  affords(fuel: number): boolean {
    this.charge(fuel);
    return this.#fuel === null || this.#fuel.left >= 0;
  }

  /** Whether a line of this level is of any use. */
  wantsLine(level: number): boolean {
    return level >= LogLevel.Error || this.log.wants(level);
  }

  /** A guest's message; `level` is one of the ABI's. Lines above the limit are dropped. */
  logLine(level: number, text: string): void {
    this.charge(LOG_LINE_FUEL + text.length * LOG_BYTE_FUEL);
    if (level >= LogLevel.Error) this.lastWords.add(text);
    const context = this.effective;
    if (!this.limits.allowsLine(context?.plugin ?? null)) return;
    this.log.write(level, context?.logPrefix ?? this.settings.vmId, text);
  }

  /**
   * Something asked for by the running callback, to be done when it has returned, in order. To ask
   * twice is to ask once, and of two replies the first one counts.
   */
  defer(context: Context, kind: DeferredKind, reply: LocalReply | null): void {
    for (const action of this.#deferred) {
      if (action.context === context && action.kind === kind) return;
    }
    this.#deferred.push(new DeferredAction(context, kind, reply));
  }

  #runDeferred(): void {
    const actions = this.#deferred;
    // A new array: what is done now may enter the guest again, which defers anew.
    this.#deferred = [];
    for (const { context, contextId, kind, reply } of actions) {
      if (context.id === contextId) context.runDeferred(kind, reply);
    }
  }

  /** The guest's allocator, from within a hostcall. */
  allocate(size: number): number {
    const malloc = this.exports.malloc;
    if (malloc === null) return 0;
    const before = this.phase;
    this.phase = Phase.Allocate;
    const pointer = malloc(size, 0, 0, 0, 0) as number;
    this.phase = before;
    return pointer;
  }

  /** Tokens of HTTP calls are 4, 8, ...: never used twice by a VM. */
  nextCallToken(): number {
    this.#lastCallToken += 4;
    return this.#lastCallToken;
  }

  /** 5, 9, ... */
  nextGrpcCallToken(): number {
    this.#lastGrpcCallToken += 4;
    return this.#lastGrpcCallToken;
  }

  /** 6, 10, ... */
  nextGrpcStreamToken(): number {
    this.#lastGrpcStreamToken += 4;
    return this.#lastGrpcStreamToken;
  }

  /** From a hostcall: the guest must stop. Never returns; works only inside the guest. */
  stopGuest(reason: string, stop: StopKind = "host"): never {
    if (this.failure === null) this.failure = new VmFailure(reason, stop);
    this.services.trap();
    throw new WebAssembly.RuntimeError(reason);
  }

  /** From the guard: a hostcall threw, in the guest's allocator or in code of ours. */
  stopByError(error: unknown): never {
    this.#noteError(error);
    this.services.trap();
    throw error;
  }

  /** RuntimeError: a trap. RangeError: a stack without room. Anything else is a bug of ours. */
  #noteError(error: unknown): void {
    const isTrap = error instanceof WebAssembly.RuntimeError;
    const isGuests = isTrap || error instanceof RangeError;
    if (!isGuests) this.#hostError ??= error;
    const { message } = error as Error;
    const stack = new GuestStack(error as Error, this.#module.codeMap);
    const known = this.failure;
    // What a hostcall noted before it made the trap says more than the trap does.
    if (known === null) {
      const stop = isTrap ? "trap" : isGuests ? "stack" : "host";
      this.failure = new VmFailure(message, stop, stack);
    } else if (isGuests && known.stack === null) {
      this.failure = new VmFailure(known.reason, known.stop, stack);
    }
  }

  /** Where the guest was: `entry` null = nowhere yet. */
  #placeOf(entry: GuestFunction | null): StopPlace {
    const fuel = this.#fuel;
    const { current } = this;
    return {
      plugin: current?.plugin.name ?? "",
      version: current?.plugin.version ?? "",
      contextId: current?.id ?? 0,
      stream: current === null || current === current.root ? null : trapStreamOf(current),
      callback: callbackName(entry?.mark ?? 0),
      fuelUsed: fuel === null ? null : fuel.budget - fuel.left,
      computedMs: fuel === null ? 0 : fuel.usedMs,
      budget: fuel?.budget ?? 0,
      pages: this.memory.pages,
    };
  }

  /** A trap says only that: fuel and memory tell why. */
  #classify(failure: VmFailure, place: StopPlace): VmFailure {
    const { reason, stop, stack } = failure;
    if (stop !== "trap") return new VmFailure(reason, stop, stack, place);
    const isFull = place.pages >= this.settings.policy.memoryPagesMax - 1;
    return new VmFailure(reason, isFull ? "memory" : "trap", stack, place);
  }

  #fail(entry: GuestFunction | null): void {
    const place = this.#placeOf(entry);
    const failure = this.#classify(this.failure as VmFailure, place);
    this.failure = failure;
    if (place.fuelUsed !== null && this.current !== null) {
      this.#used = place.fuelUsed;
      this.current.root.fuelUsed.add(place.fuelUsed);
      if (this.current !== this.current.root) this.current.plugin.counts.addFuel(place.fuelUsed);
    }
    this.current?.plugin.counts.onStopped(failure.stop === "fuel");
    this.#deferred.length = 0;
    this.release();
    this.current = null;
    this.effective = null;
    this.owner.onVmFailure(this, failure);
    const hostError = this.#hostError;
    this.#hostError = null;
    if (hostError !== null) throw hostError;
  }

  /** Logged by the owner; instances that cannot be made are failures like any other. */
  #instantiate(module: CompiledModule): void {
    try {
      const wanted = module.memoryImport;
      const provided = wanted === null ? null : this.#spare.take(wanted);
      if (!this.#makeFiles(module)) return;
      const instance = new WebAssembly.Instance(
        module.module,
        createImports(this, module, provided),
      );
      this.#instance = instance;
      this.#lookUpExports();
      this.#fuel = this.#tankOf(instance, module);
      const memory = provided ?? (instance.exports[module.memoryExport] as WebAssembly.Memory);
      this.memory.attach(memory, this);
      this.files?.bind(instance);
    } catch (error) {
      const isModules = error instanceof WebAssembly.LinkError;
      if (isModules) this.failure = new VmFailure(error.message, "host");
      else this.#noteError(error);
      this.#fail(null);
    }
  }

  #lookUpExports(): void {
    const allowed = this.settings.allowedCapabilities;
    const names = allowed.length === 0 ? null : new Set(allowed);
    const instance = this.#instance as WebAssembly.Instance;
    const observers = [this.observer, this.trace].filter((one) => one !== null);
    this.#exports = new GuestExports(instance, this.#module, names, observers);
  }

  #tankOf({ exports }: WebAssembly.Instance, module: CompiledModule): FuelTank | null {
    const { fuel } = this.settings.policy;
    const { ms, word } = this.startLimit;
    if (module.fuelExport === null || fuel === null) return null;
    const supply = this.services.supplyOf(() => this.#supplyFuel());
    const tank = new FuelTank(exports, module, this.services.clock, supply);
    tank.setBudget(fuel.start, ms, word);
    return tank;
  }

  /** From the guest: what it had of its fuel is used up. */
  #supplyFuel(): void {
    const fuel = this.#fuel as FuelTank;
    let reason: string | null = null;
    try {
      reason = fuel.next();
      const word = fuel.timeIsUp;
      if (word !== null) this.limits.refused(word, fuel.timeMaxMs, this.current?.plugin ?? null);
    } catch (error) {
      this.stopByError(error);
    }
    if (reason !== null) this.stopGuest(reason, "fuel");
  }

  /** False when the policy wants files that nobody provides. */
  #makeFiles({ module }: CompiledModule): boolean {
    if (!this.settings.policy.hasFiles) return true;
    const { wasiProvider } = this.services;
    if (typeof wasiProvider !== "string") {
      this.files = wasiProvider.create(module);
      return true;
    }
    const reason = `its policy asks for files in memory, but ${wasiProvider}`;
    this.failure = new VmFailure(reason, "host");
    this.#fail(null);
    return false;
  }

  /** Nobody enters the guest any more, or only to end it: what it holds outside goes. */
  release(): void {
    this.files?.close();
    this.files = null;
  }

  /** What was the start section, then the reactor's or the command's entry. */
  #initialize(): void {
    const { start, initialize, main, mainVoid, command } = this.exports;
    this.#run(start);
    if (initialize === null) {
      this.#run(command);
      return;
    }
    this.#run(initialize);
    this.#run(main ?? mainVoid);
  }

  #run(entry: GuestFunction | null): void {
    if (entry === null || this.failure !== null) return;
    this.#mark[1] = entry.mark as number;
    this.#mark[0] = INITIALISATION_MARK;
    this.#enter(entry, 0, 0, 0, 0, 0);
    this.#forgetCost();
    this.#mark[0] = 0;
  }

  /** From the guard: a start is about to do what others see. */
  noteOutwardCall(name: string): void {
    if (!this.owner.onOutwardCall(name)) this.stopGuest(`its start called ${name}`);
  }

  /** The guest called what it may not call now. */
  refuseHostcall(name: string): never {
    const when = this.phase === Phase.Initialize ? "its initialisation" : "its allocator";
    this.log.host(LogLevel.Error, `wasm guest called ${name} in ${when}`);
    return this.stopGuest(`restricted callback: ${name} in ${when}`);
  }
}

// Which plugin class serves which root id, and the contexts that live. Filters register themselves
// at top level; the callbacks in exports/ look up here.
import { proxy_get_property } from "./abi";
import { Configuration } from "./configuration";
import {
  Context,
  ContextKind,
  HttpContext,
  HttpFilter,
  NetworkContext,
  Plugin,
  PluginContext,
} from "./context";
import { contexts } from "./contexts";
import { cleanUp, REUSING } from "./hook";
import { log } from "./log";
import { isOk, OUT, OUT_SIZE, resultLength, resultStart } from "./results";
import { decimal } from "./text";
import { decodeUtf8, encodedLength, encodeUtf8, isTextEqual } from "./utf8";

/** Made once per VM and pinned; the list of them is walked by address. */
abstract class Registration {
  /** Address of the one that was registered before; 0 for the first. */
  before: usize = last;

  constructor(readonly rootId: string) {
    last = __pin(changetype<usize>(this));
  }

  abstract create(): PluginContext;
}

class PluginRegistration extends Registration {
  constructor(
    rootId: string,
    private readonly make: () => PluginContext,
  ) {
    super(rootId);
  }

  create(): PluginContext {
    return this.make();
  }
}

class FilterRegistration<C> extends Registration {
  constructor(
    rootId: string,
    private readonly read: (source: Configuration) => C | null,
    private readonly make: () => HttpFilter<C>,
    private readonly isReused: bool,
  ) {
    super(rootId);
  }

  create(): PluginContext {
    const plugin = new FilterPlugin<C>(this.read, this.make);
    if (this.isReused) plugin.state = REUSING;
    return plugin;
  }
}

/** The plugin of authors who need none of their own. */
class FilterPlugin<C> extends Plugin<C> {
  constructor(
    private readonly read: (source: Configuration) => C | null,
    private readonly make: () => HttpFilter<C>,
  ) {
    super();
  }

  configure(source: Configuration): C | null {
    return this.read(source);
  }

  createHttpFilter(): HttpFilter<C> | null {
    return this.make();
  }
}

let last: usize = 0;

/**
 * Registers an HTTP filter. Call it at top level of the entry file; nothing else may stand there
 * that calls the host. `rootId` is the `root_id` of the host's configuration, "" serves every one.
 * `read` makes the configuration object; null, or an error in its `source`, refuses it. `isReused`:
 * filters keep nothing of a stream, so that with `exports/brief` one may serve the next one, too.
 */
export function registerFilter<C>(
  rootId: string,
  read: (source: Configuration) => C | null,
  make: () => HttpFilter<C>,
  isReused: bool = false,
): void {
  new FilterRegistration<C>(rootId, read, make, isReused);
}

/** Registers a plugin with state, ticks or callouts of its own; else as registerFilter. */
export function registerPlugin(rootId: string, make: () => PluginContext): void {
  new PluginRegistration(rootId, make);
}

/** The host announces a context: a plugin when it has no parent, else a stream of that plugin. */
export function createContext(id: u32, parentId: u32): void {
  // Envoy announces a plugin again when it starts the same one anew. Context 0 is the VM.
  if (id == 0 || contexts.get(id) != 0) return;
  const context = parentId == 0 ? createPlugin() : createStream(parentId);
  if (context === null) return;
  context.id = id;
  contexts.add(changetype<usize>(context));
}

export function deleteContext(id: u32): void {
  const context = find(id);
  if (context === null) return;
  context.onDelete();
  cleanUp(context);
  contexts.take(id);
}

/** The context; null, with a line in the log, when there is none: late events are normal. */
export function findContext(id: u32): Context | null {
  const context = find(id);
  if (context === null) ignore(id);
  return context;
}

export function findPlugin(id: u32): PluginContext | null {
  return changetype<PluginContext | null>(findKind(id, ContextKind.Plugin));
}

export function findHttp(id: u32): HttpContext | null {
  return changetype<HttpContext | null>(findKind(id, ContextKind.Http));
}

export function findNetwork(id: u32): NetworkContext | null {
  return changetype<NetworkContext | null>(findKind(id, ContextKind.Network));
}

function find(id: u32): Context | null {
  return changetype<Context | null>(contexts.get(id));
}

function findKind(id: u32, kind: ContextKind): Context | null {
  const context = find(id);
  if (context !== null && context.kind == kind) return context;
  ignore(id);
  return null;
}

function ignore(id: u32): void {
  log.warn("no context " + decimal(id));
}

function createPlugin(): PluginContext | null {
  const found = findRegistration();
  return found == 0 ? null : changetype<Registration>(found).create();
}

/** Address of the registration for this plugin's root id, else of the one for all, else 0. */
function findRegistration(): usize {
  // With a single one that serves every root id there is nothing to ask the host.
  if (last != 0 && beforeOf(last) == 0 && rootIdOf(last).length == 0) return last;
  const path = encodeUtf8("plugin_root_id");
  const isKnown = isOk(proxy_get_property(path, encodedLength(), OUT, OUT_SIZE));
  const start = isKnown ? resultStart() : 0;
  const length = isKnown ? resultLength() : 0;
  let walk = last;
  let general: usize = 0;
  while (walk != 0) {
    if (isTextEqual(start, length, rootIdOf(walk))) return walk;
    if (rootIdOf(walk).length == 0) general = walk;
    walk = beforeOf(walk);
  }
  if (general == 0) log.error("unknown root_id " + decodeUtf8(start, length));
  return general;
}

function beforeOf(registration: usize): usize {
  return load<usize>(registration, offsetof<Registration>("before"));
}

function rootIdOf(registration: usize): string {
  return load<string>(registration, offsetof<Registration>("rootId"));
}

function createStream(parentId: u32): Context | null {
  const plugin = findPlugin(parentId);
  return plugin === null ? null : plugin.openStream();
}

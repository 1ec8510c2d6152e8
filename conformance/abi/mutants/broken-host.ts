// Hosts that are broken on purpose: Headgate's, with something between it and its guests that does a
// hostcall or a callback wrong. What the suite is worth is how many of them it catches.

type Call = (...args: number[]) => unknown;

/** What a mutant works with. */
export interface Guest {
  /** The bytes of its memory, as they are now. */
  readonly view: () => DataView;
}

export interface Mutant {
  /** Of the hostcall or callback, and what is wrong with it. */
  readonly name: string;
  /** A hostcall in another form. */
  readonly hostcalls?: Readonly<Record<string, (real: Call, guest: Guest) => Call>>;
  /** A callback in another form; null = it is lost. */
  readonly callbacks?: Readonly<Record<string, null | ((real: Call, guest: Guest) => Call)>>;
}

/** Plays something on a host that is broken. */
export async function onBrokenHost<T>(mutant: Mutant, play: () => Promise<T>): Promise<T> {
  const { Instance } = WebAssembly;
  const broken = function (
    module: WebAssembly.Module,
    imports: Record<string, Record<string, unknown>> = {},
  ): { exports: Record<string, unknown> } {
    return brokenInstance(mutant, module, imports, Instance);
  };
  try {
    WebAssembly.Instance = broken as unknown as typeof Instance;
    return await play();
  } finally {
    WebAssembly.Instance = Instance;
  }
}

function brokenInstance(
  { hostcalls = {}, callbacks = {} }: Mutant,
  module: WebAssembly.Module,
  imports: Record<string, Record<string, unknown>>,
  Instance: typeof WebAssembly.Instance,
): { exports: Record<string, unknown> } {
  let memory: WebAssembly.Memory | null = null;
  const guest: Guest = {
    view: () => new DataView(memory === null ? new ArrayBuffer(0) : memory.buffer),
  };
  const env = { ...imports["env"] };
  for (const [name, change] of Object.entries(hostcalls)) {
    const real = env[name];
    if (typeof real === "function") env[name] = change(real as Call, guest);
  }
  const instance = new Instance(module, { ...imports, env } as WebAssembly.Imports);
  const exports: Record<string, unknown> = { ...instance.exports };
  memory = (exports["memory"] as WebAssembly.Memory | undefined) ?? null;
  for (const [name, change] of Object.entries(callbacks)) {
    const real = exports[name];
    if (typeof real !== "function") continue;
    exports[name] = change === null ? undefined : change(real as Call, guest);
  }
  return { exports };
}

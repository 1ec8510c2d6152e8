// Calls the kit in a compiled guest: bytes and text in, bytes, text or nothing out.
import { compileGuest } from "./mini-host.ts";

type Argument = string | Uint8Array | bigint;

/** One instance of the guest "kit". */
export class KitGuest {
  readonly #exports: Record<string, unknown>;
  readonly #memory: { readonly buffer: ArrayBuffer };

  static async create(mode: "release" | "debug" = "release"): Promise<KitGuest> {
    return new KitGuest(await compileGuest("kit", mode));
  }

  constructor(module: WebAssembly.Module) {
    const env = new Proxy(
      {},
      {
        get:
          (_, name) =>
          (...args: number[]) =>
            this.#host(name, args),
      },
    );
    const instance = new WebAssembly.Instance(module, { env: env as Record<string, never> });
    this.#exports = instance.exports as Record<string, unknown>;
    this.#memory = this.#exports["memory"] as { buffer: ArrayBuffer };
    this.number("_initialize");
  }

  /** What an export that takes and gives numbers answers. */
  number(name: string, ...args: number[]): number {
    return (this.#exports[name] as (...args: number[]) => number)(...args);
  }

  /** The answer as bytes; null when there is none. */
  bytes(name: string, args: readonly Argument[], ...numbers: number[]): Uint8Array | null {
    const parts = args.map(encode);
    const size = parts.reduce((sum, part) => sum + 4 + part.length, 0);
    let at = this.number("begin", size) >>> 0;
    const view = new DataView(this.#memory.buffer);
    for (const part of parts) {
      view.setUint32(at, part.length, true);
      new Uint8Array(this.#memory.buffer).set(part, at + 4);
      at += 4 + part.length;
    }
    return this.#taken(this.number(name, ...numbers) >>> 0);
  }

  /** The answer as text; null when there is none. */
  text(name: string, args: readonly Argument[], ...numbers: number[]): string | null {
    const bytes = this.bytes(name, args, ...numbers);
    return bytes === null ? null : Buffer.from(bytes).toString("utf16le");
  }

  /** A yes or no. */
  bool(name: string, args: readonly Argument[], ...numbers: number[]): boolean {
    return this.text(name, args, ...numbers) === "true";
  }

  get memoryBytes(): number {
    return this.#memory.buffer.byteLength;
  }

  #taken(at: number): Uint8Array | null {
    if (at === 0) return null;
    const view = new DataView(this.#memory.buffer);
    const start = view.getUint32(at + 4, true);
    return new Uint8Array(this.#memory.buffer, start, view.getUint32(at + 8, true)).slice();
  }

  /** The guest calls no host but to say why it traps. */
  #host(name: string | symbol, [, at = 0, size = 0]: number[]): number {
    const text = Buffer.from(new Uint8Array(this.#memory.buffer, at, size)).toString();
    throw new Error(name === "proxy_log" ? text : `the kit called ${String(name)}`);
  }
}

function encode(argument: Argument): Uint8Array {
  if (typeof argument === "string") return Buffer.from(argument, "utf16le");
  if (typeof argument !== "bigint") return argument;
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(argument);
  return bytes;
}

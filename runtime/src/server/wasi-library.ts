// Files in memory for guests by @wasmer/wasi, an optional package: loaded only when a policy asks
// for files.
import type { Snapshot } from "../config/snapshot.ts";
import type { WasiFiles, WasiFunction, WasiProvider } from "../wasm/wasi-provider.ts";

/** What is used of the package. */
interface Library {
  readonly init: () => Promise<void>;
  readonly WASI: new (config: LibraryConfig) => LibraryWasi;
}

interface LibraryConfig {
  readonly args: string[];
  readonly env: Record<string, string>;
  readonly preopens: Record<string, string>;
}

interface LibraryWasi {
  readonly fs: LibraryFs;
  getImports(module: WebAssembly.Module): Record<string, Record<string, WasiFunction>>;
  instantiate(instance: WebAssembly.Instance): WebAssembly.Instance;
  free(): void;
}

interface LibraryFs {
  readDir(path: string): readonly LibraryEntry[];
  open(path: string, options: { read: boolean }): { size(): bigint; free(): void };
  free(): void;
}

interface LibraryEntry {
  readonly path: string;
  readonly metadata: { readonly filetype: { readonly dir: boolean; readonly file: boolean } };
}

const PACKAGE = "@wasmer/wasi";
const WASI_NAMES: readonly string[] = ["wasi_snapshot_preview1", "wasi_unstable"];

export function wantsFiles({ plugins }: Pick<Snapshot, "plugins">): boolean {
  return plugins.some(({ policy }) => policy.hasFiles);
}

/** The provider, or why there is none. */
export async function loadWasiProvider(): Promise<WasiProvider | string> {
  try {
    // A variable: bundlers leave it as it is.
    const name: string = PACKAGE;
    const library = (await import(name)) as Library;
    await library.init();
    return new MemoryFiles(library);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const isMissing = code === "ERR_MODULE_NOT_FOUND";
    return isMissing ? `the package ${PACKAGE} is not installed` : `${PACKAGE}: ${message}`;
  }
}

class MemoryFiles implements WasiProvider {
  readonly #library: Library;

  constructor(library: Library) {
    this.#library = library;
  }

  create(module: WebAssembly.Module): WasiFiles | null {
    const imports = WebAssembly.Module.imports(module) as readonly { readonly module: string }[];
    if (!imports.some((one) => WASI_NAMES.includes(one.module))) return null;
    const wasi = new this.#library.WASI({ args: [], env: {}, preopens: { "/": "/" } });
    const functions = Object.values(wasi.getImports(module))[0] ?? {};
    return {
      functions,
      bind: (instance) => void wasi.instantiate(instance),
      measure: () => measure(wasi),
      close: () => wasi.free(),
    };
  }
}

/** Null when a file is in use. */
function measure(wasi: LibraryWasi): { bytes: number; entries: number } | null {
  const { fs } = wasi;
  const left = ["/"];
  let bytes = 0;
  let entries = 0;
  try {
    for (let path = left.pop(); path !== undefined; path = left.pop()) {
      for (const entry of fs.readDir(path)) {
        entries += 1;
        const { dir, file } = entry.metadata.filetype;
        if (dir) left.push(entry.path);
        if (!file) continue;
        const opened = fs.open(entry.path, { read: true });
        bytes += Number(opened.size());
        opened.free();
      }
    }
    return { bytes, entries };
  } catch {
    return null;
  } finally {
    fs.free();
  }
}

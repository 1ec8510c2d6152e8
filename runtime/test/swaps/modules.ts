// Modules that are alike but for the letter of their name, good ones and bad ones: see
// test/guests/assembly/versioned.ts.
import { createHash } from "node:crypto";
import { compileGuestWithMap } from "../guests/compile.ts";

export class VersionedModules {
  readonly #guest: Uint8Array;
  /** The source map of all of them. */
  readonly map: Buffer;

  private constructor(guest: Uint8Array, map: Buffer) {
    this.#guest = guest;
    this.map = map;
  }

  static async compile(): Promise<VersionedModules> {
    const { wasm, map } = await compileGuestWithMap("versioned");
    return new VersionedModules(wasm, map);
  }

  /** The module that calls itself "module-<letter>". */
  of(letter: string): Buffer {
    const bytes = Buffer.from(this.#guest);
    bytes.write(letter, bytes.indexOf("module-A") + "module-".length);
    return bytes;
  }

  /** What nobody may serve, by kind. */
  get broken(): readonly (readonly [kind: string, module: Buffer])[] {
    const foreign = this.of("B");
    const marker = "proxy_abi_version_0_";
    foreign.write("9", foreign.indexOf(marker) + marker.length);
    return [
      ["truncated", this.of("B").subarray(0, 200)],
      ["of another ABI", foreign],
      ["trapping in its configure", this.of("c")],
      ["looping in its start", this.of("l")],
      ["asking for 200 MB", this.of("m")],
    ];
  }
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** As /wasm/plugins names it. */
export function versionOf(bytes: Uint8Array): string {
  return sha256Of(bytes).slice(0, 12);
}

/** A loop in a start is stopped soon, and 200 MB are more than a guest gets. */
export const SWAP_POLICY = "default: {fuel: {configure: 50000000}, memory_pages: 2048}\n";

// Which guest runs, as numbers in shared memory: the main thread's watchdog reads them when this
// thread is stuck and can say nothing itself.
import { callbacks } from "proxy-wasm-types";
import type { GuestFunction } from "./guest-exports.ts";

/** Cells of a mark: the plugin, 0 = no guest runs; the callback, 0 = not known. */
export const GUEST_MARK_CELLS = 2;

/** Stands for the plugin while an instance is made: it may serve several plugins. */
export const INITIALISATION_MARK = 1;

const numbers: ReadonlyMap<string, number> = new Map(
  callbacks.map(({ name }, at) => [name, at + 1]),
);

/** Of a plugin's name, the same in all threads: FNV-1a, never 0 nor 1. */
export function pluginMark(name: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(name)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash === 0 || hash === INITIALISATION_MARK ? 2 : hash;
}

/**
 * Notes on an exported function which callback it is. Toolchains merge equal functions: one that
 * serves several callbacks has no name.
 */
export function markFunction(callback: GuestFunction, name: string): void {
  const number = numbers.get(name) ?? 0;
  callback.mark = callback.mark === undefined || callback.mark === number ? number : 0;
}

/** Of a mark's second cell; "" = not known. */
export function callbackName(callback: number): string {
  return callbacks[callback - 1]?.name ?? "";
}

/** "plugin NAME, CALLBACK"; "" when no guest runs. */
export function guestMarkText(
  plugin: number,
  callback: number,
  pluginNames: Iterable<string>,
): string {
  if (plugin === 0) return "";
  const where = callbackName(callback);
  const suffix = where === "" ? "" : `, ${where}`;
  if (plugin === INITIALISATION_MARK) return `a guest's initialisation${suffix}`;
  for (const name of pluginNames) if (pluginMark(name) === plugin) return `plugin ${name}${suffix}`;
  return `a plugin of another version${suffix}`;
}

// Callbacks that every filter exports: write `export * from ".../exports/base"` in the entry file.
import { BufferType } from "../abi";
import { Configuration } from "../configuration";
import { leave } from "../hook";
import { enterCallback, scratch } from "../memory";
import { createContext, deleteContext, findPlugin } from "../registry";
import "../abort";

/** Never called: its name tells the host which version of the ABI this module speaks. */
export function proxy_abi_version_0_2_1(): void {}

/** Where the host puts what it returns; valid until the outermost callback ends. */
export function malloc(size: u32): usize {
  return scratch(size);
}

export function proxy_on_context_create(contextId: u32, parentContextId: u32): void {
  enterCallback();
  createContext(contextId, parentContextId);
  leave();
}

export function proxy_on_configure(contextId: u32, configurationSize: u32): bool {
  enterCallback();
  const plugin = findPlugin(contextId);
  const source = new Configuration(BufferType.PluginConfiguration, configurationSize);
  const isAccepted = plugin !== null && plugin.acceptConfiguration(source);
  leave();
  return isAccepted;
}

export function proxy_on_delete(contextId: u32): void {
  enterCallback();
  deleteContext(contextId);
  leave();
}

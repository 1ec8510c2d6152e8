// Hostcalls of the chapter "Context lifecycle".
import { Status } from "proxy-wasm-types";
import type { Vm } from "../vm.ts";
import type { HostcallTable } from "./index.ts";

export function contextHostcalls(vm: Vm): HostcallTable {
  return {
    /**
     * Makes another context of this VM the one that hostcalls act on until the callback returns.
     * Errors: BadArgument (no such context).
     */
    proxy_set_effective_context(contextId: number): Status {
      const context = vm.contexts.get(contextId >>> 0);
      if (context === null) return Status.BadArgument;
      vm.effective = context;
      return Status.Ok;
    },

    /**
     * Ends a root context whose on_done answered false; on_delete follows when the callback has
     * returned. Errors: NotFound (the context does not wait for this).
     */
    proxy_done(): Status {
      return vm.effective?.done() ?? Status.NotFound;
    },

    /**
     * 0.1.0: the plugin's configuration within on_configure, elsewhere the VM's.
     * Errors: InvalidMemoryAccess.
     */
    proxy_get_configuration(outPointer: number, outSize: number): Status {
      const root = vm.effective?.root;
      const isConfiguring = root !== undefined && root.isConfiguring;
      const bytes = isConfiguring ? root.plugin.configuration : vm.settings.vmConfiguration;
      const done = vm.memory.returnBytes(bytes, outPointer >>> 0, outSize >>> 0);
      return done ? Status.Ok : Status.InvalidMemoryAccess;
    },
  };
}

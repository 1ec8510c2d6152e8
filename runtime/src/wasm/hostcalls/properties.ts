// Hostcalls of the chapter "Properties". What there is to ask for stands in property-table.ts.
import { limits, Status, trimPropertyPath } from "proxy-wasm-types";
import { PropertySpan } from "../declared-properties.ts";
import { findProperty, PropertyResult } from "../property-table.ts";
import type { Vm } from "../vm.ts";
import type { HostcallTable } from "./index.ts";

/** Under what prefix a guest's values stand among the filter state of a stream. */
export const FILTER_STATE_PREFIX = "wasm.";

/** What the host does for one, in nanoseconds. */
const PROPERTY_FUEL = 300;

export function propertyHostcalls(vm: Vm): HostcallTable {
  const memory = vm.memory;
  return {
    /**
     * Copies the value of a property; the path's segments are separated by NUL.
     * Errors: NotFound (unknown or not there now), SerializationFailure (empty path, null value),
     * InvalidMemoryAccess.
     */
    proxy_get_property(
      pathPointer: number,
      pathSize: number,
      outPointer: number,
      outSize: number,
    ): Status {
      const at = pathPointer >>> 0;
      const size = pathSize >>> 0;
      if (!memory.contains(at, size)) return Status.InvalidMemoryAccess;
      if (size === 0) return Status.SerializationFailure;
      vm.charge(PROPERTY_FUEL);
      const context = vm.effective;
      if (context === null || size > limits.propertyPathBytesMax) return Status.NotFound;
      const value = findProperty(context, trimPropertyPath(memory.readKey(at, size).raw));
      if (value === PropertyResult.NotFound) return Status.NotFound;
      if (value === PropertyResult.NoValue) return Status.SerializationFailure;
      const isText = typeof value === "string";
      const done = isText
        ? memory.returnText(value, outPointer >>> 0, outSize >>> 0)
        : memory.returnBytes(value, outPointer >>> 0, outSize >>> 0);
      return done ? Status.Ok : Status.InvalidMemoryAccess;
    },

    /**
     * Keeps a value with the stream, for this and later filters, under "wasm." and the path.
     * What was declared (declare_property) may be read-only, and may stay with the connection.
     * Errors: NotFound (no stream), BadArgument (read-only, larger than 1 MiB, or too many),
     * InvalidMemoryAccess.
     */
    proxy_set_property(
      pathPointer: number,
      pathSize: number,
      valuePointer: number,
      valueSize: number,
    ): Status {
      const at = pathPointer >>> 0;
      const size = pathSize >>> 0;
      const valueAt = valuePointer >>> 0;
      const bytes = valueSize >>> 0;
      if (!memory.contains(at, size)) return Status.InvalidMemoryAccess;
      if (!memory.contains(valueAt, bytes)) return Status.InvalidMemoryAccess;
      const context = vm.effective;
      if (context === null || context.streamInfo === null) return Status.NotFound;
      const isTooLong = size > limits.propertyPathBytesMax || bytes > limits.propertyValueBytesMax;
      if (isTooLong) return Status.BadArgument;
      vm.charge(PROPERTY_FUEL);
      const path = trimPropertyPath(memory.readText(at, size));
      const declared = context.root.declaredProperties?.get(path);
      const key = FILTER_STATE_PREFIX + path;
      const isSet = context.filterState(key) !== undefined;
      if (declared !== undefined && declared.isReadOnly && isSet) return Status.BadArgument;
      const isConnections = declared?.span === PropertySpan.DownstreamConnection;
      const count = context.filterStateSize(isConnections) + (isSet ? 0 : 1);
      if (!vm.limits.allows("streamProperties", count, context.plugin)) return Status.BadArgument;
      context.setFilterState(key, memory.readBytes(valueAt, bytes), isConnections);
      return Status.Ok;
    },
  };
}

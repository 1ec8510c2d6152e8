// Hostcalls of the chapter "Metrics".
import { limits, MetricType, Status } from "proxy-wasm-types";
import type { Vm } from "../vm.ts";
import type { HostcallTable } from "./index.ts";

/** What the host does to define one, in nanoseconds. */
const METRIC_FUEL = 2000;

export function metricHostcalls(vm: Vm): HostcallTable {
  const { memory, metrics } = vm;
  return {
    /**
     * Defines a metric; the same name again gives another id of the same metric.
     * Errors: BadArgument (no such type, a name over 1 KiB, more metrics than this VM may have),
     * InvalidMemoryAccess.
     */
    proxy_define_metric(type: number, pointer: number, size: number, outId: number): Status {
      if (type >>> 0 > MetricType.Histogram) return Status.BadArgument;
      const at = pointer >>> 0;
      const length = size >>> 0;
      if (!memory.contains(at, length)) return Status.InvalidMemoryAccess;
      if (length > limits.metricNameBytesMax) return Status.BadArgument;
      if (!memory.contains(outId >>> 0, 4)) return Status.InvalidMemoryAccess;
      vm.charge(METRIC_FUEL);
      if (!vm.limits.allows("metrics", metrics.count + 1, vm.effective?.plugin ?? null)) {
        return Status.BadArgument;
      }
      const id = metrics.define(type >>> 0, memory.readUtf8(at, length));
      if (id === 0) return Status.BadArgument;
      memory.writeU32(outId >>> 0, id);
      return Status.Ok;
    },

    /** Errors: NotFound (no such metric). */
    proxy_record_metric: (id: number, value: bigint): Status =>
      metrics.record(id >>> 0, Number(BigInt.asUintN(64, value))),

    /** Errors: NotFound (no such metric), BadArgument (a histogram; a counter and 0 or less). */
    proxy_increment_metric: (id: number, offset: bigint): Status =>
      metrics.increment(id >>> 0, Number(offset)),

    /** Errors: NotFound (no such metric), BadArgument (a histogram), InvalidMemoryAccess. */
    proxy_get_metric(id: number, outValue: number): Status {
      const status = metrics.readable(id >>> 0);
      if (status !== Status.Ok) return status;
      const done = memory.writeU64(outValue >>> 0, metrics.valueOf(id >>> 0));
      return done ? Status.Ok : Status.InvalidMemoryAccess;
    },
  };
}

// New route tables for the version in force in one worker: compiled by prepare, put into their
// slots by commit. Made by worker.ts.
import type { RouteTableOptions } from "../router/route-table.ts";
import type { PluginHandle } from "./plugin-handle.ts";
import type { PrepareRoutesMessage } from "./protocol.ts";
import { RouteSlots } from "./route-slots.ts";
import type { WorkerVersion } from "./worker-version.ts";

export class RouteUpdate {
  readonly version: number;
  readonly #slots: RouteSlots;
  readonly #findPlugin: (index: number) => PluginHandle;

  constructor(
    message: PrepareRoutesMessage,
    current: WorkerVersion | null,
    options: RouteTableOptions,
  ) {
    this.version = message.version;
    this.#slots = new RouteSlots(message.routeTables, current?.routeSlots ?? null, options);
    // The plugins are those of the version in force.
    this.#findPlugin = (index) => (current as WorkerVersion).findPlugin(index);
  }

  commit(): void {
    this.#slots.commit(this.#findPlugin);
  }

  abort(): void {}
}

// New route tables for the version in force in one worker: compiled by prepare, put into their
// slots by commit. Made by worker.ts.
import type { RouteTableOptions } from "../router/route-table.ts";
import type { PrepareRoutesMessage } from "./protocol.ts";
import { RouteSlots } from "./route-slots.ts";

export class RouteUpdate {
  readonly version: number;
  readonly #slots: RouteSlots;

  constructor(
    message: PrepareRoutesMessage,
    current: RouteSlots | null,
    options: RouteTableOptions,
  ) {
    this.version = message.version;
    this.#slots = new RouteSlots(message.routeTables, current, options);
  }

  commit(): void {
    this.#slots.commit();
  }

  abort(): void {}
}

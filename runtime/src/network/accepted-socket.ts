// A connection from accept until its listener filters are done: keeps what the client sends for
// them, at most for the listener's timeout. Then the filter chain is chosen, and gets what is left.
import type { ConnectionInfo } from "../core/connection-info.ts";
import { TimerEntry } from "../core/timer-wheel.ts";
import type { IoEvents, IoHandle } from "../engine/network-engine.ts";
import type { ConnectionAdmission } from "./connection-admission.ts";
import { LISTENER_FILTER_BYTES_MAX, ListenerFilterVerdict } from "./listener-filter.ts";
import type { ListenerFilter } from "./listener-filter.ts";

export interface AcceptedSocketOwner {
  /** The filters are done; `socket.takeRest()` is for the filter chain. */
  onFiltersDone(socket: AcceptedSocket): void;
  /** The owner closes; `verdict` is the filter's. */
  onFilterRefusal(socket: AcceptedSocket, verdict: number): void;
  /** Before it has a filter chain. */
  onPeerClosed(socket: AcceptedSocket): void;
  onFiltersTimeout(socket: AcceptedSocket): void;
}

const FIRST_BYTES = 512;

/** The timer is the listener filters' timeout. */
export class AcceptedSocket extends TimerEntry implements IoEvents {
  readonly io: IoHandle;
  readonly info: ConnectionInfo;
  /** Where it has a place. */
  readonly admission: ConnectionAdmission;
  readonly #filters: readonly ListenerFilter[];
  readonly #owner: AcceptedSocketOwner;
  #at: number = 0;
  #buffer: Buffer;
  #from: number = 0;
  #to: number = 0;
  #isOver: boolean = false;

  constructor(
    io: IoHandle,
    info: ConnectionInfo,
    admission: ConnectionAdmission,
    filters: readonly ListenerFilter[],
    owner: AcceptedSocketOwner,
  ) {
    super();
    this.io = io;
    this.info = info;
    this.admission = admission;
    this.#filters = filters;
    this.#owner = owner;
    this.#buffer = noBytes;
    this.#passDisabled();
  }

  /** No filter is left: nothing is waited for. */
  get isInspected(): boolean {
    return this.#at >= this.#filters.length;
  }

  /** Whether the client has sent anything that nobody has taken. */
  get hasBytes(): boolean {
    return this.#to > this.#from;
  }

  /** What filters have left; the caller may keep it. */
  takeRest(): Buffer {
    const rest = this.#buffer.subarray(this.#from, this.#to);
    this.#buffer = noBytes;
    this.#from = 0;
    this.#to = 0;
    return rest;
  }

  /** No event matters any more: the owner has made an end. */
  finish(): void {
    this.#isOver = true;
  }

  // ---- TimerEntry.

  override onDeadline(): void {
    if (!this.#isOver) this.#owner.onFiltersTimeout(this);
  }

  // ---- IoEvents.

  onConnect(): void {}

  onRead(buffer: Buffer, length: number): void {
    if (this.#isOver) return;
    this.#append(buffer, length);
    while (this.#at < this.#filters.length) {
      const bytes = this.#buffer.subarray(this.#from, this.#to);
      const answer = (this.#filters[this.#at] as ListenerFilter).inspect(bytes, this.info);
      if (answer === ListenerFilterVerdict.NeedMore && bytes.length < LISTENER_FILTER_BYTES_MAX) {
        return;
      }
      if (answer < 0) {
        this.#owner.onFilterRefusal(this, answer);
        return;
      }
      this.#from += answer;
      this.#at += 1;
      this.#passDisabled();
      // The next one waits for bytes of its own.
      if (!this.hasBytes && this.#at < this.#filters.length) return;
    }
    this.#owner.onFiltersDone(this);
  }

  onWritable(): void {}

  onEnd(): void {
    if (!this.#isOver) this.#owner.onPeerClosed(this);
  }

  onClose(): void {
    if (!this.#isOver) this.#owner.onPeerClosed(this);
  }

  /** Asked when it is a filter's turn: those before may have changed the port. */
  #passDisabled(): void {
    while (this.#filters[this.#at]?.isDisabledFor?.(this.info) === true) this.#at += 1;
  }

  #append(buffer: Buffer, length: number): void {
    const needed = this.#to + length;
    if (needed > this.#buffer.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2, FIRST_BYTES));
      this.#buffer.copy(grown, 0, 0, this.#to);
      this.#buffer = grown;
    }
    buffer.copy(this.#buffer, this.#to, 0, length);
    this.#to = needed;
  }
}

const noBytes = Buffer.alloc(0);

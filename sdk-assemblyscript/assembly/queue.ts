// Queues of items between plugins and workers, first in first out. Called by authors.
import {
  proxy_dequeue_shared_queue,
  proxy_enqueue_shared_queue,
  proxy_register_shared_queue,
  proxy_resolve_shared_queue,
} from "./abi";
import { isOk, OUT, OUT_SIZE, resultBytes, resultText } from "./results";
import { encodedLength, encodeUtf8 } from "./utf8";

/** A queue of the host, which all VMs that know its name share. */
export class Queue {
  /** `id`: the host's number for it, as onQueueReady gets it. */
  constructor(readonly id: u32) {}

  /**
   * Makes the queue, or finds it, and makes this plugin the one that hears of items by onQueueReady.
   * Of several workers that open the same one, Envoy tells the last only: pop until it is empty.
   * Call it in `configure` or later; null when the host refused.
   */
  static open(name: string): Queue | null {
    const start = encodeUtf8(name);
    return made(proxy_register_shared_queue(start, encodedLength(), OUT));
  }

  /** Finds a queue that another plugin has opened; `vmId` "" is our own. Null when there is none. */
  static resolve(name: string, vmId: string = ""): Queue | null {
    const vm = encodeUtf8(vmId);
    const vmLength = encodedLength();
    const start = encodeUtf8(name);
    return made(proxy_resolve_shared_queue(vm, vmLength, start, encodedLength(), OUT));
  }

  /** Adds an item at the end; false when the host refused, for instance because it is full. */
  push(item: Uint8Array): bool {
    return isOk(proxy_enqueue_shared_queue(this.id, item.dataStart, item.length));
  }

  /** Adds UTF-8 text at the end. */
  pushText(item: string): bool {
    const start = encodeUtf8(item);
    return isOk(proxy_enqueue_shared_queue(this.id, start, encodedLength()));
  }

  /** Takes the first item; null when there is none: `lastStatus()` is then `Status.Empty`. */
  pop(): Uint8Array | null {
    return this.take() ? resultBytes() : null;
  }

  /** Takes the first item as UTF-8 text; null as `pop`. */
  popText(): string | null {
    return this.take() ? resultText() : null;
  }

  private take(): bool {
    return isOk(proxy_dequeue_shared_queue(this.id, OUT, OUT_SIZE));
  }
}

function made(answer: u32): Queue | null {
  return isOk(answer) ? new Queue(load<u32>(OUT)) : null;
}

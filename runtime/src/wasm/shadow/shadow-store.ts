// Shared data and queues as a shadow has them: what it writes stands in a space of its own, what it
// reads and has not written is the others'.
import { Status } from "proxy-wasm-types";
import type { QueueConsumer, SharedEntry, SharedSpace } from "../shared-space.ts";

export class ShadowStore implements SharedSpace {
  readonly #inner: SharedSpace;
  readonly #prefix: string;
  /** Queues of its own: it may neither fill nor empty others'. */
  readonly #tokens: Set<number>;

  /** `prefix` comes before the vm_ids. */
  constructor(inner: SharedSpace, prefix: string) {
    this.#inner = inner;
    this.#prefix = prefix;
    this.#tokens = new Set();
  }

  get(vmId: string, key: string): SharedEntry | undefined {
    return this.#inner.get(this.#prefix + vmId, key) ?? this.#inner.get(vmId, key);
  }

  /** The first write over a value of the others' is made against its CAS number. */
  set(vmId: string, key: string, value: Uint8Array, cas: number): Status {
    const space = this.#prefix + vmId;
    if (cas === 0 || this.#inner.get(space, key) !== undefined) {
      return this.#inner.set(space, key, value, cas);
    }
    const seen = this.#inner.get(vmId, key);
    if (seen !== undefined && seen.cas !== cas) return Status.CasMismatch;
    return this.#inner.set(space, key, value, 0);
  }

  registerQueue(vmId: string, name: string, consumer: QueueConsumer | null): number {
    return this.#known(this.#inner.registerQueue(this.#prefix + vmId, name, consumer));
  }

  /** A queue that others have is an empty one here. */
  resolveQueue(vmId: string, name: string): number {
    const own = this.#inner.resolveQueue(this.#prefix + vmId, name);
    if (own !== 0) return this.#known(own);
    return this.#inner.resolveQueue(vmId, name) === 0 ? 0 : this.registerQueue(vmId, name, null);
  }

  hasQueue(token: number): boolean {
    return this.#tokens.has(token) && this.#inner.hasQueue(token);
  }

  enqueue(token: number, item: Uint8Array): Status {
    return this.hasQueue(token) ? this.#inner.enqueue(token, item) : Status.NotFound;
  }

  dequeue(token: number): Buffer | undefined {
    return this.hasQueue(token) ? this.#inner.dequeue(token) : undefined;
  }

  tell(token: number): void {
    if (this.hasQueue(token)) this.#inner.tell(token);
  }

  forgetConsumer(consumer: QueueConsumer): void {
    this.#inner.forgetConsumer(consumer);
  }

  #known(token: number): number {
    if (token !== 0) this.#tokens.add(token);
    return token;
  }
}

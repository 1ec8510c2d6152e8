// Who takes what comes into shared queues, of one thread, by the numbers that stand in the queues.
import type { QueueConsumer } from "./shared-space.ts";

/** Each is known once: a guest may register in every stream, for as long as it lives. */
export class QueueConsumers {
  readonly #byNumber: Map<number, QueueConsumer>;
  readonly #numbers: Map<QueueConsumer, number>;
  #last: number = 0;

  constructor() {
    this.#byNumber = new Map();
    this.#numbers = new Map();
  }

  get count(): number {
    return this.#numbers.size;
  }

  /** 1 or more, and never another's, not even afterwards. */
  numberOf(consumer: QueueConsumer): number {
    const known = this.#numbers.get(consumer);
    if (known !== undefined) return known;
    this.#last += 1;
    this.#byNumber.set(this.#last, consumer);
    this.#numbers.set(consumer, this.#last);
    return this.#last;
  }

  at(number: number): QueueConsumer | undefined {
    return this.#byNumber.get(number);
  }

  /** The number that it had; 0 = it has never registered. */
  forget(consumer: QueueConsumer): number {
    const number = this.#numbers.get(consumer) ?? 0;
    this.#numbers.delete(consumer);
    this.#byNumber.delete(number);
    return number;
  }
}

// Properties that a guest has declared by the foreign function declare_property: who may set them
// again, and how long they are kept. One set for each root context.
import { limits } from "proxy-wasm-types";

/** How long a value is kept. */
export const PropertySpan = {
  FilterChain: 0,
  DownstreamRequest: 1,
  DownstreamConnection: 2,
} as const;

export class DeclaredProperty {
  /** It may be set once. */
  readonly isReadOnly: boolean;
  /** A PropertySpan; the first two end with the stream here. */
  readonly span: number;

  constructor(isReadOnly: boolean, span: number) {
    this.isReadOnly = isReadOnly;
    this.span = span;
  }
}

export class DeclaredProperties {
  readonly #byName: Map<string, DeclaredProperty>;

  constructor() {
    this.#byName = new Map();
  }

  /** No more can be added. */
  get isFull(): boolean {
    return this.#byName.size >= limits.declaredPropertiesMax;
  }

  /** False when the name is declared already, or there are too many. */
  add(name: string, property: DeclaredProperty): boolean {
    if (this.isFull || this.#byName.has(name)) return false;
    this.#byName.set(name, property);
    return true;
  }

  get(name: string): DeclaredProperty | undefined {
    return this.#byName.size === 0 ? undefined : this.#byName.get(name);
  }
}

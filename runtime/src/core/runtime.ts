// Runtime values: numbers and fractions by key that configuration layers give and that an operator
// may change while traffic flows. A question is asked through a RuntimeFraction or a RuntimeNumber,
// made with the configuration; it looks its key up again only after a change.

const PPM = 1_000_000;

/** One value as it was given; what it means depends on the question. */
export interface RuntimeValue {
  /** As /runtime shows it. */
  readonly text: string;
  /** Null when it is no number. */
  readonly number: number | null;
  /** A FractionalPercent in parts of a million; null when it is none. */
  readonly ppm: number | null;
}

export interface RuntimeLayer {
  readonly name: string;
  /** The admin layer's values are what /runtime_modify set; in the configuration it has none. */
  readonly kind: "static" | "admin";
  readonly values: ReadonlyMap<string, RuntimeValue>;
}

const NONE: ReadonlyMap<string, RuntimeValue> = new Map();

export class Runtime {
  #layers: readonly RuntimeLayer[];
  #overrides: ReadonlyMap<string, RuntimeValue>;
  #values: ReadonlyMap<string, RuntimeValue>;
  /** Grows with each change. */
  generation = 0;

  constructor() {
    this.#layers = [];
    this.#overrides = NONE;
    this.#values = NONE;
  }

  /** All layers, lowest first; the admin layer holds its present values. */
  get layers(): readonly RuntimeLayer[] {
    return this.#layers.map((layer) =>
      layer.kind === "admin" ? { ...layer, values: this.#overrides } : layer,
    );
  }

  /** Final values by key. */
  get values(): ReadonlyMap<string, RuntimeValue> {
    return this.#values;
  }

  /** The layers of a configuration, lowest first. Overrides stay. */
  setLayers(layers: readonly RuntimeLayer[]): void {
    this.#layers = layers;
    this.#merge();
  }

  /** The admin layer's values. */
  setOverrides(overrides: ReadonlyMap<string, RuntimeValue>): void {
    this.#overrides = overrides;
    this.#merge();
  }

  get(key: string): RuntimeValue | undefined {
    return this.#values.get(key);
  }

  #merge(): void {
    this.#values = new Map(this.layers.flatMap((layer) => [...layer.values]));
    this.generation += 1;
  }
}

/** A share of requests: a key's value, or what the configuration says without one. */
export class RuntimeFraction {
  readonly #runtime: Runtime;
  readonly #key: string;
  readonly #fallbackPpm: number;
  #generation = -1;
  #ppm = 0;

  /** `key` "" = the fallback, always. */
  constructor(runtime: Runtime, key: string, fallbackPpm: number) {
    this.#runtime = runtime;
    this.#key = key;
    this.#fallbackPpm = fallbackPpm;
    this.#ppm = fallbackPpm;
  }

  /** `randomValue` is a uniform number above one million. */
  isHit(randomValue: number): boolean {
    if (this.#generation !== this.#runtime.generation) this.#refresh();
    return this.#ppm >= PPM || randomValue % PPM < this.#ppm;
  }

  #refresh(): void {
    this.#generation = this.#runtime.generation;
    const value = this.#key === "" ? undefined : this.#runtime.get(this.#key);
    this.#ppm = value === undefined ? this.#fallbackPpm : ppmOf(value, this.#fallbackPpm);
  }
}

/** A plain number is a percentage without fractions; a negative one says nothing. */
function ppmOf(value: RuntimeValue, fallbackPpm: number): number {
  if (value.ppm !== null) return value.ppm;
  if (value.number === null || value.number < 0) return fallbackPpm;
  return Math.min(100, Math.trunc(value.number)) * 10_000;
}

/** A whole number that is not negative: a key's value, or what the configuration says. */
export class RuntimeInteger {
  readonly #runtime: Runtime;
  readonly #key: string;
  readonly #fallback: number;
  #generation = -1;
  #value = 0;

  /** `key` "" = the fallback, always. */
  constructor(runtime: Runtime, key: string, fallback: number) {
    this.#runtime = runtime;
    this.#key = key;
    this.#fallback = fallback;
    this.#value = fallback;
  }

  get value(): number {
    if (this.#generation !== this.#runtime.generation) this.#refresh();
    return this.#value;
  }

  #refresh(): void {
    this.#generation = this.#runtime.generation;
    const number = this.#key === "" ? null : (this.#runtime.get(this.#key)?.number ?? null);
    this.#value = number === null || number < 0 ? this.#fallback : Math.trunc(number);
  }
}

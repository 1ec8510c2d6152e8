// Metrics with labels: one metric of the host for each combination of values, of which there may be
// only so many, because what a proxy has defined stays for ever.
import { Counter, Gauge, Histogram } from "./metrics";
import { asciiText } from "./text";
import { scratch } from "./memory";
import { encodedLength, encodeUtf8 } from "./utf8";

const COMBINATIONS_MAX: i32 = 100;
const VALUE_BYTES_MAX: u32 = 64;

/**
 * A family of metrics. Its names are put together as `name.label.value.label.value`, which rules for
 * stats tags of Envoy and Headgate can take apart again. In values all but ASCII letters, digits,
 * `-`, `_` and `:` becomes `_`, and they are cut to 64 bytes. Make it at top level.
 */
export class Labelled<M> {
  private readonly known: Map<string, M> = new Map<string, M>();
  private readonly labels: string[];

  /** `most`: combinations of values until all new ones are counted as "other". */
  constructor(
    readonly name: string,
    labels: string[],
    private readonly make: (name: string) => M,
    private readonly most: i32,
  ) {
    this.labels = labels;
  }

  /** The metric for these values, in the order of the labels; a missing one counts as "". */
  with(values: string[]): M {
    const name = this.nameFor(values, false);
    if (this.known.has(name)) return this.known.get(name);
    // One place is kept for "other".
    const isFull = this.known.size + 1 >= this.most;
    const key = isFull ? this.nameFor(values, true) : name;
    if (this.known.has(key)) return this.known.get(key);
    const metric = this.make(key);
    this.known.set(key, metric);
    return metric;
  }

  private nameFor(values: string[], isOther: bool): string {
    let name = this.name;
    for (let i = 0; i < this.labels.length; i++) {
      const value = isOther ? "other" : i < values.length ? values[i] : "";
      name += "." + this.labels[i] + "." + clean(value);
    }
    return name;
  }
}

function clean(value: string): string {
  const start = encodeUtf8(value);
  const length = min(encodedLength(), VALUE_BYTES_MAX);
  if (start == 0 || length == 0) return "_";
  const out = scratch(length);
  for (let i: u32 = 0; i < length; i++) {
    const byte = load<u8>(start + i);
    store<u8>(out + i, isKept(byte) ? byte : 0x5f);
  }
  return asciiText(out, length);
}

function isKept(byte: u8): bool {
  const letter = byte | 0x20;
  if (letter >= 0x61 && letter <= 0x7a) return true;
  return (byte >= 0x30 && byte <= 0x3a) || byte == 0x2d || byte == 0x5f;
}

/** `counters("requests", ["code"]).with(["200"]).increment()`. */
export function counters(
  name: string,
  labels: string[],
  most: i32 = COMBINATIONS_MAX,
): Labelled<Counter> {
  return new Labelled<Counter>(name, labels, (full) => new Counter(full), most);
}

/** `gauges("open", ["peer"]).with(["a"]).add(1)`. */
export function gauges(
  name: string,
  labels: string[],
  most: i32 = COMBINATIONS_MAX,
): Labelled<Gauge> {
  return new Labelled<Gauge>(name, labels, (full) => new Gauge(full), most);
}

/** `histograms("took_ms", ["route"]).with(["a"]).record(12)`. */
export function histograms(
  name: string,
  labels: string[],
  most: i32 = COMBINATIONS_MAX,
): Labelled<Histogram> {
  return new Labelled<Histogram>(name, labels, (full) => new Histogram(full), most);
}

// Counters, gauges and histograms. Making one at top level is fine: the host hears of it at first
// use.
import {
  MetricType,
  proxy_define_metric,
  proxy_get_metric,
  proxy_increment_metric,
  proxy_record_metric,
} from "./abi";
import { isOk, OUT } from "./results";
import { encodedLength, encodeUtf8 } from "./utf8";

/**
 * What the three kinds share. Names are the labels in an Envoy's stats: keep their number bounded.
 */
export abstract class Metric {
  private id: u32 = 0;
  private isDefined: bool = false;

  constructor(
    private readonly type: MetricType,
    readonly name: string,
  ) {}

  /** Asks the host for an id once; false when it refused. */
  protected define(): bool {
    if (this.isDefined) return true;
    const start = encodeUtf8(this.name);
    if (!isOk(proxy_define_metric(this.type, start, encodedLength(), OUT))) return false;
    this.id = load<u32>(OUT);
    this.isDefined = true;
    return true;
  }

  protected move(offset: i64): bool {
    return this.define() && isOk(proxy_increment_metric(this.id, offset));
  }

  protected write(value: u64): bool {
    return this.define() && isOk(proxy_record_metric(this.id, value));
  }

  protected read(): u64 {
    return this.define() && isOk(proxy_get_metric(this.id, OUT)) ? load<u64>(OUT) : 0;
  }
}

/** A number that only grows. */
export class Counter extends Metric {
  constructor(name: string) {
    super(MetricType.Counter, name);
  }

  /** Adds `by`, at least 1; false when the host refused. */
  increment(by: u32 = 1): bool {
    return this.move(by);
  }

  /** The value now; 0 when the host does not tell. */
  get value(): u64 {
    return this.read();
  }
}

/** A number that grows and shrinks. */
export class Gauge extends Metric {
  constructor(name: string) {
    super(MetricType.Gauge, name);
  }

  /** Makes it `value`; false when the host refuses. It is one for all workers. */
  set(value: u64): bool {
    return this.write(value);
  }

  /** Adds `offset`, which may be negative. */
  add(offset: i64): bool {
    return this.move(offset);
  }

  /** The value now; 0 when the host does not tell. */
  get value(): u64 {
    return this.read();
  }
}

/** A distribution of numbers. */
export class Histogram extends Metric {
  constructor(name: string) {
    super(MetricType.Histogram, name);
  }

  /** Adds one value; the unit is yours. False when the host refuses. */
  record(value: u64): bool {
    return this.write(value);
  }
}

/**
 * A number that only grows, of that name in the stats. Make it at top level:
 * the host hears of it with the first use.
 */
export function counter(name: string): Counter {
  return new Counter(name);
}

/** A number that grows and shrinks, shared by all workers. Make it at top level. */
export function gauge(name: string): Gauge {
  return new Gauge(name);
}

/** A distribution of whole numbers. Make it at top level. */
export function histogram(name: string): Histogram {
  return new Histogram(name);
}

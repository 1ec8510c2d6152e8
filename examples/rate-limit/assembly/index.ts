// So many requests of a client in a window of time, counted over all workers: the count stands in shared
// data, and each change is made only when nobody else has made one since (compare and swap).
import {
  Action,
  counters,
  HttpFilter,
  log,
  nowMs,
  property,
  RequestHeaders,
  ResponseHeaders,
  shared,
} from "@headgate/sdk-assemblyscript";

/** What `configuration` in envoy.yaml may say. Anything else is refused, with its place. */
@config
class Config {
  /** The header that names the client; who has none is told by the address. */
  @minLength(1) clientHeader: string = "x-api-key";
  @required @range(1, 1000000) requests: u32;
  @duration("1m") @range("1ms", "24h") windowMs: u32;
}

const source = property("source", "address");
const decisions = counters("rate_limit.requests", ["result"]);

/** When the window began, and how many requests came in it: sixteen bytes of shared data. */
class Window {
  startMs: i64 = 0;
  count: u64 = 0;

  constructor(
    readonly nowMs: i64,
    readonly lengthMs: i64,
  ) {}

  /** One more request; called again when another worker was faster. */
  next(before: Uint8Array | null): Uint8Array {
    this.startMs = this.nowMs;
    this.count = 0;
    if (before !== null && before.length == 16) this.read(before);
    this.count++;
    const after = new Uint8Array(16);
    store<i64>(after.dataStart, this.startMs);
    store<u64>(after.dataStart, this.count, 8);
    return after;
  }

  private read(bytes: Uint8Array): void {
    const startMs = load<i64>(bytes.dataStart);
    // Another worker may have begun it a moment after ours has looked at the clock: that is no new one.
    if (abs(this.nowMs - startMs) >= this.lengthMs) return;
    this.startMs = startMs;
    this.count = load<u64>(bytes.dataStart, 8);
  }

  get secondsLeft(): i64 {
    return (this.startMs + this.lengthMs - this.nowMs + 999) / 1000;
  }
}

/** One of these lives as long as one request with its response. */
@filter
class RateLimit extends HttpFilter<Config> {
  private limits: string[] = [];

  override onRequestHeaders(headers: RequestHeaders, endOfStream: bool): Action {
    const config = this.config;
    const window = new Window(<i64>nowMs(), config.windowMs);
    const key = "rate-limit/" + this.clientOf(headers);
    if (!shared.update(key, window, (self, before) => self.next(before))) {
      // Ten others were faster, or the store is full: rather too many requests than none.
      log.warn("a request was not counted");
      decisions.with(["uncounted"]).increment();
      return Action.Continue;
    }
    const limit: u64 = config.requests;
    const left = window.count < limit ? limit - window.count : 0;
    this.limits = [
      "x-ratelimit-limit",
      limit.toString(),
      "x-ratelimit-remaining",
      left.toString(),
      "x-ratelimit-reset",
      window.secondsLeft.toString(),
    ];
    if (window.count > limit) {
      decisions.with(["limited"]).increment();
      const wait = ["retry-after", window.secondsLeft.toString()];
      return this.respond(429, "too many requests\n", wait, "rate_limited");
    }
    decisions.with(["passed"]).increment();
    return Action.Continue;
  }

  private clientOf(headers: RequestHeaders): string {
    const name = headers.get(this.config.clientHeader);
    if (name !== null) return name;
    const address = source.text();
    // Without the port, which is another one for each connection.
    return address === null ? "" : address.substring(0, address.lastIndexOf(":"));
  }

  /** Of the upstream's answers and of our own. */
  override onResponseHeaders(headers: ResponseHeaders, endOfStream: bool): Action {
    for (let i = 0; i < this.limits.length; i += 2) headers.set(this.limits[i], this.limits[i + 1]);
    return Action.Continue;
  }
}

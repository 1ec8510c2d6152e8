// envoy.config.core.v3.RuntimeFractionalPercent: a share of requests that the proxy's runtime may
// change.
import { callForeign, ConfigObject } from "@headgate/sdk-assemblyscript";

const ALL: u32 = 1_000_000;

export class Fraction {
  private readonly question: Uint8Array;

  constructor(
    private readonly ppm: u32,
    private readonly key: string,
  ) {
    const name = Uint8Array.wrap(String.UTF8.encode(key));
    this.question = new Uint8Array(4 + name.length);
    store<u32>(this.question.dataStart, ppm);
    this.question.set(name, 4);
  }

  /** `config` null = not set: `fallbackPpm` holds. */
  static read(config: ConfigObject | null, fallbackPpm: u32): Fraction {
    if (config === null) return new Fraction(fallbackPpm, "");
    const value = config.object("default_value");
    const key = config.string("runtime_key");
    return new Fraction(value === null ? 0 : readPpm(value), key);
  }

  /** For one request. */
  isHit(): bool {
    if (this.key == "" && (this.ppm == 0 || this.ppm >= ALL)) return this.ppm != 0;
    const answer = callForeign("runtime_fraction", this.question);
    return answer !== null && answer.length == 1 && unchecked(answer[0]) == 1;
  }
}

function readPpm(config: ConfigObject): u32 {
  const numerator = u64(config.u32("numerator"));
  const denominator = config.string("denominator", "HUNDRED");
  if (denominator == "MILLION") return u32(min(numerator, ALL));
  const factor: u64 = denominator == "TEN_THOUSAND" ? 100 : 10_000;
  return u32(min(numerator * factor, ALL));
}

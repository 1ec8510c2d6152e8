// Values that all VMs of the same vm_id share, over all workers of the proxy, until the last of
// those VMs ends. Called by authors.
import { proxy_get_shared_data, proxy_set_shared_data, Status } from "./abi";
import { isOk, lastStatus, OUT, OUT_SIZE, resultBytes, resultLength, resultStart } from "./results";
import { decodeUtf8, encodedLength, encodeUtf8 } from "./utf8";

const OUT_CAS: usize = OUT + 8;
/** Another VM may change the value between our reading and writing: so often we begin anew. */
const ROUNDS_MAX: i32 = 10;
/** No entry ever has this number, so that setting with it works only where there is no entry. */
const ABSENT: u32 = 0xffffffff;

/** A shared value, copied, with the number by which a change by somebody else is noticed. */
export class SharedValue {
  constructor(
    readonly bytes: Uint8Array,
    readonly cas: u32,
  ) {}

  /** The bytes as UTF-8 text. */
  text(): string {
    return decodeUtf8(this.bytes.dataStart, this.bytes.length);
  }
}

/** Shared values by their keys. There is no way to remove one: set it to no bytes. */
export namespace shared {
  /** The value; null when there is none. */
  export function get(key: string): SharedValue | null {
    return find(key) ? new SharedValue(resultBytes(), load<u32>(OUT_CAS)) : null;
  }

  /**
   * Sets a value. `cas` 0 sets it in any case; another number, that of `get`, only when nobody has
   * set it since: else the answer is false and `lastStatus()` is `Status.CasMismatch`. In Envoy
   * a number also sets a key that does not exist.
   */
  export function set(key: string, value: Uint8Array, cas: u32 = 0): bool {
    return write(key, value.dataStart, value.length, cas);
  }

  /** As `set`, with UTF-8 text. */
  export function setText(key: string, value: string, cas: u32 = 0): bool {
    const start = encodeUtf8(value);
    return write(key, start, encodedLength(), cas);
  }

  /**
   * Changes a value without losing what another worker does at the same time: `change` gets `self`
   * and the bytes that are there, null for none, and gives the new ones, or null to leave it. It may
   * be called up to ten times. False when it gave null, or when others were always faster
   * (`lastStatus()` is then `Status.CasMismatch`).
   */
  export function update<T>(
    key: string,
    self: T,
    change: (self: T, before: Uint8Array | null) => Uint8Array | null,
  ): bool {
    let absentCas = ABSENT;
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const before = get(key);
      if (before === null && lastStatus() != Status.NotFound) return false;
      const after = change(self, before === null ? null : before.bytes);
      if (after === null) return false;
      if (set(key, after, before === null ? absentCas : before.cas)) return true;
      if (lastStatus() != Status.CasMismatch) return false;
      // Some hosts take only 0 for a key that does not exist.
      if (before === null) absentCas = 0;
    }
    return false;
  }
}

function find(key: string): bool {
  const start = encodeUtf8(key);
  return isOk(proxy_get_shared_data(start, encodedLength(), OUT, OUT_SIZE, OUT_CAS));
}

function write(key: string, value: usize, length: u32, cas: u32): bool {
  const start = encodeUtf8(key);
  return isOk(proxy_set_shared_data(start, encodedLength(), value, length, cas));
}

/** A whole number that all workers add to, eight bytes at a key. */
export class SharedCounter {
  /** What the last call of this object that worked has found or made. */
  value: i64 = 0;

  constructor(readonly key: string) {}

  /**
   * Adds `by` and keeps the sum in `value`; an absent key counts as 0. False when others were faster
   * ten times, or when the key holds something else than eight bytes.
   */
  add(by: i64 = 1): bool {
    let absentCas = ABSENT;
    for (let round = 0; round < ROUNDS_MAX; round++) {
      if (!this.read()) return false;
      const isAbsent = lastStatus() == Status.NotFound;
      const cas = isAbsent ? absentCas : load<u32>(OUT_CAS);
      const sum = this.value + by;
      store<i64>(OUT, sum);
      if (write(this.key, OUT, 8, cas)) {
        this.value = sum;
        return true;
      }
      if (lastStatus() != Status.CasMismatch) return false;
      if (isAbsent) absentCas = 0;
    }
    return false;
  }

  /** Reads it into `value`, 0 for an absent key; false as `add`. */
  read(): bool {
    this.value = 0;
    if (!find(this.key)) return lastStatus() == Status.NotFound;
    if (resultLength() != 8) return isOk(Status.SerializationFailure);
    this.value = load<i64>(resultStart());
    return true;
  }

  /** Sets it, whatever others do. */
  set(value: i64): bool {
    store<i64>(OUT, value);
    if (!write(this.key, OUT, 8, 0)) return false;
    this.value = value;
    return true;
  }
}

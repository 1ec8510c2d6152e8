// IP addresses and ranges of them. An IPv4 address that is mapped into IPv6 (::ffff:1.2.3.4) is that
// IPv4 address.
import { wholeNumber } from "../text";

let at: i32 = 0;
let text: string = "";

/** An address of either kind. */
@final
export class IpAddress {
  constructor(
    readonly isV4: bool,
    /** The upper half of an IPv6 address; 0 for IPv4. */
    readonly high: u64,
    /** The lower half, or the IPv4 address. */
    readonly low: u64,
  ) {}

  /** `10.1.2.3` or `2001:db8::1`, without zone; null when the text is not exactly one. */
  static parse(address: string): IpAddress | null {
    text = address;
    at = 0;
    const isV6 = address.includes(":");
    const parsed = isV6 ? readV6() : readV4();
    return at == address.length ? parsed : null;
  }

  /** Also with a port behind it, as `source.address` has it: `10.1.2.3:80`, `[2001:db8::1]:80`. */
  static parseWithPort(address: string): IpAddress | null {
    const bracket = address.indexOf("]");
    const colon = address.lastIndexOf(":");
    const isBracketed = address.charCodeAt(0) == 0x5b && bracket > 0;
    const hostEnd = isBracketed ? bracket + 1 : colon >= 0 && address.indexOf(":") == colon ? colon : -1;
    if (hostEnd < 0) return IpAddress.parse(address);
    const rest = address.substring(hostEnd);
    const hasPort = rest.length > 1 && rest.charCodeAt(0) == 0x3a;
    if (rest != "" && (!hasPort || <u32>wholeNumber(rest.substring(1)) > 65535)) return null;
    if (!isBracketed) return IpAddress.parse(address.substring(0, hostEnd));
    const inner = address.substring(1, bracket);
    return inner.includes(":") ? IpAddress.parse(inner) : null;
  }

  equals(other: IpAddress): bool {
    return this.isV4 == other.isV4 && this.high == other.high && this.low == other.low;
  }
}

/** All addresses that begin with the same bits. */
@final
export class Cidr {
  private constructor(
    private readonly isV4: bool,
    private readonly high: u64,
    private readonly low: u64,
    private readonly highMask: u64,
    private readonly lowMask: u64,
  ) {}

  /** `10.0.0.0/8`, `2001:db8::/32`, or one address; null for all else. Bits behind the prefix do not matter. */
  static parse(range: string): Cidr | null {
    const slash = range.indexOf("/");
    const host = slash < 0 ? range : range.substring(0, slash);
    const address = IpAddress.parse(host);
    if (address === null) return null;
    let bits = address.isV4 ? 32 : 128;
    if (slash >= 0) {
      const digits = range.substring(slash + 1);
      const length = digits.length < 4 ? wholeNumber(digits) : -1;
      // The prefix of a mapped address counts the bits of the form that it is written in.
      const isMapped = address.isV4 && host.includes(":");
      const wanted = isMapped ? length - 96 : length;
      if (length < 0 || wanted < 0 || wanted > bits) return null;
      bits = wanted;
    }
    const highMask = address.isV4 ? <u64>0 : ones(min(bits, 64));
    const lowMask = address.isV4 ? ones(bits) >> 32 : ones(max(bits - 64, 0));
    return new Cidr(address.isV4, address.high & highMask, address.low & lowMask, highMask, lowMask);
  }

  /** An address of the other kind is never in it. */
  contains(address: IpAddress): bool {
    return (
      address.isV4 == this.isV4 &&
      (address.high & this.highMask) == this.high &&
      (address.low & this.lowMask) == this.low
    );
  }

  /** The same of a text, perhaps with a port; false when it is no address. */
  containsText(address: string): bool {
    const parsed = IpAddress.parseWithPort(address);
    return parsed !== null && this.contains(parsed);
  }
}

/** So many ones, then zeros. */
function ones(bits: i32): u64 {
  return bits == 0 ? 0 : u64.MAX_VALUE << (64 - bits);
}

/** The four bytes of dotted decimal; 2^32 when that is not what stands here. */
function passDotted(): u64 {
  let value: u64 = 0;
  for (let i = 0; i < 4; i++) {
    if (i > 0 && !takeUnit(0x2e)) return 0x100000000;
    const start = at;
    let byte = 0;
    while (at < text.length && at - start < 4 && <u32>(text.charCodeAt(at) - 48) < 10) {
      byte = byte * 10 + text.charCodeAt(at) - 48;
      at++;
    }
    // A leading 0 would be octal to some.
    const isOctal = at - start > 1 && text.charCodeAt(start) == 0x30;
    if (at == start || byte > 255 || isOctal) return 0x100000000;
    value = (value << 8) | byte;
  }
  return value;
}

function takeUnit(unit: i32): bool {
  if (at >= text.length || text.charCodeAt(at) != unit) return false;
  at++;
  return true;
}

function readV4(): IpAddress | null {
  const value = passDotted();
  return value > 0xffffffff ? null : new IpAddress(true, 0, value);
}

/** Eight groups of which some may be left out at one place; the last two may be dotted. */
function readV6(): IpAddress | null {
  const groups = memory.data(16);
  memory.fill(groups, 0, 16);
  let count = 0;
  let gap = -1;
  if (takeUnit(0x3a)) {
    if (!takeUnit(0x3a)) return null;
    gap = 0;
  }
  while (count < 8 && at < text.length) {
    const start = at;
    const group = passGroup();
    if (group < 0) return null;
    if (at < text.length && text.charCodeAt(at) == 0x2e) {
      at = start;
      const dotted = count <= 6 ? passDotted() : <u64>0x100000000;
      if (dotted > 0xffffffff) return null;
      store<u16>(groups + (count << 1), <u16>(dotted >> 16));
      store<u16>(groups + (count << 1), <u16>dotted, 2);
      count += 2;
      break;
    }
    store<u16>(groups + (count << 1), <u16>group);
    count++;
    if (at == text.length) break;
    if (!takeUnit(0x3a)) return null;
    if (takeUnit(0x3a)) {
      if (gap >= 0) return null;
      gap = count;
    } else if (at == text.length) {
      return null;
    }
  }
  if (gap < 0 ? count != 8 : count > 7) return null;
  if (gap >= 0) spread(groups, gap, count);
  return addressOf(groups);
}

/** Up to four hexadecimal digits; -1 when there is none. */
function passGroup(): i32 {
  const start = at;
  let value = 0;
  while (at < text.length && at - start < 4) {
    const unit = text.charCodeAt(at);
    const letter = (unit | 0x20) - 97;
    if (<u32>(unit - 48) < 10) value = value * 16 + unit - 48;
    else if (<u32>letter < 6) value = value * 16 + letter + 10;
    else break;
    at++;
  }
  return at == start ? -1 : value;
}

/** Moves the groups behind the gap to the end. */
function spread(groups: usize, gap: i32, count: i32): void {
  const behind = <usize>(count - gap) << 1;
  const start = groups + (<usize>gap << 1);
  memory.copy(groups + 16 - behind, start, behind);
  memory.fill(start, 0, 16 - behind - (<usize>gap << 1));
}

function addressOf(groups: usize): IpAddress {
  let high: u64 = 0;
  let low: u64 = 0;
  for (let i: usize = 0; i < 8; i += 2) {
    high = (high << 16) | load<u16>(groups + i);
    low = (low << 16) | load<u16>(groups + i + 8);
  }
  const isMapped = high == 0 && low >> 32 == 0xffff;
  return new IpAddress(isMapped, high, isMapped ? low & 0xffffffff : low);
}

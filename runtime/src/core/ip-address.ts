// IP addresses and ranges of them as text and numbers: who stands in x-forwarded-for, who is
// internal, which filter chain matches. Off the usual path of requests without x-forwarded-for.

/** A range as configured: bits of the address beyond the prefix do not count. */
export interface CidrRange {
  readonly address: string;
  readonly prefixLength: number;
}

const GROUPS = 8;

/** The address in the form that inet_ntop writes ("2001:db8::1"); "" when the text is none. */
export function canonicalIp(text: string): string {
  if (text.indexOf(":") < 0) return parseIpv4(text) < 0 ? "" : text;
  const groups = parseIpv6(text);
  return groups === null ? "" : ipv6Text(groups);
}

/** Value of a dotted IPv4 address without leading zeros; -1 when the text is none. */
export function parseIpv4(text: string): number {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return -1;
  let value = 0;
  for (let i = 1; i <= 4; i += 1) {
    const part = match[i] as string;
    const number = Number(part);
    if (number > 255 || (part.length > 1 && part.charCodeAt(0) === 0x30)) return -1;
    value = value * 256 + number;
  }
  return value;
}

/** The eight groups of an IPv6 address without brackets and zone; null when the text is none. */
export function parseIpv6(text: string): readonly number[] | null {
  const gap = text.indexOf("::");
  if (gap < 0) {
    const groups = parseGroups(text, true);
    return groups !== null && groups.length === GROUPS ? groups : null;
  }
  const head = parseGroups(text.slice(0, gap), false);
  const tail = parseGroups(text.slice(gap + 2), true);
  if (head === null || tail === null) return null;
  const missing = GROUPS - head.length - tail.length;
  if (missing < 1) return null;
  return head.concat(
    Array.from({ length: missing }, () => 0),
    tail,
  );
}

/** Colon-separated groups; the last may be a dotted IPv4 address when `isLast`. */
function parseGroups(text: string, isLast: boolean): number[] | null {
  const groups: number[] = [];
  if (text === "") return groups;
  const parts = text.split(":");
  for (let i = 0; i < parts.length; i += 1) {
    const part = parts[i] as string;
    if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      groups.push(Number.parseInt(part, 16));
      continue;
    }
    const ipv4 = isLast && i === parts.length - 1 ? parseIpv4(part) : -1;
    if (ipv4 < 0) return null;
    groups.push(Math.floor(ipv4 / 0x10000), ipv4 % 0x10000);
  }
  return groups;
}

/** Lower-case hex, the longest run of two or more zero groups as "::", mapped IPv4 dotted. */
function ipv6Text(groups: readonly number[]): string {
  let runStart = -1;
  let runLength = 1;
  for (let i = 0; i < GROUPS; i += 1) {
    let length = 0;
    while (groups[i + length] === 0) length += 1;
    if (length > runLength) {
      runStart = i;
      runLength = length;
    }
  }
  const isMapped = runStart === 0 && runLength === 5 && groups[5] === 0xffff;
  const isCompatible = runStart === 0 && runLength === 6;
  if (isMapped || isCompatible) {
    return `::${isMapped ? "ffff:" : ""}${dotted(groups[6] as number, groups[7] as number)}`;
  }
  const hex = groups.map((group) => group.toString(16));
  if (runStart < 0) return hex.join(":");
  return `${hex.slice(0, runStart).join(":")}::${hex.slice(runStart + runLength).join(":")}`;
}

function dotted(high: number, low: number): string {
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}

/** Ranges of internal addresses, compiled once. IPv4 ranges hold no mapped IPv6 addresses. */
export class CidrList {
  readonly #ipv4: readonly { readonly start: number; readonly end: number }[];
  readonly #ipv6: readonly { readonly groups: readonly number[]; readonly bits: number }[];

  /** Configuration has refused ranges whose address is none; they are left out. */
  constructor(ranges: readonly CidrRange[]) {
    const ipv4: { start: number; end: number }[] = [];
    const ipv6: { groups: readonly number[]; bits: number }[] = [];
    for (const range of ranges) {
      const value = parseIpv4(range.address);
      const groups = value < 0 ? parseIpv6(range.address) : null;
      if (value >= 0) {
        const size = 2 ** (32 - Math.min(range.prefixLength, 32));
        const start = Math.floor(value / size) * size;
        ipv4.push({ start, end: start + size });
      } else if (groups !== null) ipv6.push({ groups, bits: Math.min(range.prefixLength, 128) });
    }
    this.#ipv4 = ipv4;
    this.#ipv6 = ipv6;
  }

  contains(ip: string): boolean {
    if (ip.indexOf(":") < 0) {
      if (this.#ipv4.length === 0) return false;
      const value = parseIpv4(ip);
      return this.#ipv4.some((range) => value >= range.start && value < range.end);
    }
    if (this.#ipv6.length === 0) return false;
    const groups = parseIpv6(ip);
    if (groups === null) return false;
    return this.#ipv6.some((range) => sharesPrefix(groups, range.groups, range.bits));
  }
}

/** The range with all bits beyond its prefix cleared, "10.0.0.0/8"; "" when its address is none. */
export function canonicalCidr(range: CidrRange): string {
  const value = parseIpv4(range.address);
  if (value >= 0) {
    const bits = Math.min(range.prefixLength, 32);
    const size = 2 ** (32 - bits);
    const start = Math.floor(value / size) * size;
    return `${dotted(Math.floor(start / 0x10000), start % 0x10000)}/${bits}`;
  }
  const groups = parseIpv6(range.address);
  if (groups === null) return "";
  const bits = Math.min(range.prefixLength, 128);
  const masked = groups.map((group, i) => {
    const spare = Math.min(Math.max((i + 1) * 16 - bits, 0), 16);
    return (group >> spare) << spare;
  });
  return `${ipv6Text(masked)}/${bits}`;
}

function sharesPrefix(a: readonly number[], b: readonly number[], bits: number): boolean {
  for (let i = 0, left = bits; left > 0; i += 1, left -= 16) {
    const shift = left >= 16 ? 0 : 16 - left;
    if ((a[i] as number) >> shift !== (b[i] as number) >> shift) return false;
  }
  return true;
}

/** False for the path of a unix socket and for a peer without a name. */
export function isIpText(address: string): boolean {
  const first = address.charCodeAt(0);
  return address !== "" && first !== 0x2f && first !== 0x40;
}

/** Exactly these two: Envoy names other addresses of 127.0.0.0/8 as they are. */
export function isLoopback(ip: string): boolean {
  return ip === "127.0.0.1" || ip === "::1";
}

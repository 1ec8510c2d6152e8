// Textual IP addresses as numbers: who is internal, who is on this machine. Called by
// trusted-address.ts.
import type { CidrConfig } from "../config/snapshot.ts";

/** Value of an IPv4 address, -1 when the text is none. */
export function parseIpv4(text: string): number {
  let value = 0;
  let parts = 0;
  let part = -1;
  for (let i = 0; i <= text.length; i += 1) {
    const code = i === text.length ? 0x2e : text.charCodeAt(i);
    if (code === 0x2e) {
      if (part < 0 || part > 255) return -1;
      value = value * 256 + part;
      parts += 1;
      part = -1;
    } else {
      const digit = code - 0x30;
      if (digit < 0 || digit > 9 || part > 255) return -1;
      // "01" is octal to some readers.
      if (part === 0) return -1;
      part = part < 0 ? digit : part * 10 + digit;
    }
  }
  return parts === 4 ? value : -1;
}

/** The eight groups of an IPv6 address without brackets or zone; null when the text is none. */
export function parseIpv6(text: string): readonly number[] | null {
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const head = parseGroups(halves[0] ?? "");
  const tail = halves.length === 2 ? parseGroups(halves[1] ?? "") : [];
  if (head === null || tail === null) return null;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return null;
  return [...head, ...Array.from({ length: missing }, () => 0), ...tail];
}

function parseGroups(text: string): number[] | null {
  if (text === "") return [];
  const groups: number[] = [];
  const parts = text.split(":");
  for (let i = 0; i < parts.length; i += 1) {
    const part = parts[i] ?? "";
    if (part.includes(".") && i === parts.length - 1) {
      const ipv4 = parseIpv4(part);
      if (ipv4 < 0) return null;
      groups.push(Math.floor(ipv4 / 65536), ipv4 % 65536);
    } else {
      if (!/^[0-9a-f]{1,4}$/i.test(part)) return null;
      groups.push(Number.parseInt(part, 16));
    }
  }
  return groups;
}

/** True for IPv4 and IPv6 addresses without port. */
export function isIpAddress(text: string): boolean {
  return parseIpv4(text) >= 0 || (text.includes(":") && parseIpv6(text) !== null);
}

/** 127.0.0.0/8 and ::1. */
export function isLoopback(ip: string): boolean {
  return ip.startsWith("127.") || ip === "::1";
}

/** A list of ranges, compiled once. */
export class CidrList {
  readonly #ipv4: readonly { readonly start: number; readonly end: number }[];
  readonly #ipv6: readonly { readonly groups: readonly number[]; readonly bits: number }[];

  /** Ranges whose address is none are left out: configuration has refused them. */
  constructor(ranges: readonly CidrConfig[]) {
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
    const value = parseIpv4(ip);
    if (value >= 0) {
      for (const range of this.#ipv4) if (value >= range.start && value < range.end) return true;
      return false;
    }
    if (this.#ipv6.length === 0) return false;
    const groups = parseIpv6(ip);
    if (groups === null) return false;
    for (const range of this.#ipv6) if (sharesPrefix(groups, range.groups, range.bits)) return true;
    return false;
  }
}

function sharesPrefix(a: readonly number[], b: readonly number[], bits: number): boolean {
  for (let i = 0, left = bits; i < 8 && left > 0; i += 1, left -= 16) {
    const shift = left >= 16 ? 0 : 16 - left;
    if ((a[i] as number) >> shift !== (b[i] as number) >> shift) return false;
  }
  return true;
}

// Tells IP addresses from other text, as inet_pton does: the room may not import node:net.

const DECIMAL_BYTE = /^(?:0|[1-9]\d?|1\d\d|2[0-4]\d|25[0-5])$/;
const HEX_GROUP = /^[0-9a-fA-F]{1,4}$/;
const GROUPS = 8;

/** 4, 6, or 0 when the text is no IP address. IPv6 may name a zone: `fe80::1%eth0`. */
export function ipVersion(text: string): 0 | 4 | 6 {
  if (isV4(text)) return 4;
  return isV6(text) ? 6 : 0;
}

function isV4(text: string): boolean {
  const bytes = text.split(".");
  return bytes.length === 4 && bytes.every((byte) => DECIMAL_BYTE.test(byte));
}

function isV6(text: string): boolean {
  const [address = "", zone, ...rest] = text.split("%");
  if (zone === "" || rest.length > 0) return false;
  const halves = address.split("::");
  if (halves.length > 2) return false;
  const [head = "", tail] = halves;
  const count = countGroups(head, tail === undefined) + countGroups(tail ?? "", true);
  return tail === undefined ? count === GROUPS : count < GROUPS;
}

/** How many groups of 16 bits; more than there can be when one of them is none. */
function countGroups(text: string, mayEndInV4: boolean): number {
  if (text === "") return 0;
  const groups = text.split(":");
  const last = groups.at(-1) ?? "";
  const endsInV4 = mayEndInV4 && isV4(last);
  if (endsInV4) groups.pop();
  if (!groups.every((group) => HEX_GROUP.test(group))) return Number.POSITIVE_INFINITY;
  return groups.length + (endsInV4 ? 2 : 0);
}

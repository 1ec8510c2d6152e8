// Which Referer values go further: absolute URLs with a host and without fragment and userinfo, and
// relative references. Called by request-sanitizer.ts; the rule is what Envoy 1.40 answered.
import { parseIpv6 } from "../core/ip-address.ts";

/** Groups: the address of an IPv6 literal, the port. An empty userinfo is none. */
const absolute: RegExp = new RegExp(
  "^[A-Za-z][A-Za-z0-9+.-]*://@?" +
    "(?:[A-Za-z0-9.-]+|\\[([0-9A-Fa-f:.]+)(?:%(?:\\d+|[A-Za-z]\\w*))?\\])" +
    '(?::(\\d+))?(?:[/?][!"$-~]*)?$',
);
/** RFC 3986, 4.2: no colon before the first slash, no fragment. */
const relative = /^[\w\-.~!$&'()*+,;=@%?]*(?:\/[\w\-.~!$&'()*+,;=@%?:/]*)?$/;

const PORT_MAX = 65535;

export function isValidReferer(value: string): boolean {
  const match = absolute.exec(value);
  if (match === null) return relative.test(value);
  const ipv6 = match[1];
  if (ipv6 !== undefined && parseIpv6(ipv6) === null) return false;
  return match[2] === undefined || Number(match[2]) <= PORT_MAX;
}

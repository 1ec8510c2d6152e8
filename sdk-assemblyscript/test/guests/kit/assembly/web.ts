// URLs, queries, cookies, dates and addresses, behind exports.
import { Cidr, IpAddress } from "@headgate/sdk-assemblyscript/kit/cidr";
import { Cookies, cookieValue, SetCookie } from "@headgate/sdk-assemblyscript/kit/cookies";
import { httpDate, NO_DATE, parseHttpDate } from "@headgate/sdk-assemblyscript/kit/http-date";
import { Query } from "@headgate/sdk-assemblyscript/kit/query";
import { Url } from "@headgate/sdk-assemblyscript/kit/url";
import { giveBool, giveText, numberOf, textOf } from "./exchange";

function orNone(text: string | null): string {
  return text === null ? "-" : text;
}

/** Every pair and the whole again, a line each. */
export function query_again(): usize {
  const query = Query.parse(textOf(0));
  let all = "";
  for (let i = 0; i < query.length; i++) {
    all += orNone(query.nameAt(i)) + "\n" + orNone(query.valueAt(i)) + "\n";
  }
  return giveText(all + query.toString());
}

/** What `text` is after set, append and remove, and what reading gave before. */
export function query_change(): usize {
  const query = Query.parse(textOf(0));
  const name = textOf(1);
  const before = orNone(query.get(name)) + "|" + query.getAll(name).join(",");
  const had = query.has(name);
  query.append(name, "z");
  query.set(name, textOf(2));
  const set = query.toString();
  query.remove(name);
  const outside = query.nameAt(-1) === null && query.valueAt(query.length) === null;
  return giveText([before, had.toString(), set, query.toString(), outside.toString()].join("\n"));
}

function giveUrl(url: Url | null): usize {
  if (url === null) return giveText(null);
  const all: string[] = [
    url.scheme,
    orNone(url.userInfo),
    url.host,
    url.port.toString(),
    url.path,
    orNone(url.query),
    orNone(url.fragment),
    url.normalizedPath(),
    url.target(),
    url.authority(),
    url.toString(),
  ];
  return giveText(all.join("\n"));
}

export function url_parse(): usize {
  return giveUrl(Url.parse(textOf(0)));
}

export function url_target(): usize {
  return giveUrl(Url.parseTarget(textOf(0)));
}

export function cookie_pairs(): usize {
  const cookies = Cookies.parse(textOf(0));
  let all = "";
  for (let i = 0; i < cookies.length; i++) {
    all += orNone(cookies.nameAt(i)) + "\n" + orNone(cookies.valueAt(i)) + "\n";
  }
  return giveText(all + orNone(cookies.nameAt(cookies.length)) + orNone(cookies.valueAt(-1)));
}

export function cookie_value(): usize {
  return giveText(cookieValue(textOf(0), textOf(1)));
}

export function set_cookie_parse(): usize {
  const cookie = SetCookie.parse(textOf(0));
  if (cookie === null) return giveText(null);
  const all: string[] = [
    cookie.name,
    cookie.value,
    cookie.domain,
    cookie.path,
    cookie.expires,
    cookie.maxAge.toString(),
    cookie.isSecure.toString(),
    cookie.isHttpOnly.toString(),
    cookie.sameSite,
    orNone(cookie.header()),
  ];
  return giveText(all.join("\n"));
}

/** Name, value, domain, path, expires, sameSite. */
export function set_cookie_write(): usize {
  const cookie = new SetCookie(textOf(0), textOf(1));
  cookie.domain = textOf(2);
  cookie.path = textOf(3);
  cookie.expires = textOf(4);
  cookie.sameSite = textOf(5);
  const header = cookie.header();
  return giveText(header === null && cookie.toString() != "" ? "?" : header);
}

export function date_write(): usize {
  return giveText(httpDate(numberOf(0)));
}

export function date_parse(): usize {
  const moment = parseHttpDate(textOf(0));
  return giveText(moment == NO_DATE ? null : moment.toString());
}

/** Null when one of both is not valid. */
export function cidr_contains(): usize {
  const range = Cidr.parse(textOf(0));
  const address = IpAddress.parse(textOf(1));
  if (range === null || address === null) return giveText(null);
  if (range.contains(address) != range.containsText(textOf(1))) return giveText("?");
  return giveBool(range.contains(address));
}

/** The address as numbers. */
export function ip_parse(withPort: bool): usize {
  const address = withPort ? IpAddress.parseWithPort(textOf(0)) : IpAddress.parse(textOf(0));
  if (address === null) return giveText(null);
  const isSame = address.equals(IpAddress.parse("10.0.0.1")!);
  const parts: string[] = [
    address.isV4.toString(),
    address.high.toString(),
    address.low.toString(),
    isSame.toString(),
  ];
  return giveText(parts.join(" "));
}

export function cidr_is_range(): usize {
  return giveBool(Cidr.parse(textOf(0)) !== null);
}

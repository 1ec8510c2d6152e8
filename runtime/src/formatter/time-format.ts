// strftime as access logs use it: %START_TIME(%Y-%m-%dT%H:%M:%S.%3fZ)% and its kin. Times are UTC or local.

const MONTHS = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
];
const months: readonly string[] = [...MONTHS, "October", "November", "December"];
const days: readonly string[] = [
  "Sunday",
  "Monday",
  "Tuesday",
  "Wednesday",
  "Thursday",
  "Friday",
  "Saturday",
];

/** A compiled time format: epoch milliseconds (with a fraction) to text. */
export type TimeFormatter = (epochMs: number) => string;

type Part = (date: Date, epochMs: number) => string;

/** Parts of a date in UTC or local time, so that one table of specifiers serves both. */
interface Zone {
  year(d: Date): number;
  month(d: Date): number;
  day(d: Date): number;
  weekday(d: Date): number;
  hour(d: Date): number;
  minute(d: Date): number;
  second(d: Date): number;
  offsetMinutes(d: Date): number;
}

const utc: Zone = {
  year: (d) => d.getUTCFullYear(),
  month: (d) => d.getUTCMonth(),
  day: (d) => d.getUTCDate(),
  weekday: (d) => d.getUTCDay(),
  hour: (d) => d.getUTCHours(),
  minute: (d) => d.getUTCMinutes(),
  second: (d) => d.getUTCSeconds(),
  offsetMinutes: () => 0,
};

const local: Zone = {
  year: (d) => d.getFullYear(),
  month: (d) => d.getMonth(),
  day: (d) => d.getDate(),
  weekday: (d) => d.getDay(),
  hour: (d) => d.getHours(),
  minute: (d) => d.getMinutes(),
  second: (d) => d.getSeconds(),
  offsetMinutes: (d) => -d.getTimezoneOffset(),
};

/** "2026-11-21T10:00:00.000Z", Envoy's default for %START_TIME%. One ISO text per second. */
export function isoTime(): TimeFormatter {
  let second = -1;
  let text = "";
  return (epochMs) => {
    const whole = Math.floor(epochMs);
    const at = Math.floor(whole / 1000);
    if (at !== second) {
      second = at;
      text = new Date(at * 1000).toISOString().slice(0, 20);
    }
    return `${text}${String(whole - at * 1000).padStart(3, "0")}Z`;
  };
}

/**
 * Compiles a format, or says what is wrong. Besides strftime's specifiers: %s (epoch seconds),
 * %f (9 digits of a second), %1f..%9f (so many digits).
 */
export function compileTimeFormat(format: string, inLocalTime: boolean): TimeFormatter | string {
  const zone = inLocalTime ? local : utc;
  const parts: Part[] = [];
  for (let i = 0; i < format.length; i += 1) {
    const char = format[i] as string;
    if (char !== "%") {
      parts.push(() => char);
      continue;
    }
    let spec = format[i + 1];
    let width = 0;
    if (spec !== undefined && spec >= "1" && spec <= "9" && format[i + 2] === "f") {
      width = Number(spec);
      spec = "f";
      i += 1;
    }
    if (spec === undefined) return "time format ends with %";
    const part = partOf(spec, width, zone);
    if (part === null) return `time format has an unknown specifier %${spec}`;
    parts.push(part);
    i += 1;
  }
  return (epochMs) => {
    const date = new Date(epochMs);
    let out = "";
    for (const part of parts) out += part(date, epochMs);
    return out;
  };
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}

function partOf(spec: string, width: number, z: Zone): Part | null {
  const join = (format: string): Part => {
    const inner = [...format.matchAll(/%(.)|([^%])/g)].map((m) =>
      m[1] === undefined ? (): string => m[2] as string : (partOf(m[1], 0, z) as Part),
    );
    return (d, ms) => inner.map((part) => part(d, ms)).join("");
  };
  const simple: Readonly<Record<string, Part>> = {
    Y: (d) => String(z.year(d)),
    C: (d) => two(Math.floor(z.year(d) / 100)),
    y: (d) => two(z.year(d) % 100),
    m: (d) => two(z.month(d) + 1),
    d: (d) => two(z.day(d)),
    e: (d) => String(z.day(d)).padStart(2, " "),
    H: (d) => two(z.hour(d)),
    I: (d) => two(((z.hour(d) + 11) % 12) + 1),
    M: (d) => two(z.minute(d)),
    S: (d) => two(z.second(d)),
    p: (d) => (z.hour(d) < 12 ? "AM" : "PM"),
    a: (d) => (days[z.weekday(d)] as string).slice(0, 3),
    A: (d) => days[z.weekday(d)] as string,
    b: (d) => (months[z.month(d)] as string).slice(0, 3),
    h: (d) => (months[z.month(d)] as string).slice(0, 3),
    B: (d) => months[z.month(d)] as string,
    u: (d) => String(z.weekday(d) === 0 ? 7 : z.weekday(d)),
    w: (d) => String(z.weekday(d)),
    j: (d) => dayOfYear(d, z),
    z: (d) => offset(z.offsetMinutes(d)),
    Z: (d) => (z === utc ? "UTC" : offset(z.offsetMinutes(d))),
    s: (_d, ms) => String(Math.floor(ms / 1000)),
    f: (_d, ms) => fraction(ms, width),
    n: () => "\n",
    t: () => "\t",
    "%": () => "%",
  };
  const composite: Readonly<Record<string, string>> = {
    T: "%H:%M:%S",
    R: "%H:%M",
    F: "%Y-%m-%d",
    D: "%m/%d/%y",
    r: "%I:%M:%S %p",
    c: "%a %b %e %H:%M:%S %Y",
    x: "%m/%d/%y",
    X: "%H:%M:%S",
  };
  const format = composite[spec];
  if (format !== undefined) return join(format);
  return simple[spec] ?? null;
}

/** The first `width` digits of the second's fraction; 9 when no width was given. */
function fraction(epochMs: number, width: number): string {
  const nanos = Math.floor((epochMs - Math.floor(epochMs / 1000) * 1000) * 1e6);
  const digits = String(nanos).padStart(9, "0");
  return digits.slice(0, width === 0 ? 9 : width);
}

function dayOfYear(date: Date, z: Zone): string {
  const start = Date.UTC(z.year(date), 0, 1);
  const today = Date.UTC(z.year(date), z.month(date), z.day(date));
  return String(Math.round((today - start) / 86_400_000) + 1).padStart(3, "0");
}

function offset(minutes: number): string {
  const sign = minutes < 0 ? "-" : "+";
  const absolute = Math.abs(minutes);
  return `${sign}${two(Math.floor(absolute / 60))}${two(absolute % 60)}`;
}

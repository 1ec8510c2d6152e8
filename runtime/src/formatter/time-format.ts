// Time formats as access logs have them: %START_TIME(%Y-%m-%dT%H:%M:%S.%3fZ)% and its kin.
// Specifiers of strftime, of absl (%E3S) and Envoy's own (%s, %f, %3f). Used by operators and the
// process log.

const months: readonly string[] = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];
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

/** A moment in the zone of the format: `date`'s UTC fields are the zone's. */
interface Moment {
  readonly date: Date;
  readonly epochMs: number;
  readonly offsetMinutes: number;
}

type Part = (moment: Moment) => string;

/** "2026-11-21T10:00:00.000Z", Envoy's default for %START_TIME%. One ISO text per second. */
export function isoTime(): TimeFormatter {
  let second = -1;
  let ofSecond = "";
  let millisecond = -1;
  let text = "";
  return (epochMs) => {
    const whole = Math.floor(epochMs);
    // Many streams of a busy worker begin in one.
    if (whole === millisecond) return text;
    millisecond = whole;
    const at = Math.floor(whole / 1000);
    if (at !== second) {
      second = at;
      ofSecond = new Date(at * 1000).toISOString().slice(0, 20);
    }
    text = `${ofSecond}${String(whole - at * 1000).padStart(3, "0")}Z`;
    return text;
  };
}

// What a percent may stand before: a flag with a letter, absl's %E forms, so many digits of a
// second.
const SPECIFIER =
  /%(?:([-_0^#])([A-Za-eg-rt-z])|E(\d\d?|\*)([Sf])|(E4Y|Ez|E\*z|ET|:z)|[EO]?([A-Za-z%])|([1-9])f)/y;

/** Compiles a format; as in Envoy, what is no specifier stands for itself. */
export function compileTimeFormat(format: string, inLocalTime: boolean): TimeFormatter {
  const parts: (string | Part)[] = [];
  for (let at = 0; at < format.length; ) {
    const percent = format.indexOf("%", at);
    if (percent < 0) {
      parts.push(format.slice(at));
      break;
    }
    if (percent > at) parts.push(format.slice(at, percent));
    SPECIFIER.lastIndex = percent;
    const match = SPECIFIER.exec(format);
    const length = match === null ? 1 : match[0].length;
    const part = match === null ? null : partOf(match, inLocalTime);
    parts.push(part ?? format.slice(percent, percent + length));
    at = percent + length;
  }
  return (epochMs) => {
    const moment = momentOf(epochMs, inLocalTime);
    let out = "";
    for (const part of parts) out += typeof part === "string" ? part : part(moment);
    return out;
  };
}

function momentOf(epochMs: number, inLocalTime: boolean): Moment {
  const date = new Date(epochMs);
  if (!inLocalTime) return { date, epochMs, offsetMinutes: 0 };
  const offsetMinutes = -date.getTimezoneOffset();
  return { date: new Date(epochMs + offsetMinutes * 60_000), epochMs, offsetMinutes };
}

function partOf(match: RegExpExecArray, inLocalTime: boolean): Part | null {
  const [, flag, flagged, digits, digitsOf, special, letter, fractionDigits] = match;
  if (fractionDigits !== undefined) return (m) => fraction(m).slice(0, Number(fractionDigits));
  if (digits !== undefined) return subsecondPart(digits, digitsOf === "S");
  if (special !== undefined) return specials[special] ?? null;
  const part = letterPart(flagged ?? letter ?? "", inLocalTime);
  if (part === null || flag === undefined) return part;
  return (m) => withFlag(part(m), flag);
}

/** glibc's flags: no padding, padding by spaces or zeros, upper case. */
function withFlag(text: string, flag: string): string {
  if (flag === "-") return text.replace(/^[0 ]+(?=.)/, "");
  if (flag === "_") return text.replace(/^0+(?=.)/, (zeros) => " ".repeat(zeros.length));
  return flag === "0"
    ? text.replace(/^ +/, (spaces) => "0".repeat(spaces.length))
    : text.toUpperCase();
}

/** %E3S "05.123", %E*S "05.123456" without trailing zeros, %E3f "123". */
function subsecondPart(digits: string, withSecond: boolean): Part {
  return (m) => {
    const text =
      digits === "*"
        ? fraction(m).replace(/0+$/, "")
        : fraction(m).padEnd(15, "0").slice(0, Number(digits));
    if (!withSecond) return text === "" ? "0" : text;
    const second = two(m.date.getUTCSeconds());
    return text === "" ? second : `${second}.${text}`;
  };
}

const specials: Readonly<Record<string, Part>> = {
  E4Y: (m) => String(m.date.getUTCFullYear()).padStart(4, "0"),
  Ez: (m) => offset(m.offsetMinutes, ":"),
  ":z": (m) => offset(m.offsetMinutes, ":"),
  "E*z": (m) => `${offset(m.offsetMinutes, ":")}:00`,
  ET: () => "T",
};

const letters: Readonly<Record<string, Part>> = {
  Y: (m) => String(m.date.getUTCFullYear()),
  C: (m) => two(Math.floor(m.date.getUTCFullYear() / 100)),
  y: (m) => two(m.date.getUTCFullYear() % 100),
  m: (m) => two(m.date.getUTCMonth() + 1),
  d: (m) => two(m.date.getUTCDate()),
  e: (m) => spaced(m.date.getUTCDate()),
  H: (m) => two(m.date.getUTCHours()),
  k: (m) => spaced(m.date.getUTCHours()),
  I: (m) => two(hour12(m)),
  l: (m) => spaced(hour12(m)),
  M: (m) => two(m.date.getUTCMinutes()),
  S: (m) => two(m.date.getUTCSeconds()),
  p: (m) => (m.date.getUTCHours() < 12 ? "AM" : "PM"),
  P: (m) => (m.date.getUTCHours() < 12 ? "am" : "pm"),
  a: (m) => (days[m.date.getUTCDay()] as string).slice(0, 3),
  A: (m) => days[m.date.getUTCDay()] as string,
  b: (m) => (months[m.date.getUTCMonth()] as string).slice(0, 3),
  h: (m) => (months[m.date.getUTCMonth()] as string).slice(0, 3),
  B: (m) => months[m.date.getUTCMonth()] as string,
  u: (m) => String(m.date.getUTCDay() === 0 ? 7 : m.date.getUTCDay()),
  w: (m) => String(m.date.getUTCDay()),
  j: (m) => String(dayOfYear(m.date) + 1).padStart(3, "0"),
  U: (m) => two(Math.floor((dayOfYear(m.date) + 7 - m.date.getUTCDay()) / 7)),
  W: (m) => two(Math.floor((dayOfYear(m.date) + 7 - ((m.date.getUTCDay() + 6) % 7)) / 7)),
  V: (m) => two(isoWeek(m.date).week),
  G: (m) => String(isoWeek(m.date).year),
  g: (m) => two(isoWeek(m.date).year % 100),
  z: (m) => offset(m.offsetMinutes, ""),
  s: (m) => String(Math.floor(m.epochMs / 1000)),
  f: (m) => fraction(m),
  n: () => "\n",
  t: () => "\t",
  "%": () => "%",
};

const composites: Readonly<Record<string, string>> = {
  T: "%H:%M:%S",
  R: "%H:%M",
  F: "%Y-%m-%d",
  D: "%m/%d/%y",
  r: "%I:%M:%S %p",
  c: "%a %b %e %H:%M:%S %Y",
  x: "%m/%d/%y",
  X: "%H:%M:%S",
};

function letterPart(letter: string, inLocalTime: boolean): Part | null {
  if (letter === "Z") return inLocalTime ? zoneName : (): string => "UTC";
  const composite = composites[letter];
  if (composite === undefined) return letters[letter] ?? null;
  const inner = [...composite.matchAll(/%(.)|([^%])/g)].map((match): Part => {
    const [, specifier, char = ""] = match;
    return specifier === undefined ? () => char : (letters[specifier] as Part);
  });
  return (m) => inner.map((part) => part(m)).join("");
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}

function spaced(value: number): string {
  return String(value).padStart(2, " ");
}

function hour12(m: Moment): number {
  return ((m.date.getUTCHours() + 11) % 12) + 1;
}

/** Nine digits: the clock knows microseconds. */
function fraction(m: Moment): string {
  const micros = Math.floor((m.epochMs - Math.floor(m.epochMs / 1000) * 1000) * 1000 + 0.01);
  return `${String(micros).padStart(6, "0")}000`;
}

/** From 0. */
function dayOfYear(date: Date): number {
  const today = Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate());
  return Math.round((today - Date.UTC(date.getUTCFullYear(), 0, 1)) / 86_400_000);
}

/** ISO 8601: weeks start on Monday; week 1 has the year's first Thursday. */
function isoWeek(date: Date): { year: number; week: number } {
  const thursday = new Date(date);
  thursday.setUTCDate(date.getUTCDate() + 3 - ((date.getUTCDay() + 6) % 7));
  return { year: thursday.getUTCFullYear(), week: Math.floor(dayOfYear(thursday) / 7) + 1 };
}

function offset(minutes: number, separator: string): string {
  const sign = minutes < 0 ? "-" : "+";
  const absolute = Math.abs(minutes);
  return `${sign}${two(Math.floor(absolute / 60))}${separator}${two(absolute % 60)}`;
}

/** "EST"; zones without a known short name are "GMT+1" here and "CET" in Envoy. */
function zoneName(m: Moment): string {
  const text = new Date(m.epochMs).toLocaleTimeString("en-US", { timeZoneName: "short" });
  return text.slice(text.lastIndexOf(" ") + 1);
}

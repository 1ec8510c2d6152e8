// Dates as HTTP writes them (RFC 9110, 5.6.7), in milliseconds since 1970.
import { decimal } from "../text";

/** What `parseHttpDate` gives for what is no date. */
export const NO_DATE: i64 = i64.MIN_VALUE;

const DAY_MS: i64 = 86400000;
/** From year 0 to 1970. */
const DAYS_TO_1970: i64 = 719528;
// @ts-ignore: decorator
@lazy
const DAYS: string = "SunMonTueWedThuFriSat";
// @ts-ignore: decorator
@lazy
const MONTHS: string = "JanFebMarAprMayJunJulAugSepOctNovDec";

let text: string = "";
let at: i32 = 0;

/** `Sun, 06 Nov 1994 08:49:37 GMT`; "" for what is not in the years 0 to 9999. */
export function httpDate(milliseconds: i64): string {
  const days = floorDivide(milliseconds, DAY_MS);
  const seconds = <i32>((milliseconds - days * DAY_MS) / 1000);
  let rest = days + DAYS_TO_1970;
  if (rest < 0 || rest >= daysBefore(10000)) return "";
  // Never too small, and too large by one at most.
  let year = <i32>(rest * 400 / 146097) + 1;
  while (daysBefore(year) > rest) year--;
  rest -= daysBefore(year);
  let month = 0;
  while (rest >= daysOf(year, month)) rest -= daysOf(year, month++);
  const day = <i32>((days + 4) % 7 + 7) % 7;
  const date = DAYS.substring(day * 3, day * 3 + 3) + ", " + two(<i32>rest + 1) + " ";
  const padded = year < 10 ? "000" : year < 100 ? "00" : year < 1000 ? "0" : "";
  const years = MONTHS.substring(month * 3, month * 3 + 3) + " " + padded + decimal(year) + " ";
  const time = two(seconds / 3600) + ":" + two((seconds / 60) % 60) + ":" + two(seconds % 60);
  return date + years + time + " GMT";
}

/**
 * The moment that a date names, also one in the two forms that nobody should write any more:
 * `Sunday, 06-Nov-94 08:49:37 GMT` (years from 70 on are of the 20th century) and
 * `Sun Nov  6 08:49:37 1994`. NO_DATE for all else. The day of the week is not held against it.
 */
export function parseHttpDate(date: string): i64 {
  text = date;
  at = 0;
  if (!passDay()) return NO_DATE;
  if (take(" ")) return readAsctime();
  const isOld = take("day") || take("sday") || take("nesday") || take("rsday") || take("urday");
  if (!take(", ")) return NO_DATE;
  const day = number(2);
  const separator = isOld ? "-" : " ";
  if (!take(separator)) return NO_DATE;
  const month = passMonth();
  if (!take(separator)) return NO_DATE;
  let year = number(isOld ? 2 : 4);
  if (isOld) year += year < 70 ? 2000 : 1900;
  if (!take(" ")) return NO_DATE;
  const time = passTime();
  return take(" GMT") ? assemble(year, month, day, time) : NO_DATE;
}

function readAsctime(): i64 {
  const month = passMonth();
  if (!take(" ")) return NO_DATE;
  const day = take(" ") ? number(1) : number(2);
  if (!take(" ")) return NO_DATE;
  const time = passTime();
  return take(" ") ? assemble(number(4), month, day, time) : NO_DATE;
}

/** NO_DATE when a part is missing, out of range, or something follows. */
function assemble(year: i32, month: i32, day: i32, time: i32): i64 {
  if (at != text.length || year < 0 || month < 0 || time < 0) return NO_DATE;
  if (day < 1 || day > daysOf(year, month)) return NO_DATE;
  let days = daysBefore(year) - DAYS_TO_1970 + day - 1;
  for (let i = 0; i < month; i++) days += daysOf(year, i);
  return days * DAY_MS + <i64>time * 1000;
}

function take(expected: string): bool {
  if (text.substr(at, expected.length) != expected) return false;
  at += expected.length;
  return true;
}

/** Passes so many digits; far below 0 when there are not as many. */
function number(digits: i32): i32 {
  let value = 0;
  for (let i = 0; i < digits; i++) {
    const digit = at < text.length ? text.charCodeAt(at) - 48 : -1;
    if (<u32>digit > 9) return -100000;
    value = value * 10 + digit;
    at++;
  }
  return value;
}

function passDay(): bool {
  const place = DAYS.indexOf(text.substr(0, 3));
  at = 3;
  return text.length > 3 && place >= 0 && place % 3 == 0;
}

/** 0 to 11; -1 when there is none. */
function passMonth(): i32 {
  if (at + 3 > text.length) return -1;
  const place = MONTHS.indexOf(text.substr(at, 3));
  at += 3;
  return place >= 0 && place % 3 == 0 ? place / 3 : -1;
}

/** Seconds of the day, of which a leap second is taken for the one before; -1 when it is none. */
function passTime(): i32 {
  const hours = number(2);
  if (!take(":")) return -1;
  const minutes = number(2);
  if (!take(":")) return -1;
  const seconds = number(2);
  if (<u32>hours > 23 || <u32>minutes > 59 || <u32>seconds > 60) return -1;
  return hours * 3600 + minutes * 60 + min(seconds, 59);
}

/** Days from year 0 to the beginning of this one. */
function daysBefore(year: i32): i64 {
  if (year == 0) return 0;
  const before = year - 1;
  return <i64>year * 365 + before / 4 - before / 100 + before / 400 + 1;
}

function daysOf(year: i32, month: i32): i32 {
  if (month == 1) return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 29 : 28;
  return month == 3 || month == 5 || month == 8 || month == 10 ? 30 : 31;
}

function floorDivide(value: i64, divisor: i64): i64 {
  const quotient = value / divisor;
  return quotient * divisor > value ? quotient - 1 : quotient;
}

function two(value: i32): string {
  return value < 10 ? "0" + decimal(value) : decimal(value);
}

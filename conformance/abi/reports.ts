// Reads what generated guests tell (report-code.ts) out of a host's log, whatever that looks like.
import { findHostcall, type Param, Status } from "proxy-wasm-types";
import {
  type Call,
  CALL_BYTES,
  type Guest,
  type GuestCallback,
  isOfWasi,
  outSize,
  rowOf,
  UNTOUCHED,
} from "./guest.ts";
import { REPORT_END, REPORT_MARK } from "./report-code.ts";

/** One callback, as one instance of a guest told it. */
export interface Report {
  readonly guest: Guest;
  /** Tells the instances of a module apart: one for each VM. */
  readonly instance: string;
  readonly callback: GuestCallback;
  readonly args: readonly number[];
  /** For each of the callback's calls. */
  readonly answers: readonly string[];
}

const statusNames: ReadonlyMap<number, string> = new Map(
  Object.entries(Status).map(([name, value]) => [value, name]),
);

/** A call that was never made. */
export const NOT_MADE = "(not made)";

/** The reports in a line of a log; [] when it has none of this guest. */
export function readReports(line: string, guest: Guest): readonly Report[] {
  const mark = `${REPORT_MARK}${guest.tag}:`;
  const from = line.indexOf(mark);
  if (from < 0) return [];
  const start = from + mark.length;
  const end = line.indexOf(REPORT_END, start);
  const [instance = "", ...records] = line.slice(start, end < 0 ? undefined : end).split("|");
  return records.map((record) => readRecord(instance, record, guest));
}

/** Whether a line of a log is a report of any guest. */
export function isReport(line: string): boolean {
  return line.includes(REPORT_MARK);
}

function readRecord(instance: string, record: string, guest: Guest): Report {
  const [head = "", ...calls] = record.split(";");
  const numbers = Buffer.from(head, "hex");
  const callback = guest.callbacks[numbers.readUInt32LE(0)] as GuestCallback;
  const args = Array.from({ length: callback.parameters }, (_, i) =>
    numbers.readUInt32LE(4 + 4 * i),
  );
  return {
    guest,
    instance,
    callback,
    args,
    answers: calls.map((text, i) => readAnswer(text, callback.calls[i] as Call)),
  };
}

/** What a call answered: a status and, when it is Ok, what it told. */
function readAnswer(text: string, one: Call): string {
  const [record = "", ...pointed] = text.split(",");
  const bytes = Buffer.from(record.padEnd(CALL_BYTES * 2, "e"), "hex");
  const status = bytes.readUInt32LE(0);
  if (status === 0xeeeeeeee) return NOT_MADE;
  const name = nameOf(one.name, status);
  if (one.isRaw) return name;
  const out = bytes.subarray(4);
  const told = toldOf(rowOf(one.name).params, out, pointed);
  if (status === Status.Ok) return told.length === 0 ? name : `${name} ${told.join(" ")}`;
  return out.every((byte) => byte === UNTOUCHED) ? name : `${name}, wrote ${told.join(" ")}`;
}

function nameOf(call: string, status: number): string {
  if (isOfWasi(call)) return `errno ${status}`;
  if (findHostcall(call) === undefined) return `result ${status}`;
  return statusNames.get(status) ?? `status ${status}`;
}

/** The out parameters of a call. */
function toldOf(params: readonly Param[], out: Buffer, pointed: readonly string[]): string[] {
  const told: string[] = [];
  let place = 0;
  let pointers = 0;
  for (const param of params) {
    const { meaning } = param;
    if (meaning === "out-pointer") {
      if (out.readUInt32LE(place) === 0xeeeeeeee) told.push("(untouched)");
      else told.push(`[${printed(pointed[pointers] ?? "")}]`);
      pointers += 1;
    } else if (meaning === "out-u64") told.push(String(out.readBigUInt64LE(place)));
    else if (meaning === "out-u32") told.push(String(out.readUInt32LE(place)));
    else if (meaning === "out-struct") {
      const bytes = out.subarray(place, place + outSize(param));
      told.push(`[${printable(bytes).replaceAll("%ee", "")}]`);
    }
    if (meaning.startsWith("out-")) place += outSize(param);
  }
  return told;
}

function printed(hex: string): string {
  return hex === "!" ? "(outside of memory)" : printable(Buffer.from(hex, "hex"));
}

/** Text as it is, other bytes as %xx. */
export function printable(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString("latin1")
    .replace(/[^ -~]/g, (character) => `%${character.charCodeAt(0).toString(16).padStart(2, "0")}`);
}

/** What each call of a guest answered: the last time, where its callback came more than once. */
export function answersOf(guest: Guest, reports: readonly Report[]): readonly string[] {
  const answers = new Map<Call, string>();
  for (const { callback, answers: told } of reports) {
    for (const [i, one] of callback.calls.entries()) answers.set(one, told[i] ?? NOT_MADE);
  }
  return guest.calls.map((one) => answers.get(one) ?? NOT_MADE);
}

/** Callbacks as they came, with their arguments: "proxy_on_tick(1)". */
export function traceOf(reports: readonly Report[]): readonly string[] {
  return reports.map(({ callback, args }) => `${callback.name}(${args.join()})`);
}

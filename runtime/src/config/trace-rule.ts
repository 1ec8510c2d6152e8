// Which streams of a plugin have their calls logged, as --wasm-trace, a policy's `trace` and the
// admin interface's switch say it.

/** What the root context does is always logged. A stream must fit both conditions. */
export interface TraceRule {
  /** One stream in so many, by its context's number; at least 1. */
  readonly every: number;
  /** Name of a header that its request must have, in lower case; "" = any request. */
  readonly header: string;
  /** The header's value; null = any. */
  readonly value: string | null;
}

export const TRACE_ALL: TraceRule = { every: 1, header: "", value: null };

const EVERY_MAX = 2 ** 31;
const NAME = /^(?::(?:authority|method|path|scheme)|[!#$%&'*+.^_`|~0-9a-z-]+)$/;

/** "x-debug" or "x-debug: value" into a rule, or what is wrong. */
export function withTraceHeader(rule: TraceRule, text: string): TraceRule | string {
  const colon = text.indexOf(":", 1);
  const header = (colon < 0 ? text : text.slice(0, colon)).trim().toLowerCase();
  const value = colon < 0 ? null : text.slice(colon + 1).trim();
  if (NAME.test(header)) return { ...rule, header, value };
  return `found "${text}", expected the name of a request header, or "name: value"`;
}

/** Digits into a rule, or what is wrong. */
export function withTraceEvery(rule: TraceRule, text: string): TraceRule | string {
  const every = /^\d+$/.test(text) ? Number(text) : 0;
  if (every >= 1 && every <= EVERY_MAX) return { ...rule, every };
  return `found "${text}", expected a number from 1 to ${EVERY_MAX}`;
}

/** For people: "every stream", "1 stream in 10 with x-debug: 1". */
export function traceRuleText({ every, header, value }: TraceRule): string {
  const which = every === 1 ? "every stream" : `1 stream in ${every}`;
  if (header === "") return which;
  return `${which} with ${value === null ? header : `${header}: ${value}`}`;
}

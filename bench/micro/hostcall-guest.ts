// A guest that makes one hostcall in a loop, so that what is measured is the call and not the way into
// the guest.
import { findHostcall } from "proxy-wasm-types";
import { constant, op, WasmBuilder } from "../../runtime/src/module/wasm-builder-for-test.ts";

/** Where the host writes how often proxy_on_request_headers makes its call. */
export const COUNT_AT = 8;

const OUT = 16;
const TEXT = 1024;
const ROOM = 32_768;
const LOOP = [0x03, 0x40];
const BR_IF = 0x0d;
const LESS = 0x48;
const LOCAL_SET = 0x21;
const I64_CONST = 0x42;

/** Text stands for a pointer and its size, numbers for themselves; out parameters are made. */
export type Argument = string | number;

export interface LoopedCall {
  readonly name: string;
  readonly args: readonly Argument[];
}

/** `before` is called once, in proxy_on_configure; null = the loop alone. */
export function loopGuest(looped: LoopedCall | null, before: readonly LoopedCall[] = []): Buffer {
  const builder = new WasmBuilder();
  const imports = new Map<string, number>();
  for (const { name } of looped === null ? before : [...before, looped]) {
    if (imports.has(name)) continue;
    const types = findHostcall(name)?.params.map((param) => param.type) ?? [];
    imports.set(name, builder.importFunction("env", name, types, ["i32"]));
  }
  builder.memory(0, 1).export("memory", "memory", 0);
  builder.func({ exportAs: "proxy_abi_version_0_2_1" });
  const room = { params: ["i32"], results: ["i32"], exportAs: "malloc" };
  builder.func({ ...room, code: constant(ROOM) });
  const place = { at: TEXT };
  const starts = before.flatMap((one) => codeOf(one, imports, builder, place));
  const configure = { params: ["i32", "i32"], results: ["i32"], exportAs: "proxy_on_configure" };
  builder.func({ ...configure, code: [...starts, ...constant(1)] });
  const call = looped === null ? [] : codeOf(looped, imports, builder, place);
  builder.func({
    params: ["i32", "i32", "i32"],
    results: ["i32"],
    locals: ["i32"],
    exportAs: "proxy_on_request_headers",
    code: [
      ...LOOP,
      ...call,
      op.localGet,
      3,
      ...constant(1),
      op.i32Add,
      LOCAL_SET,
      3,
      op.localGet,
      3,
      ...constant(COUNT_AT),
      op.i32Load,
      2,
      0,
      LESS,
      BR_IF,
      0,
      op.end,
      ...constant(0),
    ],
  });
  return builder.build();
}

function codeOf(
  { name, args }: LoopedCall,
  imports: ReadonlyMap<string, number>,
  builder: WasmBuilder,
  place: { at: number },
): number[] {
  const code: number[] = [];
  let next = 0;
  let out = OUT;
  for (const { meaning, type } of findHostcall(name)?.params ?? []) {
    if (meaning.startsWith("out-")) {
      code.push(...constant(out));
      out += 8;
      continue;
    }
    const argument = args[next];
    if (meaning === "pointer") {
      const bytes = [...Buffer.from(String(argument))];
      if (bytes.length > 0) builder.data(place.at, bytes);
      code.push(...constant(place.at), ...constant(bytes.length));
      place.at += bytes.length;
      next += 1;
    } else if (typeof argument === "number") {
      const value = constant(argument);
      code.push(...(type === "i64" ? [I64_CONST, ...value.slice(1)] : value));
      next += 1;
    } // Else the size of the bytes before, which stands already.
  }
  return [...code, op.call, imports.get(name) as number, op.drop];
}

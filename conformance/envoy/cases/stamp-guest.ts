// A proxy-wasm guest of 200 bytes, assembled by hand so that Envoy and Headgate run the same one and
// no compiler is needed: it adds `x-stamp: 1` to each response.

const I32 = 0x7f;
const FUNCTION = 0x00;
const MEMORY = 0x02;
/** Where its texts stand in memory, and where `malloc` points to. */
const TEXT_AT = 1024;
const HEAP_AT = 4096;
const NAME = "x-stamp";
const VALUE = "1";
const RESPONSE_HEADERS = 2;

/** LEB128; all numbers here are positive and below 2^14. `i32.const` reads it as signed. */
function leb(value: number): number[] {
  return value < 0x40 ? [value] : [(value & 0x7f) | 0x80, value >> 7];
}

function list(items: readonly (readonly number[])[]): number[] {
  return [...leb(items.length), ...items.flat()];
}

function text(value: string): number[] {
  return [...leb(value.length), ...Buffer.from(value)];
}

function section(id: number, body: readonly number[]): number[] {
  return [id, ...leb(body.length), ...body];
}

function functionType(params: number, results: number): number[] {
  return [0x60, ...list(Array(params).fill([I32])), ...list(Array(results).fill([I32]))];
}

function constant(value: number): number[] {
  return [0x41, ...leb(value)];
}

/** A body without locals. */
function body(...instructions: readonly (readonly number[])[]): number[] {
  const code = [0x00, ...instructions.flat(), 0x0b];
  return [...leb(code.length), ...code];
}

const CALL_ADD_HEADER = [0x10, 0x00];
const DROP = [0x1a];

const MODULE: readonly number[] = [
  ...Buffer.from("\0asm\x01\0\0\0", "latin1"),
  // Types 0: add_header, 1: on_response_headers, 2: malloc, 3: the ABI's version mark.
  ...section(
    1,
    list(
      [[5, 1] as const, [3, 1] as const, [1, 1] as const, [0, 0] as const].map(
        ([params, results]) => functionType(params, results),
      ),
    ),
  ),
  ...section(2, list([[...text("env"), ...text("proxy_add_header_map_value"), FUNCTION, 0]])),
  ...section(3, list([[1], [2], [3]])),
  ...section(5, list([[0x00, 1]])),
  ...section(
    7,
    list([
      [...text("memory"), MEMORY, 0],
      [...text("proxy_on_response_headers"), FUNCTION, 1],
      [...text("proxy_on_memory_allocate"), FUNCTION, 2],
      [...text("proxy_abi_version_0_2_1"), FUNCTION, 3],
    ]),
  ),
  ...section(
    10,
    list([
      body(
        ...[RESPONSE_HEADERS, TEXT_AT, NAME.length, TEXT_AT + NAME.length, VALUE.length].map(
          constant,
        ),
        CALL_ADD_HEADER,
        DROP,
        constant(0),
      ),
      body(constant(HEAP_AT)),
      body(),
    ]),
  ),
  ...section(11, list([[0x00, ...constant(TEXT_AT), 0x0b, ...text(NAME + VALUE)]])),
];

/** The module as an `inline_bytes`. */
export const STAMP_GUEST: string = Buffer.from(MODULE).toString("base64");

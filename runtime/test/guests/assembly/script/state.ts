// What all operations of the scripted guest share: the arguments of the line that runs, and how they are
// read and answers are told.

// @ts-ignore: decorator
@external("env", "proxy_log")
declare function proxy_log(level: u32, p: usize, n: u32): u32;

/** Where out parameters go. */
export const OUT: usize = heap.alloc(64);
/** args[0] is the callback, args[1] the operation. */
export let args: string[] = [];

export function setArgs(parts: string[]): void {
  args = parts;
}

export function n(i: i32): u32 {
  const text = args[i];
  if (text == "max") return 0xffffffff;
  if (text == "end") return <u32>(memory.size() * 65536);
  if (text.startsWith("end-")) return <u32>(memory.size() * 65536) - <u32>parseInt(text.slice(4));
  return <u32>(<i64>parseInt(text));
}

export function l(i: i32): i64 {
  return <i64>parseInt(args[i]);
}

export function decode(text: string): ArrayBuffer {
  const bytes = new Uint8Array(text.length);
  let at = 0;
  for (let i = 0; i < text.length; i++) {
    if (text.charAt(i) == "%") {
      bytes[at++] = <u8>parseInt(text.slice(i + 1, i + 3), 16);
      i += 2;
    } else bytes[at++] = <u8>text.charCodeAt(i);
  }
  return bytes.buffer.slice(0, at);
}

/** A flat list "a=b,c=d" in its serialised form. "~" = no bytes; "!" before = the bytes as given. */
export function pairs(text: string): ArrayBuffer {
  if (text == "~") return new ArrayBuffer(0);
  if (text.startsWith("!")) return decode(text.slice(1));
  const parts: ArrayBuffer[] = [];
  const entries = text.split(",");
  let size = 4 + entries.length * 8;
  for (let i = 0; i < entries.length; i++) {
    const at = entries[i].indexOf("=");
    parts.push(decode(entries[i].slice(0, at)));
    parts.push(decode(entries[i].slice(at + 1)));
    size += parts[i * 2].byteLength + parts[i * 2 + 1].byteLength + 2;
  }
  const out = new ArrayBuffer(size);
  const base = changetype<usize>(out);
  store<u32>(base, entries.length);
  let at = base + 4 + entries.length * 8;
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i];
    store<u32>(base + 4 + i * 4, part.byteLength);
    memory.copy(at, changetype<usize>(part), part.byteLength);
    at += part.byteLength + 1;
  }
  return out;
}

export function encode(p: usize, size: u32): string {
  const limit: u32 = size > 600 ? 600 : size;
  let text = "";
  for (let i: u32 = 0; i < limit; i++) {
    const byte = load<u8>(p + i);
    if (byte > 32 && byte < 127 && byte != 37) text += String.fromCharCode(byte);
    else text += "%" + (byte < 16 ? "0" : "") + byte.toString(16);
  }
  return text + (size > limit ? "...(" + size.toString() + ")" : "");
}

export function say(text: string): void {
  const bytes = String.UTF8.encode(text);
  proxy_log(2, changetype<usize>(bytes), bytes.byteLength);
}

export function tell(status: u32, value: string): void {
  say("  " + args.slice(1).join(" ") + " -> " + status.toString() + (value == "" ? "" : " " + value));
}

/** Two out parameters at OUT and OUT + 4: told when the status is 0. */
export function tellBytes(status: u32): void {
  if (status != 0) return tell(status, "");
  const p = load<u32>(OUT);
  const size = load<u32>(OUT + 4);
  tell(status, "[" + (size == 0 ? p.toString() : encode(p, size)) + "]");
}

export function tellU32(status: u32): void {
  tell(status, status == 0 ? load<u32>(OUT).toString() : "");
}

export function textAt(i: i32): ArrayBuffer {
  return decode(i < args.length ? args[i] : "");
}

export function p(b: ArrayBuffer): usize {
  return b.byteLength == 0 ? 0 : changetype<usize>(b);
}

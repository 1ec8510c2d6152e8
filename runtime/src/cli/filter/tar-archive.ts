// Files as a tar archive in the format of POSIX 1003.1-1988 (ustar): of root, with no time.

export interface TarFile {
  /** ASCII, at most 100 bytes. */
  readonly name: string;
  readonly content: Buffer;
}

const BLOCK = 512;
const SUM_AT = 148;
const SUM_BYTES = 8;

export function tarOf(files: readonly TarFile[]): Buffer {
  const blocks = files.flatMap(({ name, content }) => [
    headerOf(name, content.length),
    content,
    Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK),
  ]);
  return Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)]);
}

function headerOf(name: string, size: number): Buffer {
  const header = Buffer.alloc(BLOCK);
  header.write(name, 0, 100, "latin1");
  header.write("0000644\0", 100, "latin1");
  header.write("0000000\0", 108, "latin1");
  header.write("0000000\0", 116, "latin1");
  header.write(octal(size, 11), 124, "latin1");
  header.write(octal(0, 11), 136, "latin1");
  // The sum is made with spaces in its own place.
  header.fill(" ", SUM_AT, SUM_AT + SUM_BYTES);
  header.write("0", 156, "latin1");
  header.write("ustar\x0000", 257, "latin1");
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${octal(sum, 6)}\0 `, SUM_AT, "latin1");
  return header;
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, "0");
}

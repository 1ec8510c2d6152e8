// Text of bytes, one character per byte; for rooms that see lent buffers.

/** Buffer's own method that the types do not tell: no options to look at, no view to make. */
interface Latin1Source {
  latin1Slice(from: number, to: number): string;
}

/** The bytes `buffer[from..to)` as latin1 text. Half the price of toString("latin1", from, to). */
export function latin1(buffer: Uint8Array, from: number, to: number): string {
  return (buffer as unknown as Latin1Source).latin1Slice(from, to);
}

interface Latin1Target {
  latin1Write(text: string, at: number, length: number): number;
}

/** Writes `text`, a byte per character, at `target[at]`. There must be room. */
export function writeLatin1(target: Uint8Array, text: string, at: number): void {
  (target as unknown as Latin1Target).latin1Write(text, at, text.length);
}

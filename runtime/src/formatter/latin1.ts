// Text as formatters give it: latin1, one character a byte, so that it can be written as it is.

/** The UTF-8 bytes of `text`, one character each. */
export function toLatin1(text: string): string {
  for (let i = 0; i < text.length; i += 1) {
    if (text.charCodeAt(i) > 0x7f) return Buffer.from(text, "utf8").toString("latin1");
  }
  return text;
}

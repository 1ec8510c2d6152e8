// Parts of a multipart/form-data body (RFC 7578), as `curl -F` sends them: a module and what goes
// with it. Strict, and only as much of it as that needs.

/** By name, or what is wrong. */
export function readMultipart(body: Buffer, contentType: string): Map<string, Buffer> | string {
  const match = /;\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i.exec(contentType);
  const boundary = match?.[1] ?? match?.[2] ?? "";
  if (boundary === "") return "the content type names no boundary";
  const mark = Buffer.from(`\r\n--${boundary}`, "latin1");
  const parts = new Map<string, Buffer>();
  // The first boundary has no line end in front of it.
  let at = mark.length - 2;
  if (body.subarray(0, at).compare(mark, 2) !== 0)
    return "the body does not begin with its boundary";
  while (body.toString("latin1", at, at + 2) !== "--") {
    const head = body.indexOf("\r\n\r\n", at, "latin1");
    const end = head < 0 ? -1 : body.indexOf(mark, head + 2);
    if (end < 0) return "the body ends within a part";
    const name = nameOf(body.toString("latin1", at, head));
    if (name === "") return "a part has no name in its content-disposition";
    if (parts.has(name)) return `the part ${name} is there twice`;
    parts.set(name, body.subarray(Math.min(head + 4, end), end));
    at = end + mark.length;
  }
  return parts;
}

function nameOf(headers: string): string {
  return /^content-disposition:\s*form-data;(?:.*;)?\s*name="([^"]*)"/im.exec(headers)?.[1] ?? "";
}

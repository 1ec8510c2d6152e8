// Status lines as Envoy writes them: the reason phrase is always its own, whatever the upstream
// said. serializer.ts uses them.

const reasons: ReadonlyMap<number, string> = new Map([
  [100, "Continue"],
  [101, "Switching Protocols"],
  [200, "OK"],
  [201, "Created"],
  [202, "Accepted"],
  [203, "Non-Authoritative Information"],
  [204, "No Content"],
  [205, "Reset Content"],
  [206, "Partial Content"],
  [207, "Multi-Status"],
  [208, "Already Reported"],
  [226, "IM Used"],
  [300, "Multiple Choices"],
  [301, "Moved Permanently"],
  [302, "Found"],
  [303, "See Other"],
  [304, "Not Modified"],
  [305, "Use Proxy"],
  [307, "Temporary Redirect"],
  [308, "Permanent Redirect"],
  [400, "Bad Request"],
  [401, "Unauthorized"],
  [402, "Payment Required"],
  [403, "Forbidden"],
  [404, "Not Found"],
  [405, "Method Not Allowed"],
  [406, "Not Acceptable"],
  [407, "Proxy Authentication Required"],
  [408, "Request Timeout"],
  [409, "Conflict"],
  [410, "Gone"],
  [411, "Length Required"],
  [412, "Precondition Failed"],
  [413, "Payload Too Large"],
  [414, "URI Too Long"],
  [415, "Unsupported Media Type"],
  [416, "Range Not Satisfiable"],
  [417, "Expectation Failed"],
  [421, "Misdirected Request"],
  [422, "Unprocessable Entity"],
  [423, "Locked"],
  [424, "Failed Dependency"],
  [425, "Too Early"],
  [426, "Upgrade Required"],
  [428, "Precondition Required"],
  [429, "Too Many Requests"],
  [431, "Request Header Fields Too Large"],
  [500, "Internal Server Error"],
  [501, "Not Implemented"],
  [502, "Bad Gateway"],
  [503, "Service Unavailable"],
  [504, "Gateway Timeout"],
  [505, "HTTP Version Not Supported"],
  [506, "Variant Also Negotiates"],
  [507, "Insufficient Storage"],
  [508, "Loop Detected"],
  [510, "Not Extended"],
  [511, "Network Authentication Required"],
  [599, "Last Unassigned Server Error Code"],
]);

/** Envoy's reason phrase for a status, "Unknown" when it has none. */
export function reasonPhrase(status: number): string {
  return reasons.get(status) ?? "Unknown";
}

const lines11: readonly string[] = buildLines("HTTP/1.1");
const lines10: readonly string[] = buildLines("HTTP/1.0");

function buildLines(version: string): string[] {
  const lines: string[] = [];
  for (let status = 0; status <= 999; status += 1) {
    lines.push(`${version} ${status} ${reasonPhrase(status)}\r\n`);
  }
  return lines;
}

/** The status line with its CRLF; `status` is 0..999, `minorVersion` 0 or 1. */
export function statusLine(status: number, minorVersion: number): string {
  return (minorVersion === 0 ? lines10 : lines11)[status] as string;
}

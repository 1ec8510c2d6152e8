// The text of a failed connect, as Envoy's transport failure reason; asked by pooled connections.

/** glibc's texts of the errors that connect() gives. */
const errorTexts: ReadonlyMap<string, string> = new Map([
  ["EACCES", "Permission denied"],
  ["EADDRINUSE", "Address already in use"],
  ["EADDRNOTAVAIL", "Cannot assign requested address"],
  ["EAFNOSUPPORT", "Address family not supported by protocol"],
  ["EAGAIN", "Resource temporarily unavailable"],
  ["ECONNABORTED", "Software caused connection abort"],
  ["ECONNREFUSED", "Connection refused"],
  ["ECONNRESET", "Connection reset by peer"],
  ["EHOSTUNREACH", "No route to host"],
  ["EINVAL", "Invalid argument"],
  ["EMFILE", "Too many open files"],
  ["ENETUNREACH", "Network is unreachable"],
  ["ENFILE", "Too many open files in system"],
  ["ENOENT", "No such file or directory"],
  ["ENOTDIR", "Not a directory"],
  ["EPERM", "Operation not permitted"],
  ["ETIMEDOUT", "Connection timed out"],
]);

/** Errors that connect() answers at once for an IP address; the others come later. */
const immediateCodes: ReadonlySet<string> = new Set([
  "EACCES",
  "EADDRINUSE",
  "EADDRNOTAVAIL",
  "EAFNOSUPPORT",
  "EAGAIN",
  "EINVAL",
  "EMFILE",
  "ENETUNREACH",
  "ENFILE",
  "EPERM",
]);

/** `source` is the address that was to be bound. */
export function bindFailureText(code: string, source: string): string {
  return `failed to bind to ${source}: ${errorTexts.get(code) ?? code}`;
}

/** `code` is the system's name; "" gives "". A unix socket's connect() always fails at once. */
export function connectFailureText(code: string, isUnix: boolean, remoteAddress: string): string {
  if (code === "") return "";
  const text = errorTexts.get(code) ?? code;
  if (isUnix || immediateCodes.has(code)) {
    return `immediate connect error: ${text}|remote address:${remoteAddress}`;
  }
  return `delayed connect error: ${text}`;
}

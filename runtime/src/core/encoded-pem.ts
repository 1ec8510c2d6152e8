// PEM in a header or on a log line: Envoy's URL encoding of what certificates consist of. Used by
// formatters and x-forwarded-client-cert.

const escapes: Readonly<Record<string, string>> = {
  "\n": "%0A",
  " ": "%20",
  "+": "%2B",
  "/": "%2F",
  "=": "%3D",
};

export function encodedPem(pem: string): string {
  return pem.replace(/[\n +/=]/g, (char) => escapes[char] as string);
}

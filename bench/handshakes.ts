// Runs `openssl s_time`, one TLS handshake after the other, and reads its report.
import type { HandshakeCase } from "./cases.ts";
import { spawnOwned } from "./processes.ts";

export interface HandshakeReport {
  readonly handshakes: number;
  readonly perSecond: number;
}

/** Reads the report of `openssl s_time`; throws when the line is missing. */
export function parseTimes(output: string): HandshakeReport {
  // The first run of -reuse makes the session; the last line is what was timed.
  const lines = [...output.matchAll(/^(\d+) connections in (\d+) real seconds/gm)];
  const last = lines.at(-1);
  if (last === undefined) throw new Error(`openssl s_time: no report in:\n${output}`);
  const handshakes = Number(last[1]);
  return { handshakes, perSecond: handshakes / Math.max(1, Number(last[2])) };
}

/** The cipher names the kind of certificate, so version 1.2 it is: 1.3 has no such names. */
const CIPHERS = { rsa: "ECDHE-RSA-AES128-GCM-SHA256", ec: "ECDHE-ECDSA-AES128-GCM-SHA256" };

/** One run. Ends by itself; is killed when it takes 10 s more than it should. */
export function runHandshakes(
  binary: string,
  port: number,
  one: HandshakeCase,
  seconds: number,
): Promise<HandshakeReport> {
  const how = [one.isResumed ? "-reuse" : "-new", "-tls1_2", "-cipher", CIPHERS[one.key]];
  const where = ["-connect", `127.0.0.1:${port}`, "-time", String(seconds)];
  const child = spawnOwned([binary, "s_time", ...where, ...how]);
  const timer = setTimeout(() => child.kill("SIGKILL"), (seconds + 10) * 1000);
  let output = "";
  const keep = (part: Buffer): void => {
    output += part.toString("latin1");
  };
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      clearTimeout(timer);
      if (code === 0) resolve(parseTimes(output));
      else reject(new Error(`openssl s_time ended with ${code}:\n${output.slice(-1000)}`));
    });
  });
}

// TEMP
import { createServer } from "node:http";
import type { Server } from "./server.ts";
export function createAdmin(server: Server, config: any, _f: number): any {
  const http = createServer((q, r) => {
    if (q.url === "/ready") {
      r.statusCode = server.state === "LIVE" ? 200 : 503;
      r.end(server.state + "\n");
    } else {
      const f = /filter=([^&]*)/.exec(q.url ?? "");
      const re = f ? new RegExp(decodeURIComponent(f[1] as string)) : /./;
      r.end(
        server.stats
          .scalars()
          .filter((s) => re.test(s.name))
          .map((s) => `${s.name}: ${s.value}\n`)
          .join(""),
      );
    }
  });
  return {
    listen: () =>
      new Promise<string>((ok, no) => {
        http.on("error", no);
        http.listen(config.address.port, config.address.address, () => {
          const a = http.address() as any;
          ok(`${a.address}:${a.port}`);
        });
      }),
    close: () => http.close(),
  };
}

// The scripted guest of runtime/test/guests with the host around it: what tests of this room run.
import { compileGuest } from "../../test/guests/compile.ts";
import { createFilterHost, type FilterHost, type FilterHostOptions } from "../../test/harness.ts";

export type { FilterExchange, FilterHost } from "../../test/harness.ts";

/** A host whose guest runs these lines: `<callback>[#n] <operation> <arguments...>`. */
export async function scriptedHost(
  lines: readonly string[],
  options: Partial<FilterHostOptions> = {},
): Promise<FilterHost> {
  const module = await compileGuest("script");
  return await createFilterHost({ ...options, module, vmConfig: lines.join("\n") });
}

/** What the guest says when it runs these operations in on_request_headers, without the echo. */
export async function answersOf(
  operations: readonly string[],
  options: Partial<FilterHostOptions> = {},
): Promise<string[]> {
  const host = await scriptedHost(
    operations.map((operation) => `request_headers ${operation}`),
    options,
  );
  const { messages } = host.request({ path: "/a?b=c", headers: { "x-a": "1" } });
  host.close();
  return operations.map((operation) => {
    const line = messages.find((message) => message.startsWith(`  ${operation} -> `));
    return line === undefined ? "(nothing)" : line.slice(operation.length + 6);
  });
}

// Runs a command of `headgate filter` in the test's own process, with what it says.
import { vi } from "vitest";

export async function runCommand(
  command: { run(argv: readonly string[]): Promise<number> },
  argv: readonly string[],
): Promise<{ code: number; text: string }> {
  let text = "";
  const write = (chunk: string | Uint8Array): boolean => {
    text += String(chunk);
    return true;
  };
  vi.spyOn(process.stdout, "write").mockImplementation(write);
  vi.spyOn(process.stderr, "write").mockImplementation(write);
  const code = await command.run(argv);
  vi.restoreAllMocks();
  return { code, text };
}

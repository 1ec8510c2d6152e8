// The generated files must be those that the tables give today.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { renderAll, renderAssemblyScript, renderReadme } from "./generate.ts";
import { hostcalls } from "./hostcalls.ts";

test("the generated files are current: run `npm run generate` when this fails", () => {
  const files = renderAll();
  const found = files.map((file) => [file.url.pathname, readFileSync(file.url, "utf8")]);
  expect(found).toEqual(files.map((file) => [file.url.pathname, file.text]));
});

test("the README has a row for every hostcall, callback and enumeration", () => {
  const text = renderReadme();
  for (const row of hostcalls) expect(text).toContain(`| \`${row.name}\` | \`(`);
  expect(text).toContain(
    "| `proxy_log` | `(log_level: i32, message_data: i32, message_size: i32) -> i32` | 0.1.0 on |",
  );
  expect(text).toContain("| `proxy_clear_route_cache` | `() -> i32` | 0.1.0 |");
  expect(text).toContain("| `fd_seek` |");
  expect(text).toContain("Critical 5");
});

test("the SDK's declarations are those of 0.2.1", () => {
  const text = renderAssemblyScript();
  expect(text).toContain('@external("env", "proxy_get_log_level")');
  expect(text).not.toContain("proxy_clear_route_cache");
  expect(text).not.toContain("proxy_get_configuration");
  expect(text).toContain(
    "export declare function proxy_increment_metric(metric_id: u32, offset: i64): Status;",
  );
  const declared = text.match(/^export declare function/gm);
  expect(declared).toHaveLength(39);
});

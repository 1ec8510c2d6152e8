import { expect, test } from "vitest";
import { defaultWasmPolicy } from "../config/wasm-policy.ts";
import { silentLogger } from "../core/logger.ts";
import { guestBuilder } from "../module/wasm-builder-for-test.ts";
import { PluginModuleLoader } from "./plugin-modules.ts";

const guest = guestBuilder((b) => {
  b.importFunction("env", "proxy_frobnicate", ["i32"], ["i32"]);
}).build();

test("--wasm-lenient-imports lets unknown hostcalls pass, which are refused without it", async () => {
  const strict = new PluginModuleLoader(silentLogger);
  await expect(strict.loadBytes("x", guest, defaultWasmPolicy)).rejects.toThrow(
    "unknown import env.proxy_frobnicate (i32) -> i32",
  );
  const lenient = new PluginModuleLoader(silentLogger, true);
  const loaded = await lenient.loadBytes("x", guest, defaultWasmPolicy);
  expect(loaded.warnings).toEqual(["unknown import env.proxy_frobnicate (i32) -> i32 is stubbed"]);
});

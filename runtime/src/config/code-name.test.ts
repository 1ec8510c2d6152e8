import { expect, test } from "vitest";
import { codeName } from "./code-name.ts";
import type { WasmCodeConfig } from "./snapshot.ts";

const none = { remote: null, filename: "", watchedDirectory: "", inlineBytes: null, sha256: "" };

function fetched(uri: string): WasmCodeConfig {
  const times = { timeoutMs: 1, retries: 1, retryBaseMs: 1, retryMaxMs: 1, isRequired: false };
  return { ...none, remote: { uri, cluster: "store", ...times } };
}

test("code is named by its file, its URI without the secrets, or as inline", () => {
  expect(codeName({ ...none, filename: "a/b.wasm" })).toBe("a/b.wasm");
  expect(codeName({ ...none, inlineBytes: new Uint8Array(1) })).toBe("inline");
  expect(codeName(fetched("http://store/a.wasm?token=x"))).toBe("http://store/a.wasm");
  expect(codeName(fetched("store/a.wasm#x\ny"))).toBe("store/a.wasm");
});

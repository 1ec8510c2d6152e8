// Names of functions as linkers leave them.
import { expect, test } from "vitest";
import { demangle } from "./demangle.ts";

test.each([
  // Rust, mangled and as wasm-ld leaves it.
  ["_ZN4core9panicking9panic_fmt17h0123456789abcdefE", "core::panicking::panic_fmt"],
  ["core::panicking::panic_fmt::h0123456789abcdef", "core::panicking::panic_fmt"],
  [
    "_ZN52_$LT$auth..Filter$u20$as$u20$proxy_wasm..Context$GT$7on_done17h00112233445566aaE",
    "<auth::Filter as proxy_wasm::Context>::on_done",
  ],
  // C++.
  ["_ZN5proxy7Context16onRequestHeadersEjb", "proxy::Context::onRequestHeaders"],
  ["_ZNK5proxy7Context4sizeEv", "proxy::Context::size"],
  ["_Z4scanPKcm", "scan"],
  // What we do not read stays.
  ["_ZNSt6vectorIiSaIiEE9push_backEOi", "_ZNSt6vectorIiSaIiEE9push_backEOi"],
  ["_Z3maxIiET_S0_S0_", "_Z3maxIiET_S0_S0_"],
  ["_ZN99shortE", "_ZN99shortE"],
  ["_ZN", "_ZN"],
  // AssemblyScript and Go.
  ["assembly/index/Filter#onRequestHeaders", "assembly/index/Filter#onRequestHeaders"],
  ["main.onRequestHeaders", "main.onRequestHeaders"],
  ["", ""],
])("%s", (mangled, readable) => {
  expect(demangle(mangled)).toBe(readable);
});

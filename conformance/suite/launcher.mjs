#!/usr/bin/env node
// The packed command: says what it needs before it loads what an older Node.js could not.
const NODE_MAJOR_MIN = 24;

const { node } = process.versions;
if (Number(node.split(".")[0]) >= NODE_MAJOR_MIN) await import("./conformance.mjs");
else {
  console.error(
    `proxy-wasm-conformance needs Node.js ${NODE_MAJOR_MIN} or later, found ${node} (${process.execPath})`,
  );
  process.exitCode = 2;
}

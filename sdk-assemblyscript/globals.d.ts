// What an editor must know to read a filter's sources as asc does: the types and built-in
// functions of AssemblyScript. tsconfig.filter.json brings it in; asc itself never sees this file.
/// <reference types="assemblyscript/std/types/assembly/index.d.ts" />

// The runtime's own functions, which the standard declarations leave out and the SDK uses.
declare function __new(size: usize, id: u32): usize;
declare function __renew(object: usize, size: usize): usize;
declare function __pin(object: usize): usize;
declare function __unpin(object: usize): void;

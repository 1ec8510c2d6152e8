// What numbers and booleans can do. AssemblyScript's own declarations have an alias for Number, from
// which TypeScript 7 takes nothing; globals.d.ts reads this file first, so that it counts.
interface Number {
  toString(radix?: i32): string;
}
interface Boolean {
  toString(): string;
}

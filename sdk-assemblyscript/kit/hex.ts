// The door to assembly/kit/hex.ts.
export * from "../assembly/kit/hex";

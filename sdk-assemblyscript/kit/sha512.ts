// The door to assembly/kit/sha512.ts.
export * from "../assembly/kit/sha512";

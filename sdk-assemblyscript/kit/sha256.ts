// The door to assembly/kit/sha256.ts.
export * from "../assembly/kit/sha256";

// The door to assembly/kit/sha1.ts.
export * from "../assembly/kit/sha1";

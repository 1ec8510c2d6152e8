// The door to assembly/kit/bytes.ts.
export * from "../assembly/kit/bytes";

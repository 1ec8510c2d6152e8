// The door to assembly/kit/json-writer.ts.
export * from "../assembly/kit/json-writer";

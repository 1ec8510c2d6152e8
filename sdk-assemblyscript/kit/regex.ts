// The door to assembly/kit/regex.ts.
export * from "../assembly/kit/regex";

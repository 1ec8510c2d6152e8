// The door to assembly/kit/query.ts.
export * from "../assembly/kit/query";

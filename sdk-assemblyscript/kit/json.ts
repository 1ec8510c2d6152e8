// The door to assembly/kit/json.ts.
export * from "../assembly/kit/json";

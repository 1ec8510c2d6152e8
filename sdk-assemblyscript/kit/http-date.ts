// The door to assembly/kit/http-date.ts.
export * from "../assembly/kit/http-date";

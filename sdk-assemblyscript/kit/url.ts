// The door to assembly/kit/url.ts.
export * from "../assembly/kit/url";

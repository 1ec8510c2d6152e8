// The door to assembly/kit/percent.ts.
export * from "../assembly/kit/percent";

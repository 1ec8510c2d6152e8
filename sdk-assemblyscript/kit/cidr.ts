// The door to assembly/kit/cidr.ts.
export * from "../assembly/kit/cidr";

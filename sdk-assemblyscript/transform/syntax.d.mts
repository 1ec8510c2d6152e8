// Types of what tests take from syntax.mjs.
type Numbers = Readonly<Record<string, number>>;

export const Kind: Numbers;
export const Literal: Numbers;
export const Flag: Numbers;

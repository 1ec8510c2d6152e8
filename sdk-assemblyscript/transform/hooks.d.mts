// Types of hooks.mjs, for tests.
type Table<T> = Readonly<Record<string, T>>;

export const CALLBACK_OF_HOOK: Table<string>;
export const FILE_OF_CALLBACK: Table<string>;
export const BRIEF_OF_HOOK: Table<string>;
export const COLLECTING: Table<readonly string[]>;
export const CALLBACKS_OF_CALL: Table<readonly string[]>;
export const ANSWERS_OF_HOSTCALL: Table<readonly string[]>;
export const SIGN_OF_HOSTCALL: Table<RegExp>;

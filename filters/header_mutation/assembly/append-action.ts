// What becomes of a value whose name is there, or is not.

export enum AppendAction {
  AppendOrAdd,
  AddIfAbsent,
  OverwriteOrAdd,
  OverwriteIfExists,
}

/** Envoy's name of it; "" = the default. */
export function appendActionOf(name: string): AppendAction {
  if (name == "ADD_IF_ABSENT") return AppendAction.AddIfAbsent;
  if (name == "OVERWRITE_IF_EXISTS_OR_ADD") return AppendAction.OverwriteOrAdd;
  if (name == "OVERWRITE_IF_EXISTS") return AppendAction.OverwriteIfExists;
  return AppendAction.AppendOrAdd;
}

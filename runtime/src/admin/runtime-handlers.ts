// /runtime and /runtime_modify: runtime values by layer, and the admin layer's changes.
import type { AdminDelegate } from "./admin-delegate.ts";
import { jsonResponse, textResponse } from "./admin-request.ts";
import type { AdminRequest, AdminResponse } from "./admin-request.ts";

/** Every key with its text in each layer ("" = the layer has none) and the one that counts. */
export function runtimePage(delegate: AdminDelegate): AdminResponse {
  const layers = delegate.runtime();
  const keys = new Set(layers.flatMap((layer) => [...layer.values.keys()]));
  const entries = [...keys].toSorted().map((key) => {
    const layer_values = layers.map((layer) => layer.values.get(key)?.text ?? "");
    const last = layers.findLast((layer) => layer.values.has(key));
    return [key, { layer_values, final_value: last?.values.get(key)?.text ?? "" }] as const;
  });
  return jsonResponse({
    entries: Object.fromEntries(entries),
    layers: layers.map((layer) => layer.name),
  });
}

export function runtimeModify(request: AdminRequest, delegate: AdminDelegate): AdminResponse {
  if (request.parameters.length > 0) {
    const problem = delegate.modifyRuntime(request.parameters);
    return problem === "" ? textResponse("OK\n") : textResponse(problem, 503);
  }
  return textResponse(
    "usage: /runtime_modify?key1=value1&key2=value2&keyN=valueN\n" +
      "       or send the parameters as form values\n" +
      "use an empty value to remove a previously added override",
    400,
  );
}

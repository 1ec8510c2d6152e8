// For @solo-io/proxy-runtime 0.1.8 and the compiler of its time: a module of ABI 0.2.0 as they still run.
// Root ids: `header-edit`, which edits headers as all guests called so, and `gate`, which asks a cluster.
export * from "@solo-io/proxy-runtime/proxy";
import {
  BaseContext,
  Context,
  FilterDataStatusValues,
  FilterHeadersStatusValues,
  GrpcStatusValues,
  HeaderPair,
  Headers,
  LogLevelValues,
  RootContext,
  WasmResultValues,
  continue_request,
  log,
  registerRootContext,
  send_local_response,
  stream_context,
} from "@solo-io/proxy-runtime";

function pair(name: string, value: string): HeaderPair {
  return new HeaderPair(String.UTF8.encode(name), String.UTF8.encode(value));
}

class EditRoot extends RootContext {
  createContext(id: u32): Context {
    return new Edit(id, this);
  }
}

class Edit extends Context {
  onRequestHeaders(_count: u32, _end: bool): FilterHeadersStatusValues {
    const headers = stream_context.headers.request;
    const path = headers.get(":path");
    if (path.startsWith("/old/")) headers.replace(":path", "/new/" + path.substring(5));
    headers.add("x-guest", "as-0.2.0");
    headers.replace("user-agent", "guest");
    headers.remove("x-remove");
    return FilterHeadersStatusValues.Continue;
  }

  onResponseHeaders(count: u32, _end: bool): FilterHeadersStatusValues {
    const headers = stream_context.headers.response;
    headers.add("x-guest", "as-0.2.0");
    headers.add("x-note", this.root_context.getConfiguration());
    headers.replace("x-header-count", count.toString());
    headers.remove("x-secret");
    return FilterHeadersStatusValues.Continue;
  }
}

class GateRoot extends RootContext {
  createContext(id: u32): Context {
    return new Gate(id, this);
  }
}

/** Lets a request pass when the cluster `auth` answers it with 200. */
class Gate extends Context {
  onRequestHeaders(_count: u32, _end: bool): FilterHeadersStatusValues {
    const request = stream_context.headers.request;
    const headers: Headers = [
      pair(":method", "GET"),
      pair(":path", "/gate" + request.get(":path")),
      pair(":authority", "gate.local"),
    ];
    const body = String.UTF8.encode(request.get("x-body"));
    const result = this.root_context.httpCall("auth", headers, body, [], 1000, this, onAnswer);
    if (result == WasmResultValues.Ok) return FilterHeadersStatusValues.StopIteration;
    log(LogLevelValues.warn, "gate: no call, " + result.toString());
    return FilterHeadersStatusValues.Continue;
  }

  onRequestBody(size: usize, end: bool): FilterDataStatusValues {
    log(LogLevelValues.warn, "gate: body of " + size.toString() + (end ? ", end" : ""));
    return FilterDataStatusValues.Continue;
  }
}

function onAnswer(gate: Context, headers: u32, size: usize, _trailers: u32): void {
  const status = stream_context.headers.http_callback.get(":status");
  log(LogLevelValues.warn, "gate: " + status + " with " + size.toString() + " bytes");
  if (status == "200") {
    stream_context.headers.request.replace("x-gate", stream_context.headers.http_callback.get("x-gate"));
    continue_request();
  } else {
    const body = String.UTF8.encode("closed by " + status + "\n");
    send_local_response(403, "gate", body, [pair("x-gate", "closed")], GrpcStatusValues.InvalidCode);
  }
}

registerRootContext((id: u32) => new EditRoot(id), "header-edit");
registerRootContext((id: u32) => new GateRoot(id), "gate");

// For @solo-io/proxy-runtime 0.1.1 and the compiler of its time: a module of ABI 0.1.0 as they still run.
// It edits headers as all guests called header-edit do, which is its root id.
export * from "@solo-io/proxy-runtime/proxy";
import {
  Context,
  ContextHelper,
  FilterHeadersStatusValues,
  RootContext,
  RootContextHelper,
  registerRootContext,
  stream_context,
} from "@solo-io/proxy-runtime";

class EditRoot extends RootContext {
  note: string = "";

  onConfigure(): bool {
    this.note = String.UTF8.decode(super.getConfiguration());
    return true;
  }

  createContext(): Context {
    return ContextHelper.wrap(new Edit(this));
  }
}

class Edit extends Context {
  root: EditRoot;

  constructor(root: EditRoot) {
    super();
    this.root = root;
  }

  onRequestHeaders(_count: u32): FilterHeadersStatusValues {
    const headers = stream_context.headers.request;
    const path = headers.get(":path");
    if (path.startsWith("/old/")) headers.replace(":path", "/new/" + path.substring(5));
    headers.add("x-guest", "as-0.1.0");
    headers.replace("user-agent", "guest");
    headers.remove("x-remove");
    return FilterHeadersStatusValues.Continue;
  }

  onResponseHeaders(count: u32): FilterHeadersStatusValues {
    const headers = stream_context.headers.response;
    headers.add("x-guest", "as-0.1.0");
    headers.add("x-note", this.root.note);
    headers.replace("x-header-count", count.toString());
    headers.remove("x-secret");
    return FilterHeadersStatusValues.Continue;
  }
}

registerRootContext(() => {
  return RootContextHelper.wrap(new EditRoot());
}, "header-edit");

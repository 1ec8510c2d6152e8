// Edits headers as all guests called header-edit do: adds, replaces, removes, rewrites the path.
#include "proxy-wasm.h"

u32 EXPORT(proxy_on_request_headers)(u32 context, u32 count, u32 end) {
  begin();
  (void)context, (void)count, (void)end;
  text path = header(REQUEST_HEADERS, TEXT(":path"));
  if (starts_with(path, TEXT("/old/"))) {
    BUILDER(moved);
    put(&moved, TEXT("/new/"));
    put(&moved, (text){path.at + 5, path.size - 5});
    replace_header(REQUEST_HEADERS, TEXT(":path"), built(&moved));
  }
  add_header(REQUEST_HEADERS, TEXT("x-guest"), TEXT("c"));
  replace_header(REQUEST_HEADERS, TEXT("user-agent"), TEXT("guest"));
  remove_header(REQUEST_HEADERS, TEXT("x-remove"));
  return CONTINUE;
}

u32 EXPORT(proxy_on_response_headers)(u32 context, u32 count, u32 end) {
  begin();
  (void)context, (void)end;
  BUILDER(shown);
  put_number(&shown, count);
  add_header(RESPONSE_HEADERS, TEXT("x-guest"), TEXT("c"));
  replace_header(RESPONSE_HEADERS, TEXT("x-header-count"), built(&shown));
  remove_header(RESPONSE_HEADERS, TEXT("x-secret"));
  return CONTINUE;
}

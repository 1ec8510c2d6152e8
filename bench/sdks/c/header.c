// Tells the upstream what kind of device asks, moves an old path, and marks responses.
#include "proxy-wasm.h"

static int contains(text whole, text part) {
  for (u32 at = 0; at + part.size <= whole.size; at++)
    if (starts_with((text){whole.at + at, whole.size - at}, part)) return 1;
  return 0;
}

u32 EXPORT(proxy_on_request_headers)(u32 context, u32 count, u32 end) {
  begin();
  (void)context, (void)count, (void)end;
  int is_mobile = contains(header(REQUEST_HEADERS, TEXT("user-agent")), TEXT("Mobile"));
  replace_header(REQUEST_HEADERS, TEXT("x-device"), is_mobile ? TEXT("mobile") : TEXT("desktop"));
  text path = header(REQUEST_HEADERS, TEXT(":path"));
  if (starts_with(path, TEXT("/old/"))) {
    text moved = joined(TEXT("/new/"), (text){path.at + 5, path.size - 5});
    replace_header(REQUEST_HEADERS, TEXT(":path"), moved);
  }
  remove_header(REQUEST_HEADERS, TEXT("x-internal"));
  return CONTINUE;
}

u32 EXPORT(proxy_on_response_headers)(u32 context, u32 count, u32 end) {
  begin();
  (void)context, (void)count, (void)end;
  replace_header(RESPONSE_HEADERS, TEXT("x-filtered"), TEXT("yes"));
  remove_header(RESPONSE_HEADERS, TEXT("x-powered-by"));
  return CONTINUE;
}

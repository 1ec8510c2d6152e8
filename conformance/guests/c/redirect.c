// Answers by itself: /health with 200, plain HTTP with a redirect to HTTPS, /blocked with 403.
#include "proxy-wasm.h"

#define NO_GRPC_STATUS 0xffffffffu

/** One pair in the ABI's form: count, sizes, then key and value, each with a NUL behind. */
static u32 one_pair(u8 *to, text key, text value) {
  u32 *sizes = (u32 *)to;
  sizes[0] = 1;
  sizes[1] = key.size;
  sizes[2] = value.size;
  u8 *at = to + 12;
  for (u32 i = 0; i < key.size; i++) *at++ = (u8)key.at[i];
  *at++ = 0;
  for (u32 i = 0; i < value.size; i++) *at++ = (u8)value.at[i];
  *at++ = 0;
  return (u32)(at - to);
}

static u32 reply(u32 code, text details, text body, const void *headers, u32 size) {
  proxy_send_local_response(code, details.at, details.size, body.at, body.size, headers, size,
                            NO_GRPC_STATUS);
  return PAUSE;
}

static u32 redirect(text path) {
  static u32 pairs[256];
  BUILDER(location);
  put(&location, TEXT("https://"));
  put(&location, header(REQUEST_HEADERS, TEXT(":authority")));
  put(&location, path);
  u32 size = one_pair((u8 *)pairs, TEXT("location"), built(&location));
  return reply(301, TEXT("to https"), TEXT(""), pairs, size);
}

u32 EXPORT(proxy_on_request_headers)(u32 context, u32 count, u32 end) {
  begin();
  (void)context, (void)count, (void)end;
  text path = header(REQUEST_HEADERS, TEXT(":path"));
  if (equals(path, TEXT("/health"))) return reply(200, TEXT("health"), TEXT("healthy\n"), 0, 0);
  if (starts_with(path, TEXT("/blocked"))) {
    return reply(403, TEXT("blocked_by guest"), TEXT("not this way\n"), 0, 0);
  }
  text wants = header(REQUEST_HEADERS, TEXT("x-wants-https"));
  return wants.size > 0 && path.size < 400 ? redirect(path) : CONTINUE;
}

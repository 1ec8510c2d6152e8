// Replaces "secret" by "[hidden]" in the bytes of whole text responses.
#define ARENA_BYTES (8 << 20)
#include "id-map.h"

#define SECRET TEXT("secret")
#define HIDDEN TEXT("[hidden]")

void EXPORT(proxy_on_delete)(u32 context) { take_id(context); }

u32 EXPORT(proxy_on_response_headers)(u32 context, u32 count, u32 end) {
  begin();
  (void)count;
  text kind = header(RESPONSE_HEADERS, TEXT("content-type"));
  if (!end && starts_with(kind, TEXT("text/")) && put_id(context, 1))
    remove_header(RESPONSE_HEADERS, TEXT("content-length"));
  return CONTINUE;
}

/** Where SECRET begins at or behind `from`, or the end. */
static u32 find(text body, u32 from) {
  for (u32 at = from; at + SECRET.size <= body.size; at++)
    if (starts_with((text){body.at + at, body.size - at}, SECRET)) return at;
  return body.size;
}

static void hide(text body) {
  u32 count = 0;
  for (u32 at = find(body, 0); at < body.size; at = find(body, at + SECRET.size)) count++;
  if (count == 0) return;
  char *result = malloc(body.size + count * (HIDDEN.size - SECRET.size));
  if (result == 0) return;
  char *to = result;
  u32 from = 0;
  for (u32 at = find(body, 0); at < body.size; at = find(body, from)) {
    to = copy(copy(to, (text){body.at + from, at - from}), HIDDEN);
    from = at + SECRET.size;
  }
  to = copy(to, (text){body.at + from, body.size - from});
  proxy_set_buffer_bytes(RESPONSE_BODY, 0, body.size, result, (u32)(to - result));
}

u32 EXPORT(proxy_on_response_body)(u32 context, u32 size, u32 end) {
  begin();
  if (!has_id(context)) return CONTINUE;
  if (!end) return PAUSE;
  hide(buffer(RESPONSE_BODY, size));
  return CONTINUE;
}

// Counts requests by method and responses by class, streams in flight, and bytes of bodies.
#include "proxy-wasm.h"

static u32 requests, posts, classes[6], active, bytes_in, sizes;

static u32 define(u32 type, text name) {
  u32 id = 0;
  if (proxy_define_metric(type, name.at, name.size, &id) != OK) say(LOG_ERROR, name);
  return id;
}

u32 EXPORT(proxy_on_configure)(u32 root, u32 size) {
  begin();
  (void)root, (void)size;
  requests = define(COUNTER, TEXT("c_guest.requests"));
  posts = define(COUNTER, TEXT("c_guest.posts"));
  active = define(GAUGE, TEXT("c_guest.active"));
  bytes_in = define(COUNTER, TEXT("c_guest.bytes_in"));
  sizes = define(HISTOGRAM, TEXT("c_guest.request_size"));
  for (u32 i = 1; i < 6; i++) {
    BUILDER(name);
    put(&name, TEXT("c_guest.responses_"));
    put_number(&name, i);
    put(&name, TEXT("xx"));
    classes[i] = define(COUNTER, built(&name));
  }
  return 1;
}

u32 EXPORT(proxy_on_request_headers)(u32 context, u32 count, u32 end) {
  begin();
  (void)context, (void)count, (void)end;
  proxy_increment_metric(requests, 1);
  proxy_increment_metric(active, 1);
  if (equals(header(REQUEST_HEADERS, TEXT(":method")), TEXT("POST"))) {
    proxy_increment_metric(posts, 1);
  }
  return CONTINUE;
}

u32 EXPORT(proxy_on_request_body)(u32 context, u32 size, u32 end) {
  begin();
  (void)context, (void)end;
  if (size > 0) proxy_increment_metric(bytes_in, size);
  proxy_record_metric(sizes, size);
  return CONTINUE;
}

u32 EXPORT(proxy_on_response_headers)(u32 context, u32 count, u32 end) {
  begin();
  (void)context, (void)count, (void)end;
  text status = header(RESPONSE_HEADERS, TEXT(":status"));
  if (status.size == 3 && status.at[0] >= '1' && status.at[0] <= '5') {
    proxy_increment_metric(classes[status.at[0] - '0'], 1);
  }
  u64 now = 0;
  if (proxy_get_metric(requests, &now) == OK) {
    BUILDER(shown);
    put_number(&shown, now);
    replace_header(RESPONSE_HEADERS, TEXT("x-requests"), built(&shown));
  }
  return CONTINUE;
}

void EXPORT(proxy_on_log)(u32 context) {
  begin();
  (void)context;
  proxy_increment_metric(active, -1);
}

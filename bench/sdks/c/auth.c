// Asks the cluster `auth` about each request outside /public.
#include "id-map.h"

static void respond(u32 status, text body) {
  proxy_send_local_response(status, 0, 0, body.at, body.size, 0, 0, (u32)-1);
}

static u32 refuse(void) {
  respond(503, TEXT("no authorization\n"));
  return PAUSE;
}

u32 EXPORT(proxy_on_request_headers)(u32 context, u32 count, u32 end) {
  begin();
  (void)count, (void)end;
  text path = header(REQUEST_HEADERS, TEXT(":path"));
  if (starts_with(path, TEXT("/public"))) return CONTINUE;
  text token = {0, 0};
  int has_token = find_header(REQUEST_HEADERS, TEXT("authorization"), &token);
  const text headers[][2] = {
      {TEXT(":method"), TEXT("GET")},
      {TEXT(":path"), TEXT("/check")},
      {TEXT(":authority"), TEXT("auth.local")},
      {TEXT("x-original-path"), path},
      {TEXT("authorization"), token},
  };
  u32 called = 0;
  if (call(TEXT("auth"), headers, has_token ? 5 : 4, 1000, &called) != OK) return refuse();
  return put_id(called, context) ? PAUSE : refuse();
}

// 200 lets it pass; the client sees 401 and 403; all else is no answer.
void EXPORT(proxy_on_http_call_response)(u32 context, u32 token, u32 count, u32 body_size, u32 trailers) {
  begin();
  (void)context, (void)count, (void)trailers;
  if (proxy_set_effective_context(take_id(token)) != OK) return;
  text status = header(HTTP_CALL_RESPONSE_HEADERS, TEXT(":status"));
  if (equals(status, TEXT("200"))) {
    text user = header(HTTP_CALL_RESPONSE_HEADERS, TEXT("x-auth-user"));
    replace_header(REQUEST_HEADERS, TEXT("x-auth-user"), user);
    remove_header(REQUEST_HEADERS, TEXT("authorization"));
    proxy_continue_stream(STREAM_REQUEST);
  } else if (equals(status, TEXT("401"))) {
    respond(401, buffer(HTTP_CALL_RESPONSE_BODY, body_size));
  } else if (equals(status, TEXT("403"))) {
    respond(403, buffer(HTTP_CALL_RESPONSE_BODY, body_size));
  } else {
    refuse();
  }
}

// A TCP filter: a connection must open with a line "HELLO name", which the upstream does not see;
// whoever opens with something else is cut off. The upstream's bytes get a mark in front, once.
#include "proxy-wasm.h"

#define STREAMS_MAX 64
enum { WAITING = 1, GREETED = 2, MARKED = 3 };
/** State by context id; ids grow, so slots are taken again. */
static struct {
  u32 context;
  u32 state;
} streams[STREAMS_MAX];

static u32 *state_of(u32 context) {
  u32 at = context % STREAMS_MAX;
  if (streams[at].context != context) {
    streams[at].context = context;
    streams[at].state = WAITING;
  }
  return &streams[at].state;
}

u32 EXPORT(proxy_on_new_connection)(u32 context) {
  begin();
  *state_of(context) = WAITING;
  say(LOG_WARN, TEXT("guard: new connection"));
  return CONTINUE;
}

static u32 refuse(void) {
  say(LOG_WARN, TEXT("guard: refused"));
  proxy_close_stream(STREAM_DOWNSTREAM);
  return PAUSE;
}

u32 EXPORT(proxy_on_downstream_data)(u32 context, u32 size, u32 end) {
  begin();
  u32 *state = state_of(context);
  if (*state != WAITING) return CONTINUE;
  u8 *data = 0;
  u32 got = 0;
  if (proxy_get_buffer_bytes(DOWNSTREAM_DATA, 0, size, &data, &got) != OK) return refuse();
  text line = {(const char *)data, 0};
  while (line.size < got && data[line.size] != '\n') line.size++;
  if (line.size == got) return end || got > 64 ? refuse() : PAUSE;
  if (!starts_with(line, TEXT("HELLO "))) return refuse();
  BUILDER(shown);
  put(&shown, TEXT("guard: hello from "));
  put(&shown, (text){line.at + 6, line.size - 6});
  say(LOG_WARN, built(&shown));
  proxy_set_buffer_bytes(DOWNSTREAM_DATA, 0, line.size + 1, "", 0);
  *state = GREETED;
  return CONTINUE;
}

u32 EXPORT(proxy_on_upstream_data)(u32 context, u32 size, u32 end) {
  begin();
  (void)end;
  u32 *state = state_of(context);
  if (*state != GREETED || size == 0) return CONTINUE;
  *state = MARKED;
  proxy_set_buffer_bytes(UPSTREAM_DATA, 0, 0, "[guarded] ", 10);
  return CONTINUE;
}

void EXPORT(proxy_on_downstream_connection_close)(u32 context, u32 peer) {
  begin();
  (void)context;
  BUILDER(shown);
  put(&shown, TEXT("guard: downstream closed by "));
  put_number(&shown, peer);
  say(LOG_WARN, built(&shown));
}

void EXPORT(proxy_on_upstream_connection_close)(u32 context, u32 peer) {
  begin();
  (void)context;
  BUILDER(shown);
  put(&shown, TEXT("guard: upstream closed by "));
  put_number(&shown, peer);
  say(LOG_WARN, built(&shown));
}

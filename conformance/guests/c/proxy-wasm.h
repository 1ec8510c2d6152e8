// The part of the proxy-wasm ABI 0.2.1 that the guests of this folder use, for a freestanding clang:
// no libc, no emscripten. Memory that the host asks for lives until the next callback begins.
#pragma once

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;

#define IMPORT(name) __attribute__((import_module("env"), import_name(#name))) u32 name
#define EXPORT(name) __attribute__((export_name(#name), visibility("default"))) name

enum { OK = 0, NOT_FOUND = 1 };
enum { LOG_DEBUG = 1, LOG_INFO = 2, LOG_WARN = 3, LOG_ERROR = 4 };
enum { CONTINUE = 0, PAUSE = 1 };
enum { REQUEST_HEADERS = 0, REQUEST_TRAILERS = 1, RESPONSE_HEADERS = 2, RESPONSE_TRAILERS = 3 };
enum { REQUEST_BODY = 0, RESPONSE_BODY = 1, DOWNSTREAM_DATA = 2, UPSTREAM_DATA = 3, PLUGIN_CONFIGURATION = 7 };
enum { STREAM_DOWNSTREAM = 2, STREAM_UPSTREAM = 3 };
enum { COUNTER = 0, GAUGE = 1, HISTOGRAM = 2 };

IMPORT(proxy_log)(u32 level, const char *text, u32 size);
IMPORT(proxy_get_buffer_bytes)(u32 type, u32 start, u32 max, u8 **data, u32 *size);
IMPORT(proxy_set_buffer_bytes)(u32 type, u32 start, u32 length, const void *data, u32 size);
IMPORT(proxy_get_header_map_value)
(u32 map, const char *key, u32 key_size, char **value, u32 *size);
IMPORT(proxy_get_header_map_pairs)(u32 map, u8 **data, u32 *size);
IMPORT(proxy_add_header_map_value)
(u32 map, const char *key, u32 key_size, const char *value, u32 size);
IMPORT(proxy_replace_header_map_value)
(u32 map, const char *key, u32 key_size, const char *value, u32 size);
IMPORT(proxy_remove_header_map_value)(u32 map, const char *key, u32 key_size);
IMPORT(proxy_send_local_response)
(u32 code, const char *details, u32 details_size, const char *body, u32 body_size,
 const void *headers, u32 headers_size, u32 grpc_status);
IMPORT(proxy_close_stream)(u32 stream);
IMPORT(proxy_define_metric)(u32 type, const char *name, u32 size, u32 *id);
IMPORT(proxy_increment_metric)(u32 id, i64 offset);
IMPORT(proxy_record_metric)(u32 id, u64 value);
IMPORT(proxy_get_metric)(u32 id, u64 *value);
IMPORT(proxy_get_property)(const char *path, u32 path_size, u8 **data, u32 *size);

/** A text that knows its size. */
typedef struct {
  const char *at;
  u32 size;
} text;

#define TEXT(literal) ((text){literal, sizeof(literal) - 1})
#ifndef ARENA_BYTES
#define ARENA_BYTES 262144
#endif
static u8 arena[ARENA_BYTES] __attribute__((aligned(16)));
static u32 arena_used;
/** Called by the host for what it hands over; 0 when the arena is full, which it must survive. */
void *EXPORT(malloc)(u32 size) {
  u32 start = (arena_used + 15) & ~15u;
  if (size > ARENA_BYTES - start) return 0;
  arena_used = start + size;
  return arena + start;
}

/** First thing in each callback: what the host handed over before is no longer needed. */
static inline void begin(void) { arena_used = 0; }

void EXPORT(proxy_abi_version_0_2_1)(void) {}

static inline void say(u32 level, text line) { proxy_log(level, line.at, line.size); }

static inline int starts_with(text whole, text start) {
  if (whole.size < start.size) return 0;
  for (u32 i = 0; i < start.size; i++)
    if (whole.at[i] != start.at[i]) return 0;
  return 1;
}

static inline int equals(text a, text b) { return a.size == b.size && starts_with(a, b); }

/** A header's first value; size 0 where there is none. */
static inline text header(u32 map, text name) {
  char *value = 0;
  u32 size = 0;
  if (proxy_get_header_map_value(map, name.at, name.size, &value, &size) != OK) size = 0;
  return (text){value, size};
}

static inline void add_header(u32 map, text name, text value) {
  proxy_add_header_map_value(map, name.at, name.size, value.at, value.size);
}

static inline void replace_header(u32 map, text name, text value) {
  proxy_replace_header_map_value(map, name.at, name.size, value.at, value.size);
}

static inline void remove_header(u32 map, text name) {
  proxy_remove_header_map_value(map, name.at, name.size);
}

/** Text under construction; what does not fit is left out. */
typedef struct {
  char at[512];
  u32 size;
} builder;

/** A local one, empty. Only its size is set: there is no memset here. */
#define BUILDER(name) \
  builder name;       \
  name.size = 0

static inline void put(builder *to, text part) {
  for (u32 i = 0; i < part.size && to->size < sizeof to->at; i++) to->at[to->size++] = part.at[i];
}

static inline void put_number(builder *to, u64 value) {
  char digits[20];
  u32 count = 0;
  do digits[count++] = (char)('0' + value % 10);
  while ((value /= 10) != 0);
  while (count > 0) put(to, (text){&digits[--count], 1});
}

static inline text built(const builder *from) { return (text){from->at, from->size}; }

enum { HTTP_CALL_RESPONSE_HEADERS = 6, HTTP_CALL_RESPONSE_BODY = 4 };
enum { STREAM_REQUEST = 0, STREAM_RESPONSE = 1 };

IMPORT(proxy_http_call)
(const char *cluster, u32 cluster_size, const u8 *headers, u32 headers_size, const char *body, u32 body_size,
 const u8 *trailers, u32 trailers_size, u32 timeout_ms, u32 *token);
IMPORT(proxy_continue_stream)(u32 stream);
IMPORT(proxy_set_effective_context)(u32 context);

/** Whether there is one; `value` is its first. */
static inline int find_header(u32 map, text name, text *value) {
  return proxy_get_header_map_value(map, name.at, name.size, (char **)&value->at, &value->size) == OK;
}

/** A buffer's bytes; size 0 where there are none. */
static inline text buffer(u32 type, u32 max) {
  u8 *data = 0;
  u32 size = 0;
  if (proxy_get_buffer_bytes(type, 0, max, &data, &size) != OK) size = 0;
  return (text){(const char *)data, size};
}

static inline char *copy(char *to, text from) {
  for (u32 i = 0; i < from.size; i++) to[i] = from.at[i];
  return to + from.size;
}

/** Both texts in the arena; the second alone when it is full. */
static inline text joined(text one, text other) {
  char *at = malloc(one.size + other.size);
  if (at == 0) return other;
  copy(copy(at, one), other);
  return (text){at, one.size + other.size};
}

static inline u8 *put_u32(u8 *to, u32 value) {
  for (u32 i = 0; i < 4; i++) to[i] = (u8)(value >> (8 * i));
  return to + 4;
}

/** Sends a request without a body; `headers` are `count` names and values. Another status than OK: refused. */
static inline u32 call(text cluster, const text (*headers)[2], u32 count, u32 timeout_ms, u32 *token) {
  u32 size = 4;
  for (u32 i = 0; i < count; i++) size += 8 + headers[i][0].size + 1 + headers[i][1].size + 1;
  u8 *pairs = malloc(size);
  if (pairs == 0) return NOT_FOUND;
  u8 *at = put_u32(pairs, count);
  for (u32 i = 0; i < 2 * count; i++) at = put_u32(at, headers[i / 2][i % 2].size);
  for (u32 i = 0; i < 2 * count; i++) {
    at = (u8 *)copy((char *)at, headers[i / 2][i % 2]);
    *at++ = 0;
  }
  return proxy_http_call(cluster.at, cluster.size, pairs, size, 0, 0, 0, 0, timeout_ms, token);
}

// From ids of the host to numbers: what each stream has, whose call a token is. It has a bound, no more
// memory than here.
#pragma once
#include "proxy-wasm.h"

#define IDS_MAX 16384
#define ID_LISTS 1024

typedef struct id_entry {
  u32 id, value;
  struct id_entry *next;
} id_entry;

static id_entry id_pool[IDS_MAX];
static id_entry *id_lists[ID_LISTS];
static id_entry *id_unused;
static u32 ids_used;

static inline id_entry **id_place(u32 id) {
  id_entry **at = &id_lists[id % ID_LISTS];
  while (*at != 0 && (*at)->id != id) at = &(*at)->next;
  return at;
}

/** False when there are too many. */
static inline int put_id(u32 id, u32 value) {
  id_entry *one = id_unused;
  if (one != 0) id_unused = one->next;
  else if (ids_used < IDS_MAX) one = &id_pool[ids_used++];
  else return 0;
  *one = (id_entry){id, value, id_lists[id % ID_LISTS]};
  id_lists[id % ID_LISTS] = one;
  return 1;
}

static inline int has_id(u32 id) { return *id_place(id) != 0; }

/** Its value, 0 where there is none; it is not there any more. */
static inline u32 take_id(u32 id) {
  id_entry **at = id_place(id);
  id_entry *one = *at;
  if (one == 0) return 0;
  *at = one->next;
  one->next = id_unused;
  id_unused = one;
  return one->value;
}

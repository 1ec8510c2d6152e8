// Is stopped where the request header x-fault says: trap, divide, loop. Made with its line table, by
// which a trap report tells these lines.
#include "proxy-wasm.h"

/** A function of its own, so that a report has frames; `volatile` keeps compilers from knowing. */
__attribute__((noinline)) static u32 quotient(u32 a, u32 b) {
  return a / b;
}

__attribute__((noinline)) static void give_up(void) {
  __builtin_trap();
}

__attribute__((noinline)) static u32 spin(volatile u32 *count) {
  for (;;) *count += 1;
}

__attribute__((noinline)) static u32 obey(text fault) {
  static volatile u32 number;
  if (equals(fault, TEXT("trap"))) give_up();
  if (equals(fault, TEXT("divide"))) return quotient(7, number);
  if (equals(fault, TEXT("loop"))) return spin(&number);
  return CONTINUE;
}

u32 EXPORT(proxy_on_request_headers)(u32 context, u32 count, u32 end) {
  begin();
  (void)context, (void)count, (void)end;
  text fault = header(REQUEST_HEADERS, TEXT("x-fault"));
  return fault.size == 0 ? CONTINUE : obey(fault);
}

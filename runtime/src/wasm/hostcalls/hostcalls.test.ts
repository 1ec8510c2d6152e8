// Statuses and results of hostcalls in on_request_headers, as recorded from Envoy 1.40 with the same
// guest. What differs from it on purpose says so.
import { expect, test } from "vitest";
import { answersOf, scriptedHost } from "../guest-script-for-test.ts";

/** What a stream's operations answer in order, where it is not what is written here. */
async function differences(rows: readonly (readonly [string, string])[]): Promise<string[]> {
  const host = await scriptedHost(rows.map(([operation]) => `request_headers ${operation}`));
  const { messages } = host.request({ path: "/a?b=c", headers: { "x-a": "1" } });
  host.close();
  const told = messages.filter((message) => message.includes(" -> "));
  const found = told.filter((line, i) => line !== `  ${rows[i]?.[0]} -> ${rows[i]?.[1]}`);
  return told.length === rows.length ? found : [`${told.length} answers`, ...found];
}

test("reading header maps", async () => {
  const found = await differences([
    ["get_header_map_value 0 :path", "0 [/a?b=c]"],
    ["get_header_map_value 0 X-A", "0 [1]"],
    ["get_header_map_value 0 host", "0 [example.com]"],
    ["get_header_map_value 0 nope", "1"],
    ["get_header_map_value 0", "1"],
    ["get_header_map_value 1 x", "2"],
    ["get_header_map_value 2 :status", "2"],
    ["get_header_map_value 4 x", "2"],
    ["get_header_map_value 8 x", "2"],
    ["get_header_map_size 0", "0 57"],
    ["get_header_map_size 6", "2"],
    ["get_header_map_size 9", "2"],
    ["get_header_map_pairs 2", "0 [0]"],
    ["get_header_map_pairs 8", "2"],
  ]);
  expect(found).toEqual([]);
});

test("header maps with pointers outside of memory", async () => {
  const found = await differences([
    ["get_header_map_value_raw 0 end 1 4 8", "6"],
    ["get_header_map_value_raw 0 max 0 4 8", "6"],
    ["get_header_map_value_raw 0 -16 16 4 8", "6"],
    ["get_header_map_value_raw 0 0 max 4 8", "6"],
    ["get_header_map_value_raw 2 0 0 4 8", "2"],
  ]);
  expect(found).toEqual([]);
});

test("changing header maps", async () => {
  const found = await differences([
    ["add_header_map_value 0 X-New 1", "0"],
    ["add_header_map_value 0 x-new 2", "0"],
    ["get_header_map_value 0 X-NEW", "0 [1]"],
    ["replace_header_map_value 0 x-new 3", "0"],
    ["get_header_map_value 0 x-new", "0 [3]"],
    ["remove_header_map_value 0 x-new", "0"],
    ["remove_header_map_value 0 x-new", "0"],
    ["get_header_map_value 0 x-new", "1"],
    ["add_header_map_value 2 a b", "2"],
    ["replace_header_map_value 9 a b", "2"],
    ["remove_header_map_value 1 a", "2"],
    ["set_header_map_pairs 2 a=b", "2"],
  ]);
  expect(found).toEqual([]);
});

test("adding to a header that stands once makes a list of it, adding to others an entry", async () => {
  const found = await differences([
    ["add_header_map_value 0 :path /x", "0"],
    ["get_header_map_value 0 :path", "0 [/a?b=c,/x]"],
    ["add_header_map_value 0 host h2", "0"],
    ["get_header_map_value 0 :authority", "0 [example.com,h2]"],
    ["add_header_map_value 0 via 1", "0"],
    ["add_header_map_value 0 via 2", "0"],
    ["get_header_map_value 0 via", "0 [1,2]"],
    ["add_header_map_value 0 cookie a=1", "0"],
    ["add_header_map_value 0 cookie b=2", "0"],
    ["get_header_map_value 0 cookie", "0 [a=1]"],
  ]);
  expect(found).toEqual([]);
});

test("replacing all pairs keeps their order and repetitions", async () => {
  const found = await differences([
    ["set_header_map_pairs 0 :method=GET,:path=/c,:authority=z,d=1,D=2", "0"],
    [
      "get_header_map_pairs 0",
      "0 [%05%00%00%00%07%00%00%00%03%00%00%00%05%00%00%00%02%00%00%00%0a%00%00%00%01%00%00%00" +
        "%01%00%00%00%01%00%00%00%01%00%00%00%01%00%00%00:method%00GET%00:path%00/c%00" +
        ":authority%00z%00d%001%00d%002%00]",
    ],
    ["set_header_map_pairs 0 ~", "0"],
    ["get_header_map_pairs 0", "0 [0]"],
  ]);
  expect(found).toEqual([]);
});

test("line breaks and malformed lists are refused, which Envoy does not", async () => {
  const found = await differences([
    ["add_header_map_value 0 x-b a%0d%0ax-evil:1", "2"],
    ["replace_header_map_value 0 x-b a%00", "2"],
    ["add_header_map_value 0 x%0a a", "2"],
    ["add_header_map_value 0 % a", "2"],
    ["set_header_map_pairs 0 x=a%0d%0ab", "2"],
    ["set_header_map_pairs 0 !%01%00%00", "2"],
    ["set_header_map_pairs 0 !%ff%ff%ff%ff", "2"],
    ["send_local_response 200 ok body x=a%0ab -1", "2"],
    ["get_header_map_value 0 x-a", "0 [1]"],
  ]);
  expect(found).toEqual([]);
});

test("buffers outside of their callbacks", async () => {
  const found = await differences([
    ["get_buffer_bytes 0 0 max", "0 [0]"],
    ["get_buffer_status 0", "0 0 0"],
    ["get_buffer_bytes 2 0 max", "0 [0]"],
    ["set_buffer_bytes 0 0 max x", "2"],
    ["get_buffer_status 4", "1"],
    ["get_buffer_status 5", "0 0 0"],
    ["get_buffer_bytes 6 0 15", "0 [request_headers]"],
    ["get_buffer_status 7", "1"],
    ["get_buffer_status 9", "2"],
    ["get_buffer_bytes max 0 0", "2"],
    ["set_buffer_bytes 4 0 0 x", "1"],
    ["set_buffer_bytes 5 0 0 x", "2"],
    ["set_buffer_bytes 6 0 0 x", "2"],
    ["set_buffer_bytes 7 0 0 x", "1"],
    ["set_buffer_bytes 9 0 0 x", "2"],
    ["set_buffer_bytes_raw 0 0 0 end 1", "6"],
  ]);
  expect(found).toEqual([]);
});

test("streams and contexts", async () => {
  const found = await differences([
    ["continue_stream 2", "0"],
    ["continue_stream 3", "12"],
    ["continue_stream 4", "2"],
    ["continue_stream max", "2"],
    ["close_stream 2", "0"],
    ["close_stream 4", "2"],
    ["done", "1"],
    ["set_effective_context 99", "2"],
    ["set_effective_context 1", "0"],
    ["get_header_map_value 0 :path", "2"],
    ["set_effective_context 2", "0"],
    ["get_header_map_value 0 :path", "0 [/a?b=c]"],
    ["continue_stream 0", "0"],
    ["get_header_map_value 0 :path", "2"],
  ]);
  expect(found).toEqual([]);
});

test("callouts to clusters that nobody knows", async () => {
  const found = await differences([
    ["http_call nope :path=/,:method=GET,:authority=a ~ ~ 100", "2 0"],
    ["grpc_call nope", "4"],
    ["grpc_send 6", "1"],
    ["grpc_send 5", "2"],
    ["grpc_cancel 5", "1"],
    ["grpc_cancel 6", "1"],
    ["grpc_cancel 4", "2"],
    ["grpc_close 7", "2"],
    ["get_status", "0 0 []"],
  ]);
  expect(found).toEqual([]);
});

test("logging", async () => {
  const found = await differences([
    ["get_log_level", "0 0"],
    ["log 6 x", "2"],
    ["log max x", "2"],
    ["log 5 text", "0"],
    ["log_raw 2 end 0", "0"],
    ["log_raw 2 end-2 2", "0"],
    ["log_raw 2 end-2 3", "6"],
    ["log_raw 2 -16 16", "6"],
    ["log_raw 2 max 0", "6"],
  ]);
  expect(found).toEqual([]);
});

test("metrics", async () => {
  const found = await differences([
    ["define_metric 0 c", "0 4"],
    ["define_metric 0 c", "0 8"],
    ["define_metric 1 g", "0 5"],
    ["define_metric 2 h", "0 6"],
    ["define_metric 3 x", "2"],
    ["increment_metric 4 2", "0"],
    ["increment_metric 4 0", "2"],
    ["increment_metric 4 -1", "2"],
    ["record_metric 4 5", "0"],
    ["get_metric 8", "0 7"],
    ["record_metric 5 7", "0"],
    ["increment_metric 5 -3", "0"],
    ["get_metric 5", "0 4"],
    ["record_metric 6 1", "0"],
    ["increment_metric 6 1", "2"],
    ["get_metric 6", "2"],
    ["get_metric 7", "2"],
    ["get_metric 400", "1"],
    ["get_metric 402", "2"],
    ["record_metric 402 1", "1"],
    ["increment_metric 402 1", "2"],
    ["record_metric 403 1", "1"],
    ["increment_metric 403 1", "2"],
    ["increment_metric 400 -1", "1"],
    ["record_metric 401 1", "1"],
    ["get_metric 0", "1"],
  ]);
  expect(found).toEqual([]);
});

test("shared data and queues", async () => {
  const found = await differences([
    ["get_shared_data k", "1"],
    ["set_shared_data k v 0", "0"],
    ["get_shared_data k", "0 [v]"],
    ["set_shared_data k v2 99", "8"],
    ["set_shared_data k v2 1", "0"],
    ["set_shared_data other v 77", "0"],
    ["get_shared_data k", "0 [v2]"],
    ["register_shared_queue q", "0 1"],
    ["register_shared_queue q", "0 1"],
    ["resolve_shared_queue other q", "1"],
    ["enqueue_shared_queue 1 item", "0"],
    ["enqueue_shared_queue 99 x", "1"],
    ["dequeue_shared_queue 1", "0 [item]"],
    ["dequeue_shared_queue 1", "7"],
    ["dequeue_shared_queue 99", "1"],
  ]);
  expect(found).toEqual([]);
});

test("foreign functions", async () => {
  const found = await differences([
    ["call_foreign_function nope x", "1"],
    ["call_foreign_function clear_route_cache", "0 [0]"],
  ]);
  expect(found).toEqual([]);
});

test("wasi", async () => {
  const found = await differences([
    ["fd_write 1 hello%0a", "0 6"],
    ["fd_write 2 err", "0 3"],
    ["fd_write 3 x", "8"],
    ["clock_time_get 3", "58"],
    ["clock_time_get 1", "0 1000000000"],
    ["path_open", "44"],
    ["random_get 70000", "28 %00%00%00%00%00%00%00%00"],
    ["environ_get", "0 0 []"],
  ]);
  expect(found).toEqual([]);
});

test("wasi shows the configured environment and nothing else", async () => {
  const answers = await answersOf(["environ_get"], { environment: { A: "1", LONG: "x y" } });
  expect(answers).toEqual(["0 2 [A=1%00LONG=x%20y%00]"]);
});

test("wasi output is logged, the last line feed cut", async () => {
  const host = await scriptedHost([
    "request_headers fd_write 1 to%20out%0a%0a",
    "request_headers fd_write 2 to%20err",
  ]);
  const { logs } = host.request();
  expect(logs).toContainEqual({ level: "info", message: "to out\n", isGuests: true });
  expect(logs).toContainEqual({ level: "error", message: "to err", isGuests: true });
  host.close();
});

test("the wall clock is told in nanoseconds, to an address that is not aligned", async () => {
  const [told] = await answersOf(["get_current_time"]);
  expect(told).toMatch(/^0 17672256010\d{8}$/);
});

test("random bytes come from the host's source", async () => {
  const first = await answersOf(["random_get 8"], { seed: 7 });
  const same = await answersOf(["random_get 8"], { seed: 7 });
  const other = await answersOf(["random_get 8"], { seed: 8 });
  expect(first).toEqual(same);
  expect(first).not.toEqual(other);
});

test("restricted hostcalls answer without effect, wasi ones with their errno", async () => {
  const allowedCapabilities = [
    "proxy_on_context_create",
    "proxy_on_vm_start",
    "proxy_on_request_headers",
    "proxy_get_buffer_bytes",
    "proxy_log",
    "proxy_get_header_map_value",
  ];
  const operations = [
    "get_header_map_value 0 :path",
    "add_header_map_value 0 a b",
    "clock_time_get 0",
    "get_header_map_value 0 a",
  ];
  const answers = await answersOf(operations, { allowedCapabilities });
  expect(answers).toEqual(["0 [/a?b=c]", "10", "76", "1"]);
});

test("restricted callbacks are not called", async () => {
  const host = await scriptedHost([], {
    allowedCapabilities: ["proxy_on_vm_start", "proxy_log", "proxy_on_log"],
  });
  expect(host.request().messages).toEqual(["log(2)"]);
  host.close();
});

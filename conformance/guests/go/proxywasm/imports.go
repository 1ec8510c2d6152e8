// Package proxywasm binds the proxy-wasm ABI 0.2.1 to plain Go: no TinyGo, no SDK. A guest sets Plugin in
// an init function; exports.go hands it the callbacks.
package proxywasm

import "unsafe"

type ptr = unsafe.Pointer

//go:wasmimport env proxy_log
func proxyLog(level uint32, text ptr, size uint32) uint32

//go:wasmimport env proxy_set_tick_period_milliseconds
func proxySetTickPeriod(ms uint32) uint32

//go:wasmimport env proxy_get_buffer_bytes
func proxyGetBufferBytes(kind, start, max uint32, data, size ptr) uint32

//go:wasmimport env proxy_get_header_map_value
func proxyGetHeader(kind uint32, key ptr, keySize uint32, value, size ptr) uint32

//go:wasmimport env proxy_add_header_map_value
func proxyAddHeader(kind uint32, key ptr, keySize uint32, value ptr, size uint32) uint32

//go:wasmimport env proxy_replace_header_map_value
func proxyReplaceHeader(kind uint32, key ptr, keySize uint32, value ptr, size uint32) uint32

//go:wasmimport env proxy_remove_header_map_value
func proxyRemoveHeader(kind uint32, key ptr, keySize uint32) uint32

//go:wasmimport env proxy_define_metric
func proxyDefineMetric(kind uint32, name ptr, size uint32, id ptr) uint32

//go:wasmimport env proxy_increment_metric
func proxyIncrementMetric(id uint32, offset int64) uint32

//go:wasmimport env proxy_record_metric
func proxyRecordMetric(id uint32, value uint64) uint32

//go:wasmimport env proxy_get_property
func proxyGetProperty(path ptr, pathSize uint32, value, size ptr) uint32

//go:wasmimport env proxy_call_foreign_function
func proxyCallForeign(name ptr, nameSize uint32, args ptr, argsSize uint32, out, outSize ptr) uint32

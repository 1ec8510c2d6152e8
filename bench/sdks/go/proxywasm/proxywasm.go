// Package proxywasm binds what the three filters use of the proxy-wasm ABI 0.2.1 to plain Go: no TinyGo,
// no SDK. A filter exports the callbacks that it wants by itself.
package proxywasm

import (
	"encoding/binary"
	"unsafe"
)

type ptr = unsafe.Pointer

//go:wasmimport env proxy_get_header_map_value
func getHeader(kind uint32, key ptr, keySize uint32, value, size ptr) uint32

//go:wasmimport env proxy_replace_header_map_value
func replaceHeader(kind uint32, key ptr, keySize uint32, value ptr, size uint32) uint32

//go:wasmimport env proxy_remove_header_map_value
func removeHeader(kind uint32, key ptr, keySize uint32) uint32

//go:wasmimport env proxy_get_buffer_bytes
func getBuffer(kind, start, max uint32, data, size ptr) uint32

//go:wasmimport env proxy_set_buffer_bytes
func setBuffer(kind, start, length uint32, data ptr, size uint32) uint32

//go:wasmimport env proxy_http_call
func httpCall(cluster ptr, clusterSize uint32, headers ptr, headersSize uint32, body ptr, bodySize uint32, trailers ptr, trailersSize uint32, timeoutMs uint32, token ptr) uint32

//go:wasmimport env proxy_send_local_response
func sendLocalResponse(code uint32, details ptr, detailsSize uint32, body ptr, bodySize uint32, headers ptr, headersSize uint32, grpcStatus uint32) uint32

//go:wasmimport env proxy_set_effective_context
func setEffectiveContext(context uint32) uint32

//go:wasmimport env proxy_continue_stream
func continueStream(stream uint32) uint32

// What a callback answers.
const (
	Continue uint32 = 0
	Pause    uint32 = 1
)

// Header maps.
const (
	RequestHeaders      uint32 = 0
	ResponseHeaders     uint32 = 2
	CallResponseHeaders uint32 = 6
)

// Buffers.
const (
	ResponseBody     uint32 = 1
	CallResponseBody uint32 = 4
)

const noGrpcStatus = 0xffffffff

// What the host asked for last: each hostcall asks once, and its result is taken at once.
var lent []byte

// Streams by the calls that they wait for.
var waiting = map[uint32]uint32{}

// Where the host writes what it returns. Not on a stack, which Go moves.
var outAt, outSize, outToken uint32

//go:wasmexport malloc
func allocate(size uint32) uint32 {
	lent = make([]byte, max(size, 1))
	return uint32(uintptr(ptr(unsafe.SliceData(lent))))
}

//go:wasmexport proxy_abi_version_0_2_1
func abiVersion() {}

func text(s string) (ptr, uint32) {
	return ptr(unsafe.StringData(s)), uint32(len(s))
}

func data(b []byte) (ptr, uint32) {
	return ptr(unsafe.SliceData(b)), uint32(len(b))
}

func taken() []byte {
	result := lent[:min(int(outSize), len(lent))]
	lent = nil
	return result
}

// Header is the first value; false where there is none.
func Header(kind uint32, name string) (string, bool) {
	key, keySize := text(name)
	if getHeader(kind, key, keySize, ptr(&outAt), ptr(&outSize)) != 0 {
		return "", false
	}
	value := taken()
	return unsafe.String(unsafe.SliceData(value), len(value)), true
}

// SetHeader replaces all entries of a name.
func SetHeader(kind uint32, name, value string) {
	key, keySize := text(name)
	at, size := text(value)
	replaceHeader(kind, key, keySize, at, size)
}

// RemoveHeader removes all entries of a name.
func RemoveHeader(kind uint32, name string) {
	key, keySize := text(name)
	removeHeader(kind, key, keySize)
}

// Bytes are the first `max` of a buffer; false where there are none.
func Bytes(kind, max uint32) ([]byte, bool) {
	if getBuffer(kind, 0, max, ptr(&outAt), ptr(&outSize)) != 0 {
		return nil, false
	}
	return taken(), true
}

// SetBytes replaces the first `length` bytes of a buffer.
func SetBytes(kind, length uint32, bytes []byte) {
	at, size := data(bytes)
	setBuffer(kind, 0, length, at, size)
}

// Call sends a stream's request without a body; headers are name, value, name, value. False when it was
// refused.
func Call(stream uint32, cluster string, headers []string, timeoutMs uint32) bool {
	at, size := text(cluster)
	pairs, pairsSize := data(encode(headers))
	if httpCall(at, size, pairs, pairsSize, nil, 0, nil, 0, timeoutMs, ptr(&outToken)) != 0 {
		return false
	}
	waiting[outToken] = stream
	return true
}

// Answered turns to the stream that has made a call: the plugin gets the answer. False when it is gone.
func Answered(token uint32) bool {
	stream := waiting[token]
	delete(waiting, token)
	return setEffectiveContext(stream) == 0
}

// Respond answers the request.
func Respond(status uint32, body []byte) {
	at, size := data(body)
	sendLocalResponse(status, nil, 0, at, size, nil, 0, noGrpcStatus)
}

// ContinueRequest lets a paused request go on.
func ContinueRequest() {
	continueStream(0)
}

func encode(pairs []string) []byte {
	result := binary.LittleEndian.AppendUint32(nil, uint32(len(pairs)/2))
	for _, part := range pairs {
		result = binary.LittleEndian.AppendUint32(result, uint32(len(part)))
	}
	for _, part := range pairs {
		result = append(append(result, part...), 0)
	}
	return result
}

package proxywasm

import "unsafe"

// Action is what a stream callback answers.
type Action uint32

// Goes on, or waits.
const (
	Continue Action = 0
	Pause    Action = 1
)

// Root is a plugin: one per configuration.
type Root interface {
	OnConfigure(size uint32) bool
	OnTick()
	NewStream() Stream
}

// Stream is one request with its response.
type Stream interface {
	OnRequestHeaders(count uint32, end bool) Action
	OnResponseHeaders(count uint32, end bool) Action
	OnLog()
}

// NewRoot makes a plugin by its root_id; a guest sets it before any callback.
var NewRoot func(rootID string) Root

var (
	roots   = map[uint32]Root{}
	streams = map[uint32]Stream{}
	// What the host asked for and has not been taken yet: the collector must not free it.
	handedOut = map[uint32][]byte{}
)

//go:wasmexport malloc
func allocate(size uint32) uint32 {
	bytes := make([]byte, max(size, 1))
	at := uint32(uintptr(ptr(unsafe.SliceData(bytes))))
	handedOut[at] = bytes
	return at
}

func take(at uint32) []byte {
	bytes := handedOut[at]
	delete(handedOut, at)
	return bytes
}

//go:wasmexport proxy_abi_version_0_2_1
func abiVersion() {}

//go:wasmexport proxy_on_context_create
func onContextCreate(id, parent uint32) {
	if parent == 0 {
		rootID, _ := Property("plugin_root_id")
		roots[id] = NewRoot(rootID)
	} else {
		streams[id] = roots[parent].NewStream()
	}
}

//go:wasmexport proxy_on_configure
func onConfigure(id, size uint32) uint32 {
	if roots[id].OnConfigure(size) {
		return 1
	}
	return 0
}

//go:wasmexport proxy_on_tick
func onTick(id uint32) {
	roots[id].OnTick()
}

//go:wasmexport proxy_on_request_headers
func onRequestHeaders(id, count, end uint32) uint32 {
	return uint32(streams[id].OnRequestHeaders(count, end != 0))
}

//go:wasmexport proxy_on_response_headers
func onResponseHeaders(id, count, end uint32) uint32 {
	return uint32(streams[id].OnResponseHeaders(count, end != 0))
}

//go:wasmexport proxy_on_log
func onLog(id uint32) {
	if stream, ok := streams[id]; ok {
		stream.OnLog()
	}
}

//go:wasmexport proxy_on_delete
func onDelete(id uint32) {
	delete(streams, id)
	delete(roots, id)
}

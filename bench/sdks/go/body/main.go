// Replaces "secret" by "[hidden]" in the bytes of whole text responses.
package main

import (
	"bytes"
	"strings"

	"sdks/proxywasm"
)

var secret = []byte("secret")
var hidden = []byte("[hidden]")

// Streams whose response is text.
var texts = map[uint32]bool{}

//go:wasmexport proxy_on_response_headers
func onResponseHeaders(id, _, end uint32) uint32 {
	kind, _ := proxywasm.Header(proxywasm.ResponseHeaders, "content-type")
	if end == 0 && strings.HasPrefix(kind, "text/") {
		texts[id] = true
		proxywasm.RemoveHeader(proxywasm.ResponseHeaders, "content-length")
	}
	return proxywasm.Continue
}

//go:wasmexport proxy_on_response_body
func onResponseBody(id, size, end uint32) uint32 {
	if !texts[id] {
		return proxywasm.Continue
	}
	if end == 0 {
		return proxywasm.Pause
	}
	if body, ok := proxywasm.Bytes(proxywasm.ResponseBody, size); ok {
		proxywasm.SetBytes(proxywasm.ResponseBody, size, bytes.ReplaceAll(body, secret, hidden))
	}
	return proxywasm.Continue
}

//go:wasmexport proxy_on_delete
func onDelete(id uint32) {
	delete(texts, id)
}

func main() {}

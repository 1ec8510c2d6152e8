// Tells the upstream what kind of device asks, moves an old path, and marks responses.
package main

import (
	"strings"

	"sdks/proxywasm"
)

//go:wasmexport proxy_on_request_headers
func onRequestHeaders(_, _, _ uint32) uint32 {
	agent, _ := proxywasm.Header(proxywasm.RequestHeaders, "user-agent")
	device := "desktop"
	if strings.Contains(agent, "Mobile") {
		device = "mobile"
	}
	proxywasm.SetHeader(proxywasm.RequestHeaders, "x-device", device)
	path, _ := proxywasm.Header(proxywasm.RequestHeaders, ":path")
	if rest, ok := strings.CutPrefix(path, "/old/"); ok {
		proxywasm.SetHeader(proxywasm.RequestHeaders, ":path", "/new/"+rest)
	}
	proxywasm.RemoveHeader(proxywasm.RequestHeaders, "x-internal")
	return proxywasm.Continue
}

//go:wasmexport proxy_on_response_headers
func onResponseHeaders(_, _, _ uint32) uint32 {
	proxywasm.SetHeader(proxywasm.ResponseHeaders, "x-filtered", "yes")
	proxywasm.RemoveHeader(proxywasm.ResponseHeaders, "x-powered-by")
	return proxywasm.Continue
}

func main() {}

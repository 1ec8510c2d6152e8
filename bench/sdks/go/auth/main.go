// Asks the cluster `auth` about each request outside /public.
package main

import (
	"strings"

	"sdks/proxywasm"
)

//go:wasmexport proxy_on_request_headers
func onRequestHeaders(id, _, _ uint32) uint32 {
	path, _ := proxywasm.Header(proxywasm.RequestHeaders, ":path")
	if strings.HasPrefix(path, "/public") {
		return proxywasm.Continue
	}
	headers := []string{
		":method", "GET",
		":path", "/check",
		":authority", "auth.local",
		"x-original-path", path,
	}
	if token, ok := proxywasm.Header(proxywasm.RequestHeaders, "authorization"); ok {
		headers = append(headers, "authorization", token)
	}
	if !proxywasm.Call(id, "auth", headers, 1000) {
		refuse()
	}
	return proxywasm.Pause
}

// 200 lets it pass; the client sees 401 and 403; all else is no answer.
//
//go:wasmexport proxy_on_http_call_response
func onCallResponse(_, token, _, bodySize, _ uint32) {
	if !proxywasm.Answered(token) {
		return
	}
	status, _ := proxywasm.Header(proxywasm.CallResponseHeaders, ":status")
	switch status {
	case "200":
		user, _ := proxywasm.Header(proxywasm.CallResponseHeaders, "x-auth-user")
		proxywasm.SetHeader(proxywasm.RequestHeaders, "x-auth-user", user)
		proxywasm.RemoveHeader(proxywasm.RequestHeaders, "authorization")
		proxywasm.ContinueRequest()
	case "401":
		deny(401, bodySize)
	case "403":
		deny(403, bodySize)
	default:
		refuse()
	}
}

func deny(status, bodySize uint32) {
	body, _ := proxywasm.Bytes(proxywasm.CallResponseBody, bodySize)
	proxywasm.Respond(status, body)
}

func refuse() {
	proxywasm.Respond(503, []byte("no authorization\n"))
}

func main() {}

package main

import (
	"strconv"
	"strings"

	"guests/proxywasm"
)

// Edits headers as all guests called so.
type headerEdit struct{ plainRoot }

func (*headerEdit) NewStream() proxywasm.Stream { return edit{} }

type edit struct{ plainStream }

func (edit) OnRequestHeaders(uint32, bool) proxywasm.Action {
	path, _ := proxywasm.Header(proxywasm.RequestHeaders, ":path")
	if rest, ok := strings.CutPrefix(path, "/old/"); ok {
		proxywasm.SetHeader(proxywasm.RequestHeaders, ":path", "/new/"+rest)
	}
	proxywasm.AddHeader(proxywasm.RequestHeaders, "x-guest", "go")
	proxywasm.SetHeader(proxywasm.RequestHeaders, "user-agent", "guest")
	proxywasm.RemoveHeader(proxywasm.RequestHeaders, "x-remove")
	return proxywasm.Continue
}

func (edit) OnResponseHeaders(count uint32, _ bool) proxywasm.Action {
	proxywasm.AddHeader(proxywasm.ResponseHeaders, "x-guest", "go")
	proxywasm.SetHeader(proxywasm.ResponseHeaders, "x-header-count", strconv.Itoa(int(count)))
	proxywasm.RemoveHeader(proxywasm.ResponseHeaders, "x-secret")
	return proxywasm.Continue
}

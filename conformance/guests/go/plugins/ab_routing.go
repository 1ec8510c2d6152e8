package main

import (
	"fmt"
	"strings"

	"guests/proxywasm"
)

const cookie = "version="

// Keeps a client on one of two versions of a site by a cookie.
type abRouting struct {
	plainRoot
	served int
}

func (r *abRouting) NewStream() proxywasm.Stream { return &routing{root: r} }

// What x-version says leads to a route; who has no cookie gets the versions in turn.
type routing struct {
	root    *abRouting
	version string
	isNew   bool
}

func versionIn(cookies string) string {
	for _, part := range strings.Split(cookies, ";") {
		if value, ok := strings.CutPrefix(strings.TrimSpace(part), cookie); ok {
			return value
		}
	}
	return ""
}

func (s *routing) OnRequestHeaders(uint32, bool) proxywasm.Action {
	cookies, _ := proxywasm.Header(proxywasm.RequestHeaders, "cookie")
	s.version = versionIn(cookies)
	if s.version != "a" && s.version != "b" {
		s.isNew = true
		s.version = string(rune('a' + s.root.served%2))
		s.root.served++
	}
	proxywasm.SetHeader(proxywasm.RequestHeaders, "x-version", s.version)
	if status := proxywasm.ClearRouteCache(); status != proxywasm.OK {
		proxywasm.Warn(fmt.Sprintf("route cache: %d", status))
	}
	return proxywasm.Continue
}

func (s *routing) OnResponseHeaders(uint32, bool) proxywasm.Action {
	if s.isNew {
		proxywasm.AddHeader(proxywasm.ResponseHeaders, "set-cookie", cookie+s.version+"; Path=/")
	}
	cluster, _ := proxywasm.Property("xds", "cluster_name")
	proxywasm.SetHeader(proxywasm.ResponseHeaders, "x-cluster", cluster)
	return proxywasm.Continue
}

func (s *routing) OnLog() {
	route, _ := proxywasm.Property("xds", "route_name")
	proxywasm.Warn("routed to " + route + " for version " + s.version)
}

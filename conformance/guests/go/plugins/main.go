// The Go guests: three plugins in one module (each is 2.5 MB by the Go runtime alone), told apart by root_id.
package main

import "guests/proxywasm"

func init() {
	proxywasm.NewRoot = func(rootID string) proxywasm.Root {
		switch rootID {
		case "ab-routing":
			return &abRouting{}
		case "counting":
			return &counting{counts: map[string]uint64{}, metrics: map[string]proxywasm.Metric{}}
		default:
			return &headerEdit{}
		}
	}
}

func main() {}

// What plugins have that need nothing of their own.
type plainRoot struct{}

func (plainRoot) OnConfigure(uint32) bool { return true }
func (plainRoot) OnTick()                 {}

type plainStream struct{}

func (plainStream) OnRequestHeaders(uint32, bool) proxywasm.Action  { return proxywasm.Continue }
func (plainStream) OnResponseHeaders(uint32, bool) proxywasm.Action { return proxywasm.Continue }
func (plainStream) OnLog()                                          {}

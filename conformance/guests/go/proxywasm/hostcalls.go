package proxywasm

import (
	"strings"
	"unsafe"
)

// Status is what a hostcall answers.
type Status uint32

// The answers that guests here tell apart.
const (
	OK       Status = 0
	NotFound Status = 1
)

// Map names a header map.
type Map uint32

// The header maps of a stream.
const (
	RequestHeaders  Map = 0
	ResponseHeaders Map = 2
)

// Metric is the id of a stat.
type Metric uint32

// Kinds of stats.
const (
	Counter uint32 = 0
	Gauge   uint32 = 1
)

const (
	levelWarn           = 3
	pluginConfiguration = 7
)

func text(s string) (ptr, uint32) {
	return ptr(unsafe.StringData(s)), uint32(len(s))
}

// A place for what the host returns: an address and a size.
type result struct {
	at   uint32
	size uint32
}

func (r *result) String() string {
	bytes := take(r.at)
	return string(bytes[:min(int(r.size), len(bytes))])
}

// Warn writes to the proxy's log.
func Warn(line string) {
	at, size := text(line)
	proxyLog(levelWarn, at, size)
}

// SetTickPeriod asks for OnTick every so many milliseconds.
func SetTickPeriod(ms uint32) Status {
	return Status(proxySetTickPeriod(ms))
}

// Configuration is the plugin's, in OnConfigure only.
func Configuration(size uint32) string {
	var got result
	if proxyGetBufferBytes(pluginConfiguration, 0, size, ptr(&got.at), ptr(&got.size)) != 0 {
		return ""
	}
	return got.String()
}

// Header is the first value; false where there is none.
func Header(kind Map, name string) (string, bool) {
	at, size := text(name)
	var got result
	if proxyGetHeader(uint32(kind), at, size, ptr(&got.at), ptr(&got.size)) != 0 {
		return "", false
	}
	return got.String(), true
}

// AddHeader appends another entry.
func AddHeader(kind Map, name, value string) Status {
	n, nameSize := text(name)
	v, size := text(value)
	return Status(proxyAddHeader(uint32(kind), n, nameSize, v, size))
}

// SetHeader replaces all entries of a name.
func SetHeader(kind Map, name, value string) Status {
	n, nameSize := text(name)
	v, size := text(value)
	return Status(proxyReplaceHeader(uint32(kind), n, nameSize, v, size))
}

// RemoveHeader removes all entries of a name.
func RemoveHeader(kind Map, name string) Status {
	at, size := text(name)
	return Status(proxyRemoveHeader(uint32(kind), at, size))
}

// DefineMetric makes a stat, or finds it.
func DefineMetric(kind uint32, name string) Metric {
	at, size := text(name)
	var id uint32
	proxyDefineMetric(kind, at, size, ptr(&id))
	return Metric(id)
}

// Add changes a counter or gauge.
func (m Metric) Add(offset int64) Status {
	return Status(proxyIncrementMetric(uint32(m), offset))
}

// Record sets a gauge.
func (m Metric) Record(value uint64) Status {
	return Status(proxyRecordMetric(uint32(m), value))
}

// Property is an attribute's bytes; false where there is none.
func Property(path ...string) (string, bool) {
	at, size := text(strings.Join(path, "\x00"))
	var got result
	if proxyGetProperty(at, size, ptr(&got.at), ptr(&got.size)) != 0 {
		return "", false
	}
	return got.String(), true
}

// ClearRouteCache asks the proxy to choose the route again.
func ClearRouteCache() Status {
	at, size := text("clear_route_cache")
	return Status(proxyCallForeign(at, size, nil, 0, nil, nil))
}

package main

import (
	"fmt"
	"sort"
	"strconv"

	"guests/proxywasm"
)

const hostsMax = 100

// Counts requests by host in memory and publishes the counts on a timer, so that a request costs no more
// than a map. Configuration: the period in milliseconds.
type counting struct {
	counts  map[string]uint64
	metrics map[string]proxywasm.Metric
	ticks   proxywasm.Metric
}

func (r *counting) OnConfigure(size uint32) bool {
	ms, err := strconv.Atoi(proxywasm.Configuration(size))
	if err != nil || ms <= 0 {
		proxywasm.Warn(fmt.Sprintf("configuration must be milliseconds: %v", err))
		return false
	}
	r.ticks = proxywasm.DefineMetric(proxywasm.Gauge, "go_guest.has_ticked")
	return proxywasm.SetTickPeriod(uint32(ms)) == proxywasm.OK
}

func (r *counting) OnTick() {
	r.ticks.Record(1)
	hosts := make([]string, 0, len(r.counts))
	for host := range r.counts {
		hosts = append(hosts, host)
	}
	sort.Strings(hosts)
	for _, host := range hosts {
		metric, ok := r.metrics[host]
		if !ok {
			metric = proxywasm.DefineMetric(proxywasm.Counter, "go_guest.requests."+host)
			r.metrics[host] = metric
		}
		metric.Add(int64(r.counts[host]))
		proxywasm.Warn(fmt.Sprintf("%s: %d requests", host, r.counts[host]))
		delete(r.counts, host)
	}
}

func (r *counting) NewStream() proxywasm.Stream { return &counted{root: r} }

type counted struct {
	plainStream
	root *counting
}

func (s *counted) OnRequestHeaders(uint32, bool) proxywasm.Action {
	host, _ := proxywasm.Header(proxywasm.RequestHeaders, ":authority")
	if _, ok := s.root.counts[host]; ok || len(s.root.counts) < hostsMax {
		s.root.counts[host]++
	}
	return proxywasm.Continue
}

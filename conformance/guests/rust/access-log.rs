//! An access logger (envoy.access_loggers.wasm): one line of JSON per request to the proxy's log, and
//! counters by status.
use log::warn;
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, RootContext};
use proxy_wasm::types::{LogLevel, MapType, MetricType};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Warn);
    proxy_wasm::set_root_context(|_| Box::new(AccessLog { lines: 0 }));
}}

struct AccessLog {
    lines: u32,
}

impl AccessLog {
    fn text(&self, path: &[&str]) -> String {
        let bytes = self.get_property(path.to_vec()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /** Integers come as 8 bytes, little endian. */
    fn number(&self, path: &[&str]) -> i64 {
        let bytes = self.get_property(path.to_vec()).unwrap_or_default();
        bytes.try_into().map_or(-1, i64::from_le_bytes)
    }
}

fn header(map: MapType, name: &str) -> String {
    hostcalls::get_map_value(map, name).ok().flatten().unwrap_or_default()
}

impl Context for AccessLog {}

impl RootContext for AccessLog {
    fn on_configure(&mut self, _: usize) -> bool {
        self.lines = hostcalls::define_metric(MetricType::Counter, "rust_guest.log_lines").unwrap_or(0);
        true
    }

    fn on_log(&mut self) {
        let _ = hostcalls::increment_metric(self.lines, 1);
        warn!(
            "{{\"method\":\"{}\",\"path\":\"{}\",\"agent\":\"{}\",\"status\":\"{}\",\"code\":{},\
             \"details\":\"{}\",\"flags\":{},\"in\":{},\"out\":{},\"cluster\":\"{}\",\"route\":\"{}\",\
             \"type\":\"{}\",\"trailer\":\"{}\"}}",
            header(MapType::HttpRequestHeaders, ":method"),
            header(MapType::HttpRequestHeaders, ":path"),
            header(MapType::HttpRequestHeaders, "user-agent"),
            header(MapType::HttpResponseHeaders, ":status"),
            self.number(&["response", "code"]),
            self.text(&["response", "code_details"]),
            self.number(&["response", "flags"]),
            self.number(&["request", "size"]),
            self.number(&["response", "size"]),
            self.text(&["xds", "cluster_name"]),
            self.text(&["xds", "route_name"]),
            header(MapType::HttpResponseHeaders, "content-type"),
            header(MapType::HttpResponseTrailers, "x-trailer"),
        );
    }
}

//! A TCP filter that passes whole lines only and masks the digits in them; "QUIT" ends the connection.
//! What the upstream sends is counted and goes back as it is.
use log::warn;
use proxy_wasm::traits::{Context, StreamContext};
use proxy_wasm::types::{Action, LogLevel, PeerType};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Warn);
    proxy_wasm::set_stream_context(|_, _| Box::new(TcpLines::default()));
}}

#[derive(Default)]
struct TcpLines {
    lines: usize,
    upstream_bytes: usize,
}

impl Context for TcpLines {}

impl StreamContext for TcpLines {
    fn on_new_connection(&mut self) -> Action {
        let address = self.get_property(vec!["source", "address"]).unwrap_or_default();
        let is_local = address.starts_with(b"127.0.0.1:");
        warn!("lines: new connection, local {is_local}");
        Action::Continue
    }

    fn on_downstream_data(&mut self, size: usize, end_of_stream: bool) -> Action {
        let bytes = self.get_downstream_data(0, size).unwrap_or_default();
        if !end_of_stream && bytes.last() != Some(&b'\n') {
            return Action::Pause;
        }
        if bytes.starts_with(b"QUIT") {
            warn!("lines: quit");
            self.close_downstream();
            return Action::Pause;
        }
        self.lines += bytes.iter().filter(|byte| **byte == b'\n').count();
        let masked: Vec<u8> =
            bytes.iter().map(|byte| if byte.is_ascii_digit() { b'#' } else { *byte }).collect();
        self.set_downstream_data(0, size, &masked);
        Action::Continue
    }

    fn on_downstream_close(&mut self, peer: PeerType) {
        warn!("lines: downstream closed by {}", peer as u32);
    }

    fn on_upstream_data(&mut self, size: usize, _: bool) -> Action {
        self.upstream_bytes += size;
        Action::Continue
    }

    fn on_upstream_close(&mut self, peer: PeerType) {
        warn!("lines: upstream closed by {}", peer as u32);
    }

    fn on_log(&mut self) {
        warn!("lines: {} lines, {} bytes back", self.lines, self.upstream_bytes);
    }
}

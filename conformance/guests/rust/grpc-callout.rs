//! Asks the gRPC service of the cluster `grpc` about each request: `/check` by a unary call, `/stream` by a
//! stream of which the first message counts. Messages are plain text here: the proxy does not read them.
use log::warn;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, LogLevel};
use std::time::Duration;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Warn);
    proxy_wasm::set_http_context(|_, _| Box::new(GrpcCallout { stream: None, is_decided: false }));
}}

const TIMEOUT: Duration = Duration::from_secs(1);
const SERVICE: &str = "guests.Authorization";

struct GrpcCallout {
    stream: Option<u32>,
    is_decided: bool,
}

impl GrpcCallout {
    fn cluster(&self) -> String {
        self.get_http_request_header("x-cluster").unwrap_or_else(|| "grpc".into())
    }

    fn refuse(&mut self, status: u32, text: &str) {
        self.is_decided = true;
        self.send_http_response(403, vec![("x-grpc", &status.to_string())], Some(text.as_bytes()));
    }

    fn decide(&mut self, answer: &[u8]) {
        let text = String::from_utf8_lossy(answer).into_owned();
        if text.starts_with("allow") {
            self.is_decided = true;
            self.set_http_request_header("x-grpc-answer", Some(&text));
            self.resume_http_request();
        } else {
            self.refuse(0, &text);
        }
    }

    fn call(&self, path: &str) -> Action {
        let metadata = vec![("x-from", b"guest".as_slice())];
        let message = Some(path.as_bytes());
        let cluster = self.cluster();
        let sent =
            self.dispatch_grpc_call(&cluster, SERVICE, "Check", metadata, message, TIMEOUT);
        if let Err(status) = sent {
            warn!("no call: {status:?}");
            self.send_http_response(503, vec![], Some(b"no call\n"));
        }
        Action::Pause
    }

    fn open(&mut self, path: &str) -> Action {
        let metadata = vec![("x-from", b"guest".as_slice())];
        match self.open_grpc_stream(&self.cluster(), SERVICE, "Watch", metadata) {
            Ok(token) => {
                self.stream = Some(token);
                self.send_grpc_stream_message(token, Some(path.as_bytes()), false);
                self.send_grpc_stream_message(token, Some(b"last"), true);
            }
            Err(status) => {
                warn!("no stream: {status:?}");
                self.send_http_response(503, vec![], Some(b"no stream\n"));
            }
        }
        Action::Pause
    }
}

impl Context for GrpcCallout {
    fn on_grpc_call_response(&mut self, _: u32, status: u32, size: usize) {
        if status == 0 {
            let answer = self.get_grpc_call_response_body(0, size).unwrap_or_default();
            return self.decide(&answer);
        }
        let (code, text) = self.get_grpc_status();
        warn!("call closed with {status}: {code} {text:?}");
        self.refuse(status, "call failed\n");
    }

    fn on_grpc_stream_initial_metadata(&mut self, _: u32, _: u32) {
        let value = self.get_grpc_stream_initial_metadata_value("x-start").unwrap_or_default();
        warn!("stream begins: {}", String::from_utf8_lossy(&value));
    }

    fn on_grpc_stream_message(&mut self, _: u32, size: usize) {
        let answer = self.get_grpc_stream_message(0, size).unwrap_or_default();
        warn!("stream says {}", String::from_utf8_lossy(&answer));
        if !self.is_decided {
            self.decide(&answer);
        }
    }

    fn on_grpc_stream_trailing_metadata(&mut self, _: u32, _: u32) {
        let value = self.get_grpc_stream_trailing_metadata_value("x-end").unwrap_or_default();
        warn!("stream ends: {}", String::from_utf8_lossy(&value));
    }

    fn on_grpc_stream_close(&mut self, _: u32, status: u32) {
        warn!("stream closed with {status}");
        if !self.is_decided {
            self.refuse(status, "stream failed\n");
        }
    }
}

impl HttpContext for GrpcCallout {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let path = self.get_http_request_header(":path").unwrap_or_default();
        if path.starts_with("/stream") {
            self.open(&path)
        } else {
            self.call(&path)
        }
    }

    fn on_log(&mut self) {
        if let Some(token) = self.stream {
            warn!("log of a request with stream, {}", if token > 0 { "known" } else { "unknown" });
        }
    }
}

//! Replaces "secret" by "[hidden]" in the bytes of whole text responses.
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

proxy_wasm::main! {{
    proxy_wasm::set_http_context(|_, _| Box::new(Body { is_text: false }));
}}

const SECRET: &[u8] = b"secret";
const HIDDEN: &[u8] = b"[hidden]";

struct Body {
    is_text: bool,
}

impl Context for Body {}

impl HttpContext for Body {
    fn on_http_response_headers(&mut self, _: usize, end_of_stream: bool) -> Action {
        let kind = self.get_http_response_header("content-type").unwrap_or_default();
        self.is_text = !end_of_stream && kind.starts_with("text/");
        if self.is_text {
            self.set_http_response_header("content-length", None);
        }
        Action::Continue
    }

    fn on_http_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        if !self.is_text {
            return Action::Continue;
        }
        if !end_of_stream {
            return Action::Pause;
        }
        if let Some(body) = self.get_http_response_body(0, size) {
            self.set_http_response_body(0, size, &hide(&body));
        }
        Action::Continue
    }
}

fn hide(body: &[u8]) -> Vec<u8> {
    let mut result = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some(at) = rest.windows(SECRET.len()).position(|part| part == SECRET) {
        result.extend_from_slice(&rest[..at]);
        result.extend_from_slice(HIDDEN);
        rest = &rest[at + SECRET.len()..];
    }
    result.extend_from_slice(rest);
    result
}

//! Rewrites bodies: takes secrets out of whole text responses, and makes requests that ask for it upper
//! case chunk by chunk. Trailers get a note that it did.
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

proxy_wasm::main! {{
    proxy_wasm::set_http_context(|_, _| Box::new(BodyRewrite::default()));
}}

const SECRET: &str = "secret";
const HIDDEN: &str = "[hidden]";

#[derive(Default)]
struct BodyRewrite {
    is_upper: bool,
    is_text: bool,
    request_bytes: usize,
}

impl Context for BodyRewrite {}

impl HttpContext for BodyRewrite {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        self.is_upper = self.get_http_request_header("x-upper").is_some();
        Action::Continue
    }

    fn on_http_request_body(&mut self, size: usize, _: bool) -> Action {
        self.request_bytes += size;
        if self.is_upper && size > 0 {
            if let Some(body) = self.get_http_request_body(0, size) {
                self.set_http_request_body(0, size, &body.to_ascii_uppercase());
            }
        }
        Action::Continue
    }

    fn on_http_request_trailers(&mut self, count: usize) -> Action {
        self.add_http_request_trailer("x-trailer-count", &count.to_string());
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _: usize, end_of_stream: bool) -> Action {
        let kind = self.get_http_response_header("content-type").unwrap_or_default();
        self.is_text = kind.starts_with("text/") && !end_of_stream;
        if self.is_text {
            self.set_http_response_header("content-length", None);
        }
        self.set_http_response_header("x-request-bytes", Some(&self.request_bytes.to_string()));
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
            let text = String::from_utf8_lossy(&body).replace(SECRET, HIDDEN);
            self.set_http_response_body(0, size, text.as_bytes());
        }
        Action::Continue
    }

    fn on_http_response_trailers(&mut self, count: usize) -> Action {
        self.add_http_response_trailer("x-trailer-count", &count.to_string());
        Action::Continue
    }
}

//! Tells the upstream what kind of device asks, moves an old path, and marks responses.
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

proxy_wasm::main! {{
    proxy_wasm::set_http_context(|_, _| Box::new(Header));
}}

struct Header;

impl Context for Header {}

impl HttpContext for Header {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let agent = self.get_http_request_header("user-agent").unwrap_or_default();
        let device = if agent.contains("Mobile") { "mobile" } else { "desktop" };
        self.set_http_request_header("x-device", Some(device));
        let path = self.get_http_request_header(":path").unwrap_or_default();
        if let Some(rest) = path.strip_prefix("/old/") {
            self.set_http_request_header(":path", Some(&format!("/new/{rest}")));
        }
        self.set_http_request_header("x-internal", None);
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        self.set_http_response_header("x-filtered", Some("yes"));
        self.set_http_response_header("x-powered-by", None);
        Action::Continue
    }
}

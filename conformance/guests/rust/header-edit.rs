//! Edits headers as all guests called header-edit do: adds, replaces, removes, rewrites the path.
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

proxy_wasm::main! {{
    proxy_wasm::set_http_context(|_, _| Box::new(HeaderEdit));
}}

struct HeaderEdit;

impl Context for HeaderEdit {}

impl HttpContext for HeaderEdit {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let path = self.get_http_request_header(":path").unwrap_or_default();
        if let Some(rest) = path.strip_prefix("/old/") {
            self.set_http_request_header(":path", Some(&format!("/new/{rest}")));
        }
        self.add_http_request_header("x-guest", "rust");
        self.set_http_request_header("user-agent", Some("guest"));
        self.set_http_request_header("x-remove", None);
        Action::Continue
    }

    fn on_http_response_headers(&mut self, count: usize, _: bool) -> Action {
        self.add_http_response_header("x-guest", "rust");
        self.set_http_response_header("x-header-count", Some(&count.to_string()));
        self.set_http_response_header("x-secret", None);
        Action::Continue
    }
}

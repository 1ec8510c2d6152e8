//! Asks the cluster `auth` about each request outside /public.
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;
use std::time::Duration;

proxy_wasm::main! {{
    proxy_wasm::set_http_context(|_, _| Box::new(Auth));
}}

struct Auth;

impl Auth {
    fn refuse(&self) -> Action {
        self.send_http_response(503, vec![], Some(b"no authorization\n"));
        Action::Pause
    }
}

impl Context for Auth {
    /// 200 lets it pass; the client sees 401 and 403; all else is no answer.
    fn on_http_call_response(&mut self, _: u32, _: usize, body_size: usize, _: usize) {
        match self.get_http_call_response_header(":status").as_deref() {
            Some("200") => {
                let user = self.get_http_call_response_header("x-auth-user");
                self.set_http_request_header("x-auth-user", Some(&user.unwrap_or_default()));
                self.set_http_request_header("authorization", None);
                self.resume_http_request();
            }
            Some(status @ ("401" | "403")) => {
                let body = self.get_http_call_response_body(0, body_size);
                self.send_http_response(status.parse().unwrap(), vec![], body.as_deref());
            }
            _ => {
                self.refuse();
            }
        }
    }
}

impl HttpContext for Auth {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let path = self.get_http_request_header(":path").unwrap_or_default();
        if path.starts_with("/public") {
            return Action::Continue;
        }
        let token = self.get_http_request_header("authorization");
        let mut headers = vec![
            (":method", "GET"),
            (":path", "/check"),
            (":authority", "auth.local"),
            ("x-original-path", path.as_str()),
        ];
        if let Some(token) = &token {
            headers.push(("authorization", token));
        }
        match self.dispatch_http_call("auth", headers, None, vec![], Duration::from_secs(1)) {
            Ok(_) => Action::Pause,
            Err(_) => self.refuse(),
        }
    }
}

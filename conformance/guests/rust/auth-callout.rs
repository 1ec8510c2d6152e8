//! Asks the cluster `auth` about each request outside /public: 200 lets it pass with what the answer
//! says about the user, any other answer goes to the client, no answer is a 503.
use log::warn;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, LogLevel};
use std::time::Duration;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Warn);
    proxy_wasm::set_http_context(|_, _| Box::new(AuthCallout { user: None }));
}}

const CLUSTER: &str = "auth";
const TIMEOUT: Duration = Duration::from_secs(1);
const BODY_BYTES_MAX: usize = 1024;

struct AuthCallout {
    user: Option<String>,
}

impl AuthCallout {
    fn ask(&self) -> Action {
        let path = self.get_http_request_header(":path").unwrap_or_default();
        let method = self.get_http_request_header(":method").unwrap_or_default();
        let token = self.get_http_request_header("authorization");
        let mut headers = vec![
            (":method", "GET"),
            (":path", "/check"),
            (":authority", "auth.local"),
            ("x-original-path", path.as_str()),
            ("x-original-method", method.as_str()),
        ];
        if let Some(token) = &token {
            headers.push(("authorization", token));
        }
        match self.dispatch_http_call(CLUSTER, headers, None, vec![], TIMEOUT) {
            Ok(_) => Action::Pause,
            Err(status) => {
                warn!("no call to {CLUSTER}: {status:?}");
                self.refuse()
            }
        }
    }

    fn refuse(&self) -> Action {
        self.send_http_response(503, vec![("x-auth", "none")], Some(b"no authorization\n"));
        Action::Pause
    }

    fn deny(&self, status: u32, body_size: usize) {
        let body = self.get_http_call_response_body(0, body_size.min(BODY_BYTES_MAX));
        let challenge = self.get_http_call_response_header("www-authenticate");
        let headers = challenge.iter().map(|text| ("www-authenticate", text.as_str())).collect();
        warn!("denied with {status}");
        self.send_http_response(status, headers, body.as_deref());
    }

    fn allow(&mut self) {
        for (name, value) in self.get_http_call_response_headers() {
            if name.starts_with("x-auth-") {
                self.set_http_request_header(&name, Some(&value));
            }
        }
        self.user = self.get_http_call_response_header("x-auth-user");
        self.set_http_request_header("authorization", None);
        self.resume_http_request();
    }
}

impl Context for AuthCallout {
    fn on_http_call_response(&mut self, _: u32, headers: usize, body_size: usize, _: usize) {
        let status = self.get_http_call_response_header(":status");
        match status.and_then(|text| text.parse().ok()) {
            Some(200) => self.allow(),
            Some(status) => self.deny(status, body_size),
            None => {
                warn!("a call failed with {headers} headers");
                self.refuse();
            }
        }
    }
}

impl HttpContext for AuthCallout {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let path = self.get_http_request_header(":path").unwrap_or_default();
        if path.starts_with("/public") {
            return Action::Continue;
        }
        self.ask()
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        if let Some(user) = &self.user {
            self.add_http_response_header("x-served-to", user);
        }
        Action::Continue
    }
}

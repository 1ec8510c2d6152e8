//! Panics where the request header x-fault says: `request-headers`, `request-body`, `request-trailers`,
//! `response-headers`, `response-body`, `response-trailers`, `log`, `call`; or `configure` by configuration.
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType};
use std::time::Duration;

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|_| Box::new(Root));
}}

struct Root;

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _: usize) -> bool {
        match self.get_plugin_configuration().as_deref() {
            Some(b"configure") => panic!("asked to fail in on_configure"),
            Some(b"refuse") => false,
            _ => true,
        }
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Faulty { fault: String::new() }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

struct Faulty {
    fault: String,
}

impl Faulty {
    fn check(&self, phase: &str) -> Action {
        assert!(self.fault != phase, "asked to fail in {phase}");
        Action::Continue
    }
}

impl Context for Faulty {
    fn on_http_call_response(&mut self, _: u32, _: usize, _: usize, _: usize) {
        self.check("call");
        self.resume_http_request();
    }
}

impl HttpContext for Faulty {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        self.fault = self.get_http_request_header("x-fault").unwrap_or_default();
        self.check("request-headers");
        if self.fault != "call" {
            return Action::Continue;
        }
        let headers = vec![(":method", "GET"), (":path", "/"), (":authority", "other")];
        let timeout = Duration::from_secs(1);
        match self.dispatch_http_call("other", headers, None, vec![], timeout) {
            Ok(_) => Action::Pause,
            Err(_) => Action::Continue,
        }
    }

    fn on_http_request_body(&mut self, _: usize, _: bool) -> Action {
        self.check("request-body")
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        self.check("request-trailers")
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        self.set_http_response_header("x-guest", Some("alive"));
        self.check("response-headers")
    }

    fn on_http_response_body(&mut self, _: usize, _: bool) -> Action {
        self.check("response-body")
    }

    fn on_http_response_trailers(&mut self, _: usize) -> Action {
        self.check("response-trailers")
    }

    fn on_log(&mut self) {
        self.check("log");
    }
}

//! Two plugins of one module, told apart by their configuration: the producer puts each request's path
//! into a shared queue, the consumer (a wasm service) takes them out, counts and logs them.
use log::warn;
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel, MetricType};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Warn);
    proxy_wasm::set_root_context(|_| Box::new(Root { consumed: 0 }));
}}

/** The consumer's vm_id. */
const VM: &str = "consumer";
const QUEUE: &str = "paths";

struct Root {
    consumed: u32,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _: usize) -> bool {
        if self.get_plugin_configuration().as_deref() == Some(b"consumer") {
            self.register_shared_queue(QUEUE);
            let name = "rust_guest.consumed";
            self.consumed = hostcalls::define_metric(MetricType::Counter, name).unwrap_or(0);
        }
        true
    }

    fn on_queue_ready(&mut self, queue: u32) {
        while let Ok(Some(item)) = self.dequeue_shared_queue(queue) {
            let _ = hostcalls::increment_metric(self.consumed, 1);
            warn!("consumed {}", String::from_utf8_lossy(&item));
        }
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Producer))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

struct Producer;

impl Context for Producer {}

impl HttpContext for Producer {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let path = self.get_http_request_header(":path").unwrap_or_default();
        let name = self.get_http_request_header("x-queue").unwrap_or_else(|| QUEUE.into());
        let said = match self.resolve_shared_queue(VM, &name) {
            Some(queue) => match self.enqueue_shared_queue(queue, Some(path.as_bytes())) {
                Ok(()) => "yes".into(),
                Err(status) => format!("{status:?}"),
            },
            None => "no queue".into(),
        };
        self.set_http_request_header("x-queued", Some(&said));
        Action::Continue
    }
}

//! Lets each key (header x-api-key) make so many requests per window, over all VMs: counts stand in shared
//! data and change by compare-and-swap. Configuration: `LIMIT/WINDOW_SECONDS`, such as `3/3600`.
use log::{error, warn};
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel, Status};
use std::time::UNIX_EPOCH;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Warn);
    proxy_wasm::set_root_context(|_| Box::new(Root { quota: Quota { limit: 0, window_s: 1 } }));
}}

/** Two writers rarely meet; who loses this often gives up and lets pass. */
const TRIES_MAX: usize = 10;

#[derive(Clone, Copy)]
struct Quota {
    limit: u32,
    window_s: u64,
}

fn parse_quota(text: &str) -> Option<Quota> {
    let (limit, window) = text.trim().split_once('/')?;
    let quota = Quota { limit: limit.parse().ok()?, window_s: window.parse().ok()? };
    (quota.window_s > 0).then_some(quota)
}

struct Root {
    quota: Quota,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _: usize) -> bool {
        let bytes = self.get_plugin_configuration().unwrap_or_default();
        match parse_quota(&String::from_utf8_lossy(&bytes)) {
            Some(quota) => self.quota = quota,
            None => {
                error!("configuration must be LIMIT/WINDOW_SECONDS");
                return false;
            }
        }
        true
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(RateLimit { quota: self.quota, left: None }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

struct RateLimit {
    quota: Quota,
    left: Option<u32>,
}

impl RateLimit {
    /** How many requests are left after this one; None when there was none. */
    fn take(&self, key: &str, window: u64) -> Option<u32> {
        for _ in 0..TRIES_MAX {
            let (value, cas) = self.get_shared_data(key);
            let used = value.as_deref().map_or(0, |bytes| used_in(bytes, window));
            if used >= self.quota.limit {
                return None;
            }
            let mut next = window.to_le_bytes().to_vec();
            next.extend_from_slice(&(used + 1).to_le_bytes());
            match self.set_shared_data(key, Some(&next), cas) {
                Ok(()) => return Some(self.quota.limit - used - 1),
                Err(Status::CasMismatch) => {}
                Err(status) => warn!("shared data: {status:?}"),
            }
        }
        Some(0)
    }
}

fn used_in(bytes: &[u8], window: u64) -> u32 {
    match (bytes.get(..8), bytes.get(8..12)) {
        (Some(at), Some(used)) if at == window.to_le_bytes() => {
            u32::from_le_bytes(used.try_into().unwrap_or_default())
        }
        _ => 0,
    }
}

impl Context for RateLimit {}

impl HttpContext for RateLimit {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let Some(key) = self.get_http_request_header("x-api-key") else {
            self.send_http_response(401, vec![], Some(b"x-api-key is missing\n"));
            return Action::Pause;
        };
        let now = self.get_current_time().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_secs());
        self.left = self.take(&format!("rate-limit.{key}"), now / self.quota.window_s);
        if self.left.is_some() {
            return Action::Continue;
        }
        warn!("{key} has used its {} requests", self.quota.limit);
        let seconds = self.quota.window_s.to_string();
        self.send_http_response(429, vec![("retry-after", &seconds)], Some(b"slow down\n"));
        Action::Pause
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        if let Some(left) = self.left {
            self.set_http_response_header("x-ratelimit-remaining", Some(&left.to_string()));
        }
        Action::Continue
    }
}

//! Choosing a route.

use std::rc::Rc;

use wharf_config::{ListenerConfig, RouteConfig};
use wharf_telemetry::{Metrics, RouteMetrics};

use crate::upstream::{Upstream, Upstreams};

/// The routes of one listener as one worker sees them, in the order of the configuration.
#[derive(Debug)]
pub struct Routes {
    routes: Vec<Rc<Route>>,
}

/// One route, with everything that its requests need looked up.
#[derive(Debug)]
pub struct Route {
    /// As configured: what matches, and which filters.
    pub config: RouteConfig,
    /// Its place in the listener's list, from 0.
    pub index: usize,
    /// Where its requests go.
    pub upstream: Rc<Upstream>,
    /// Its counters.
    pub metrics: RouteMetrics,
}

/// A route that names an upstream which does not exist.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("route `{route}` names the upstream `{upstream}`, which is not defined")]
pub struct UnknownUpstream {
    /// The route's name.
    pub route: String,
    /// The upstream's name.
    pub upstream: String,
}

impl Routes {
    /// Prepares the routes of a listener.
    pub fn new(
        listener: &ListenerConfig,
        upstreams: &Upstreams,
        metrics: &Metrics,
    ) -> Result<Routes, UnknownUpstream> {
        let prepare = |(index, config): (usize, &RouteConfig)| {
            let upstream = upstreams.get(&config.upstream).ok_or_else(|| UnknownUpstream {
                route: config.name.clone(),
                upstream: config.upstream.clone(),
            })?;
            Ok(Rc::new(Route {
                config: config.clone(),
                index,
                upstream: Rc::clone(upstream),
                metrics: metrics.route(&listener.name, &config.name),
            }))
        };
        Ok(Routes { routes: listener.routes.iter().enumerate().map(prepare).collect::<Result<_, _>>()? })
    }

    /// The first route that matches. The host may have a port; the path has no query.
    pub fn find(&self, host: &str, path: &str) -> Option<&Rc<Route>> {
        self.routes.iter().find(|route| route.config.matches(host, path))
    }
}

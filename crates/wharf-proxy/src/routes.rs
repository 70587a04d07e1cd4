//! Choosing a route.

use std::rc::Rc;

use wharf_config::{FilterConfig, ListenerConfig, RouteConfig};
use wharf_telemetry::{Metrics, RouteMetrics};

use crate::plugins::{Generation, RouteFilter};
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
    /// Its filters. Who holds the route keeps their VMs.
    pub(crate) filters: Vec<RouteFilter>,
    /// Where its requests go.
    pub upstream: Rc<Upstream>,
    /// Its counters.
    pub metrics: RouteMetrics,
}

/// A route that cannot be served. `wharf-config` refuses such configurations, each with its line and column.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// It names an upstream that is not defined.
    #[error("route `{route}` names the upstream `{upstream}`, which is not defined")]
    UnknownUpstream {
        /// The route's name.
        route: String,
        /// The upstream's name.
        upstream: String,
    },
    /// It names a plugin that is not among those prepared.
    #[error("route `{route}` names the plugin `{plugin}`, which is not defined")]
    UnknownPlugin {
        /// The route's name.
        route: String,
        /// The plugin's name.
        plugin: String,
    },
}

impl Routes {
    /// Prepares the routes of a listener.
    pub(crate) fn new(
        listener: &ListenerConfig,
        upstreams: &Upstreams,
        plugins: &Generation,
        metrics: &Metrics,
    ) -> Result<Routes, RouteError> {
        let prepare = |(index, config): (usize, &RouteConfig)| {
            let upstream = upstreams
                .get(&config.upstream)
                .ok_or_else(|| RouteError::UnknownUpstream {
                    route: config.name.clone(),
                    upstream: config.upstream.clone(),
                })?;
            Ok(Rc::new(Route {
                filters: filters(config, plugins)?,
                config: config.clone(),
                index,
                upstream: Rc::clone(upstream),
                metrics: metrics.route(&listener.name, &config.name),
            }))
        };
        Ok(Routes {
            routes: listener
                .routes
                .iter()
                .enumerate()
                .map(prepare)
                .collect::<Result<_, _>>()?,
        })
    }

    /// The same routes with other plugins.
    pub(crate) fn with_plugins(&self, plugins: &Generation) -> Result<Routes, RouteError> {
        let replace = |route: &Rc<Route>| {
            Ok(Rc::new(Route {
                filters: filters(&route.config, plugins)?,
                config: route.config.clone(),
                index: route.index,
                upstream: Rc::clone(&route.upstream),
                metrics: route.metrics.clone(),
            }))
        };
        Ok(Routes {
            routes: self.routes.iter().map(replace).collect::<Result<_, _>>()?,
        })
    }

    /// The first route that matches. The host may have a port; the path has no query.
    pub fn find(&self, host: &str, path: &str) -> Option<&Rc<Route>> {
        self.routes.iter().find(|route| route.config.matches(host, path))
    }
}

fn filters(route: &RouteConfig, plugins: &Generation) -> Result<Vec<RouteFilter>, RouteError> {
    let find = |filter: &FilterConfig| {
        plugins
            .filter(&filter.plugin, &filter.config)
            .ok_or_else(|| RouteError::UnknownPlugin {
                route: route.name.clone(),
                plugin: filter.plugin.to_string(),
            })
    };
    route.filters.iter().map(find).collect()
}

//! `proxy.listeners[].routes`: which request goes through which filters to which upstream.

use std::collections::BTreeSet;
use std::ops::Range;

use wharf_plugin::PluginName;

use crate::decode::{Context, Fields, Item};
use crate::diagnostic::{Complaint, quoted};
use crate::hosts::HostPattern;
use crate::listeners::check_name;
use crate::table::{Field, Kind, NAME, Presence, Section, TextRule};

/// What happens to the requests that match. Routes are tried in order, and the first that matches is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteConfig {
    /// The name in logs and metrics. Default: the listener's name, a slash, and the place in the list from 0.
    pub name: String,
    /// The hosts, any of them; never empty. Default: `*`.
    pub hosts: Vec<HostPattern>,
    /// What the path begins with, up to the end of a segment. Default: `/`, which every path begins with.
    pub path_prefix: String,
    /// The filters, in the order in which requests go through them; responses go through them backwards.
    pub filters: Vec<FilterConfig>,
    /// The name of the upstream.
    pub upstream: String,
}

/// A plugin in a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterConfig {
    /// The plugin.
    pub plugin: PluginName,
    /// What it is configured with: JSON text, or text as it stands in the file. Default: empty.
    pub config: Vec<u8>,
}

impl RouteConfig {
    /// Whether a request is meant. The authority may have a port; the path is without a query.
    pub fn matches(&self, authority: &str, path: &str) -> bool {
        prefix_matches(&self.path_prefix, path) && self.hosts.iter().any(|host| host.matches(authority))
    }
}

/// Whether a path begins with the prefix and the prefix ends where a segment does: `/api` means `/api` and `/api/x`,
/// not `/apix`.
fn prefix_matches(prefix: &str, path: &str) -> bool {
    let Some(rest) = path.strip_prefix(prefix) else {
        return false;
    };
    rest.is_empty() || rest.starts_with('/') || prefix.ends_with('/')
}

/// One route.
pub(crate) static ROUTE: Section = Section {
    id: "route",
    doc: "Which requests are meant and what happens to them. Routes are tried in order, and the first that matches is \
          taken; a request that no route matches is answered with 404.",
    fields: &[
        Field {
            key: "name",
            kind: NAME,
            presence: Presence::Absent("the listener's name, `/` and the place in the list, such as `web/0`"),
            doc: "The name in logs and metrics.",
        },
        Field {
            key: "match",
            kind: Kind::Section(&MATCH),
            presence: Presence::Absent("all requests"),
            doc: "Which requests are meant.",
        },
        Field {
            key: "filters",
            kind: Kind::List {
                item: &Kind::Section(&FILTER),
                min: 0,
            },
            presence: Presence::Absent("none"),
            doc: "The plugins that requests go through, in this order; responses go through them backwards.",
        },
        Field {
            key: "upstream",
            kind: Kind::Text(TextRule {
                what: "the name of an upstream",
                pattern: "^[!-~]{1,255}$",
                example: "app",
            }),
            presence: Presence::Required,
            doc: "Where the requests go: a name under `proxy.upstreams`.",
        },
    ],
};

/// Which requests a route is for.
static MATCH: Section = Section {
    id: "match",
    doc: "Which requests are meant: those that fit all that is given here.",
    fields: &[
        Field {
            key: "hosts",
            kind: Kind::List { item: &HOST, min: 1 },
            presence: Presence::Default("[\"*\"]"),
            doc: "The hosts, any of them: `example.com`, `*.example.com` for all names below it, or `*`. Ports and the case \
                  of letters do not matter.",
        },
        Field {
            key: "pathPrefix",
            kind: Kind::Text(TextRule {
                what: "a path such as `/api`",
                pattern: "^/[^?#\\s]*$",
                example: "/api",
            }),
            presence: Presence::Default("/"),
            doc: "What the path begins with, in whole segments: `/api` means `/api` and `/api/x`, not `/apix`.",
        },
    ],
};

static HOST: Kind = Kind::Text(TextRule {
    what: "a host such as `example.com`, `*.example.com` or `*`",
    pattern: "^(\\*|(\\*\\.)?[-A-Za-z0-9_.]+|\\[[0-9a-fA-F:.]+\\])$",
    example: "*.example.com",
});

/// A plugin in a route.
static FILTER: Section = Section {
    id: "filter",
    doc: "A plugin that requests go through.",
    fields: &[
        Field {
            key: "plugin",
            kind: Kind::Text(TextRule {
                what: "the name of a plugin",
                pattern: "^[a-z0-9][-a-z0-9_.]{0,62}$",
                example: "greet",
            }),
            presence: Presence::Required,
            doc: "A name under `plugins`.",
        },
        Field {
            key: "config",
            kind: Kind::Payload,
            presence: Presence::Absent("empty"),
            doc: "What the plugin is configured with here: text as it is, anything else as JSON text with the keys in the \
                  order of the file.",
        },
    ],
};

/// The routes of a listener; what is wrong with them is reported.
pub(crate) fn decode_routes(
    cx: &mut Context<'_>,
    listener: &Fields<'_>,
    listener_name: Option<&str>,
) -> Vec<RouteConfig> {
    let mut routes = Vec::new();
    let mut named: Vec<(String, Range<usize>)> = Vec::new();
    for (index, item) in listener.list(cx, "routes").unwrap_or_default().iter().enumerate() {
        let Some(fields) = Fields::open(cx, item, &ROUTE) else {
            continue;
        };
        report_second_name(cx, &fields, &mut named);
        let default_name = format!("{}/{index}", listener_name.unwrap_or_default());
        let route = decode_route(cx, &fields, default_name);
        routes.extend(route.map(|route| (route, item.at.clone())));
    }
    warn_of_shadows(cx, &routes);
    routes.into_iter().map(|(route, _)| route).collect()
}

fn decode_route(cx: &mut Context<'_>, fields: &Fields<'_>, default_name: String) -> Option<RouteConfig> {
    let name = match fields.item("name") {
        Some(item) => check_name(cx, item, fields.kind("name")),
        None => Some(default_name),
    };
    let (hosts, path_prefix) = decode_match(cx, fields).unzip();
    let filters = decode_filters(cx, fields);
    let upstream = fields.item("upstream").and_then(|item| {
        let name = item.text(cx, fields.kind("upstream"))?;
        let known = cx
            .upstreams
            .refer(name, "upstream", "proxy.upstreams", item.span());
        known
            .map(|()| name.to_owned())
            .map_err(|complaint| cx.error(complaint))
            .ok()
    });
    Some(RouteConfig {
        name: name?,
        hosts: hosts?,
        path_prefix: path_prefix?,
        filters,
        upstream: upstream?,
    })
}

fn report_second_name(cx: &mut Context<'_>, fields: &Fields<'_>, named: &mut Vec<(String, Range<usize>)>) {
    let Some(item) = fields.item("name") else { return };
    let Some(name) = item.plain_text() else { return };
    match named
        .iter()
        .take(COMPARED_ROUTES)
        .find(|(given, _)| given == name)
    {
        Some((_, first)) => {
            let complaint = Complaint::new(
                item.span(),
                format!("two routes of this listener are called {}", quoted(name)),
            );
            cx.error(
                complaint
                    .related(first.clone(), "the first of them")
                    .hint("give one of them another name"),
            );
        }
        None => named.push((name.to_owned(), item.span())),
    }
}

fn decode_match(cx: &mut Context<'_>, route: &Fields<'_>) -> Option<(Vec<HostPattern>, String)> {
    let fields = route.section(cx, "match")?;
    let hosts = match fields.item("hosts") {
        Some(_) => fields
            .list(cx, "hosts")
            .map(|items| items.iter().filter_map(|item| decode_host(cx, item)).collect()),
        None => Some(vec![HostPattern::Any]),
    };
    let path_prefix = fields
        .text(cx, "pathPrefix")
        .filter(|prefix| match check_prefix(prefix) {
            Ok(()) => true,
            Err((reason, hint)) => {
                let span = fields.item("pathPrefix").map(Item::span).unwrap_or_default();
                cx.error(
                    Complaint::new(span, format!("{} is not a path prefix: {reason}", quoted(prefix)))
                        .hint(hint),
                );
                false
            }
        });
    hosts.zip(path_prefix)
}

fn decode_host(cx: &mut Context<'_>, item: &Item<'_>) -> Option<HostPattern> {
    let text = item.text(cx, &HOST)?;
    let pattern = text.parse::<HostPattern>();
    let complain = |error| {
        let complaint = Complaint::new(
            item.span(),
            format!("{} is not a host pattern: {error}", quoted(text)),
        );
        cx.error(complaint.hint("write `example.com`, `*.example.com` or `*`"));
    };
    pattern.map_err(complain).ok()
}

fn check_prefix(prefix: &str) -> Result<(), (String, String)> {
    if !prefix.starts_with('/') {
        return Err((
            "it does not begin with `/`".to_owned(),
            format!("write `/{prefix}`"),
        ));
    }
    match prefix
        .chars()
        .find(|c| matches!(c, '?' | '#') || c.is_whitespace() || c.is_control() || !c.is_ascii())
    {
        Some(bad) => {
            let hint = "leave out the query; write other characters than visible ASCII as `%` and two hexadecimal digits";
            Err((format!("it contains {bad:?}"), hint.to_owned()))
        }
        None => Ok(()),
    }
}

fn decode_filters(cx: &mut Context<'_>, route: &Fields<'_>) -> Vec<FilterConfig> {
    let items = route.list(cx, "filters").unwrap_or_default();
    items.iter().filter_map(|item| decode_filter(cx, item)).collect()
}

fn decode_filter(cx: &mut Context<'_>, item: &Item<'_>) -> Option<FilterConfig> {
    let fields = Fields::open(cx, item, &FILTER)?;
    let config = fields.payload(cx, "config");
    let item = fields.item("plugin")?;
    let name = item.text(cx, fields.kind("plugin"))?;
    if let Err(complaint) = cx.plugins.refer(name, "plugin", "plugins", item.span()) {
        cx.error(complaint);
    }
    Some(FilterConfig {
        plugin: PluginName::new(name).ok()?,
        config: config?,
    })
}

/// Comparing routes with each other costs the square of their number, so that only so many are compared.
const COMPARED_ROUTES: usize = 1_000;

/// Warns of routes that no request reaches, because earlier ones take all that they match.
fn warn_of_shadows(cx: &mut Context<'_>, routes: &[(RouteConfig, Range<usize>)]) {
    for (index, (route, span)) in routes.iter().take(COMPARED_ROUTES).enumerate() {
        let takers = takers(&routes[..index], route);
        let Some(last) = takers.last() else { continue };
        let (earlier, earlier_span) = &routes[*last];
        let message = match takers.len() {
            1 => format!("the route `{}` takes them all", earlier.name),
            _ => format!("the route `{}` and those before it take them all", earlier.name),
        };
        let complaint = Complaint::new(
            span.clone(),
            format!("no request reaches the route `{}`", route.name),
        );
        cx.warn(
            complaint
                .related(earlier_span.clone(), message)
                .hint("put the narrower route first"),
        );
    }
}

/// The places of the earlier routes that together take all that this one matches; none if something is left for it.
fn takers(earlier: &[(RouteConfig, Range<usize>)], route: &RouteConfig) -> BTreeSet<usize> {
    let taker = |host: &HostPattern| {
        earlier.iter().position(|(earlier, _)| {
            prefix_matches(&earlier.path_prefix, &route.path_prefix)
                && earlier.hosts.iter().any(|taken| taken.covers(host))
        })
    };
    route
        .hosts
        .iter()
        .map(taker)
        .collect::<Option<_>>()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_end_where_segments_do() {
        for (prefix, path, matches) in [
            ("/", "/", true),
            ("/", "/anything", true),
            ("/api", "/api", true),
            ("/api", "/api/x", true),
            ("/api", "/apix", false),
            ("/api", "/", false),
            ("/api/", "/api/x", true),
            ("/api/", "/api", false),
            ("/api", "/API", false),
            ("/", "*", false),
        ] {
            assert_eq!(prefix_matches(prefix, path), matches, "{prefix} {path}");
        }
    }
}

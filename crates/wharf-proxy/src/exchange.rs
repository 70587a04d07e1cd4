//! Requests of routes that have filters.

use std::rc::Rc;

use http::{Request, Response, StatusCode};

use crate::answer;
use crate::body::ClientBody;
use crate::record::Record;
use crate::response_body::ResponseBody;
use crate::routes::Route;

/// Takes a request through its route's filters. The request has arrived as [`crate::headers::receive_request`]
/// leaves it, with its target settled.
pub(crate) async fn handle(
    record: &Rc<Record>,
    route: &Rc<Route>,
    request: Request<ClientBody>,
) -> Response<ResponseBody> {
    drop(request);
    let plugins: Vec<&str> = route.config.filters.iter().map(|filter| filter.plugin.as_str()).collect();
    tracing::error!(route = %route.config.name, ?plugins, "A route's filters cannot be run.");
    let text = "the filters of this route are not available";
    answer::failure(record, StatusCode::SERVICE_UNAVAILABLE, text, "filters_unavailable")
}

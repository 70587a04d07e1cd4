//! Requests of routes that have filters.
//!
//! A `Driver` owns the exchange: the chain of filters, the client's body, the upstream's answer, and the pipes to
//! both sides. Each direction goes on while the other waits. Until there is a response head to give to hyper, the
//! driver runs inside hyper's service call, so a client that leaves drops it and with it everything it holds; after
//! that it runs as a task of its own, unless nothing is left to do.

pub(crate) mod convert;
mod driver;
mod properties;

use std::cell::RefCell;
use std::rc::Rc;

use http::{Request, Response, StatusCode};
use http_body::Body;
use wharf_abi_proxy_wasm::{Chain, ChainLimits, Direction, Exchange};

use self::driver::Driver;
use self::properties::ExchangeProperties;
use crate::answer;
use crate::body::ClientBody;
use crate::headers;
use crate::plugins;
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
    let connection = record.connection();
    let filters = plugins::filters(&route.filters).await;
    let (head, body) = request.into_parts();
    let announced = headers::announced_trailers(&head.headers);
    let list = match convert::request_list(&head, &connection.forwarded.scheme) {
        Ok(list) => list,
        Err(error) => {
            return answer::failure(record, StatusCode::BAD_REQUEST, &error.to_string(), "bad_headers");
        }
    };
    let properties = ExchangeProperties {
        record: Rc::clone(record),
    };
    let exchange = Rc::new(RefCell::new(Exchange::new(Box::new(properties))));
    let limits = ChainLimits {
        body_buffer: connection.listener.limits.body_buffer.as_usize(),
    };
    let chain = Chain::new(filters, exchange, limits);
    let end_of_stream = body.is_end_stream();
    let client_body = (!end_of_stream).then_some(body);
    let mut driver = Driver::new(
        chain,
        Rc::clone(record),
        Rc::clone(route),
        head,
        client_body,
        announced,
    );
    driver.begin(list, end_of_stream);
    let response = driver.response().await;
    driver.go_on_alone();
    response
}

/// A direction's name in log lines.
pub(crate) fn name(direction: Direction) -> &'static str {
    match direction {
        Direction::Request => "request",
        Direction::Response => "response",
    }
}

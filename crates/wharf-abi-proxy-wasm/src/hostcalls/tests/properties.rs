use expect_test::expect;
use wharf_plugin::ProxyWasmVersion::V0_2_1;

use crate::context::Direction;
use crate::testing::{Callback, Guest, OUT, args, list};

/// What a property is on a stream with a request and a response.
fn value(path: &str) -> String {
    let mut guest = Guest::new(V0_2_1);
    guest.world.lock().properties.insert("node.id", b"n1".to_vec());
    let (stream, exchange) = guest.open();
    {
        let mut exchange = exchange.borrow_mut();
        exchange.request_headers = Some(list(&[
            (":method", "GET"),
            (":path", "/p?q=1"),
            (":scheme", "https"),
            (":authority", "example.com"),
            ("referer", "r"),
            ("user-agent", "u"),
            ("x-request-id", "id"),
        ]));
        exchange.request_body_bytes = 3;
        exchange.response_headers = Some(list(&[(":status", "404"), ("a", "1")]));
        exchange.response_trailers = Some(list(&[("grpc-status", "5")]));
        exchange.response_body_bytes = 7;
        exchange.filter_state.insert(b"mine".to_vec(), "kept".into());
    }
    let path = path.replace('.', "\0").replace('/', ".");
    let seen = guest.call_in(
        Callback::ResponseHeaders,
        "proxy_get_property",
        args![path.as_str(), OUT, OUT + 4],
        |guest| _ = guest.vm.on_headers(stream, Direction::Response, false).unwrap(),
    );
    // The first change is the value in the memory that was allocated for it.
    let value = seen
        .lines()
        .find_map(|line| line.split_once("memory at 0x100: ")?.1.split_once(" → "));
    match value {
        Some((_, value)) => value.to_owned(),
        None if seen.contains("→ 0 Ok") => "(empty)".to_owned(),
        None => seen.lines().next().unwrap_or_default().to_owned(),
    }
}

#[test]
fn get_property_of_the_messages() {
    let mut all = String::new();
    for path in [
        "request.path",
        "request.url_path",
        "request.query",
        "request.host",
        "request.scheme",
        "request.method",
        "request.referer",
        "request.useragent",
        "request.id",
        "request.headers",
        "request.headers.User-Agent",
        "request.headers.none",
        "request.size",
        "request.total_size",
        "response.code",
        "response.headers.a",
        "response.trailers",
        "response.trailers.grpc-status",
        "response.grpc_status",
        "response.size",
        "response.total_size",
    ] {
        all += &format!("{path} = {}\n", value(path));
    }
    expect![[r#"
        request.path = /p?q=1
        request.url_path = /p
        request.query = q=1
        request.host = example.com
        request.scheme = https
        request.method = GET
        request.referer = r
        request.useragent = u
        request.id = id
        request.headers = \x07\x00\x00\x00\x07\x00\x00\x00\x03\x00\x00\x00\x05\x00\x00\x00\x06\x00\x00\x00\x07\x00\x00\x00\x05\x00\x00\x00\n\x00\x00\x00\x0b\x00\x00\x00\x07\x00\x00\x00\x01\x00\x00\x00\n\x00\x00\x00\x01\x00\x00\x00\x0c\x00\x00\x00\x02\x00\x00\x00:method\x00GET\x00:path\x00/p?q=1\x00:scheme\x00https\x00:authority\x00example.com\x00referer\x00r\x00user-agent\x00u\x00x-request-id\x00id\x00
        request.headers.User-Agent = u
        request.headers.none = p Debug: proxy_get_property in context 2: NotFound: the property "request.headers.none" is not known here
        request.size = \x03\x00\x00\x00\x00\x00\x00\x00
        request.total_size = Z\x00\x00\x00\x00\x00\x00\x00
        response.code = \x94\x01\x00\x00\x00\x00\x00\x00
        response.headers.a = 1
        response.trailers = \x01\x00\x00\x00\x0b\x00\x00\x00\x01\x00\x00\x00grpc-status\x005\x00
        response.trailers.grpc-status = 5
        response.grpc_status = \x05\x00\x00\x00\x00\x00\x00\x00
        response.size = \x07\x00\x00\x00\x00\x00\x00\x00
        response.total_size = \x1f\x00\x00\x00\x00\x00\x00\x00
    "#]].assert_eq(&all);
}

#[test]
fn get_property_of_the_plugin_the_stream_and_the_host() {
    let mut all = String::new();
    for path in [
        "plugin_name",
        "plugin_root_id",
        "plugin_vm_id",
        "source.address",
        "node.id",
        "mine",
        "filter_state.wasm/mine",
        "filter_state.mine",
        "no.such.thing",
        "",
        "request",
        "request.nothing",
    ] {
        all += &format!("{path} = {}\n", value(path));
    }
    expect![[r#"
        plugin_name = p
        plugin_root_id = root id
        plugin_vm_id = vm
        source.address = 192.0.2.1:5000
        node.id = n1
        mine = kept
        filter_state.wasm/mine = kept
        filter_state.mine = p Debug: proxy_get_property in context 2: NotFound: the property "filter_state.mine" is not known here
        no.such.thing = p Debug: proxy_get_property in context 2: NotFound: the property "no.such.thing" is not known here
         = p Debug: proxy_get_property in context 2: SerializationFailure: the path is empty
        request = p Debug: proxy_get_property in context 2: NotFound: the property "request" is not known here
        request.nothing = p Debug: proxy_get_property in context 2: NotFound: the property "request.nothing" is not known here
    "#]].assert_eq(&all);
}

#[test]
fn get_property_outside_of_a_stream() {
    let mut guest = Guest::new(V0_2_1);
    guest.world.lock().properties.insert("node.id", b"n1".to_vec());
    expect![[r#"
        proxy_get_property(0x10100, 7, 0x40100, 0x40104) → 0 Ok
        memory at 0x100: ?? → n1
        memory at 0x40100: ???????? → \x00\x01\x00\x00\x02\x00\x00\x00
    "#]]
    .assert_eq(&guest.call("proxy_get_property", args!["node\0id", OUT, OUT + 4]));
    expect![[r#"
        p Debug: proxy_get_property in context 1: NotFound: the property "request.path" is not known here
        proxy_get_property(0x10100, 12, 0x40100, 0x40104) → 1 NotFound
    "#]]
    .assert_eq(&guest.call("proxy_get_property", args!["request\0path", OUT, OUT + 4]));
}

#[test]
fn set_property_is_read_back_by_any_filter_of_the_stream() {
    let mut guest = Guest::new(V0_2_1);
    let (seen, exchange) = guest.call_in_request_headers(&[], "proxy_set_property", args!["x\0y", "value"]);
    expect![[r#"
        proxy_set_property(0x10100, 3, 0x10108, 5) → 0 Ok
    "#]]
    .assert_eq(&seen);
    assert_eq!(exchange.borrow().filter_state[&b"x\0y"[..]], "value");
}

#[test]
fn set_property_outside_of_a_stream_is_not_found() {
    expect![[r#"
        p Debug: proxy_set_property in context 1: NotFound: properties can only be set on a stream
        proxy_set_property(0x10100, 1, 0x10108, 5) → 1 NotFound
    "#]]
    .assert_eq(&Guest::new(V0_2_1).call("proxy_set_property", args!["x", "value"]));
}

#[test]
fn set_property_is_bounded() {
    let mut guest = Guest::new(V0_2_1);
    let (stream, _) = guest.open();
    for key in ["a", "b", "c"] {
        let seen = guest.call_on(stream, "proxy_set_property", args![key, 0, 0x50000]);
        assert!(seen.contains("→ 0 Ok"), "{seen}");
    }
    expect![[r#"
        proxy_set_effective_context(2) → 0 Ok
        p Debug: proxy_set_property in context 2: InternalFailure: the properties of one stream have at most 1048576 bytes
        proxy_set_property(0x10100, 1, 0, 0x50000) → 10 InternalFailure
    "#]].assert_eq(&guest.call_on(stream, "proxy_set_property", args!["d", 0, 0x50000]));
    let replaced = guest.call_on(stream, "proxy_set_property", args!["a", 0, 0x50000]);
    assert!(replaced.contains("→ 0 Ok"), "{replaced}");
}

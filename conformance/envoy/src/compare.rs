//! What two proxies made of the same exchange, and where they differ.

use std::collections::BTreeSet;

use crate::http::{End, Headers, Message};

/// All that one exchange brought to light on one side.
pub(crate) struct Outcome {
    /// What the client got.
    pub(crate) client: Message,
    /// The port from which the client came, which filters may see.
    pub(crate) client_port: u16,
    /// What the upstream `app` got.
    pub(crate) upstream: Vec<Message>,
    /// What the upstream `service` got.
    pub(crate) service: Vec<Message>,
}

/// Something that is not the same.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    /// From 1; none where it is of the case as a whole.
    pub(crate) exchange: Option<usize>,
    /// Such as `client.status`.
    pub(crate) what: String,
    pub(crate) envoy: String,
    pub(crate) wharf: String,
}

/// What stands for something that is not there.
const NOTHING: &str = "(nothing)";

/// Collects the differences of one exchange.
struct Comparison {
    exchange: Option<usize>,
    differences: Vec<Difference>,
}

/// Where two outcomes of an exchange differ; `asks_for_trailers` says that the client did.
pub(crate) fn exchange(
    number: usize,
    envoy: &Outcome,
    wharf: &Outcome,
    asks_for_trailers: bool,
) -> Vec<Difference> {
    let mut comparison = Comparison {
        exchange: Some(number),
        differences: Vec::new(),
    };
    comparison.response(envoy, wharf, asks_for_trailers);
    comparison.requests("upstream", &envoy.upstream, &wharf.upstream, [envoy, wharf]);
    comparison.requests("service", &envoy.service, &wharf.service, [envoy, wharf]);
    comparison.differences
}

/// Where two logs of a case differ.
pub(crate) fn log(what: &str, envoy: &[String], wharf: &[String]) -> Option<Difference> {
    let mut comparison = Comparison {
        exchange: None,
        differences: Vec::new(),
    };
    comparison.text(what.to_owned(), envoy.join("\n"), wharf.join("\n"));
    comparison.differences.pop()
}

impl Comparison {
    fn text(&mut self, what: String, envoy: String, wharf: String) {
        if envoy == wharf {
            return;
        }
        let or_nothing = |text: String| if text.is_empty() { NOTHING.to_owned() } else { text };
        self.differences.push(Difference {
            exchange: self.exchange,
            what,
            envoy: or_nothing(envoy),
            wharf: or_nothing(wharf),
        });
    }

    fn response(&mut self, envoy: &Outcome, wharf: &Outcome, asks_for_trailers: bool) {
        let sides = [envoy, wharf].map(|side| &side.client);
        if sides.iter().any(|message| message.start.is_empty()) {
            let [envoy, wharf] = sides.map(answer);
            return self.text("client.answer".to_owned(), envoy, wharf);
        }
        let [left, right] = sides.map(|message| message.word(1).to_owned());
        self.text("client.status".to_owned(), left, right);
        let trailers = if asks_for_trailers {
            "trailers"
        } else {
            "trailers-not-asked-for"
        };
        self.message("client", sides, [envoy.client_port, wharf.client_port], trailers);
    }

    fn requests(&mut self, who: &str, envoy: &[Message], wharf: &[Message], of: [&Outcome; 2]) {
        let lines = |messages: &[Message]| {
            let lines = messages
                .iter()
                .map(|message| format!("{} {}", message.word(0), message.word(1)));
            lines.collect::<Vec<_>>().join("\n")
        };
        self.text(format!("{who}.requests"), lines(envoy), lines(wharf));
        for (left, right) in envoy.iter().zip(wharf) {
            self.message(
                who,
                [left, right],
                of.map(|outcome| outcome.client_port),
                "trailers",
            );
        }
    }

    fn message(&mut self, who: &str, sides: [&Message; 2], ports: [u16; 2], trailers: &str) {
        let end = sides.map(|message| end(message).to_owned());
        self.pair(who, "end", end);
        self.pair(who, "framing", sides.map(framing));
        let headers = [0, 1].map(|side| visible(&sides[side].headers, ports[side]));
        self.headers(who, &headers[0], &headers[1]);
        self.pair(who, "body", sides.map(|message| body(&message.body)));
        let lines = sides.map(|message| {
            let lines = message
                .trailers
                .iter()
                .map(|(name, value)| format!("{name}: {value}"));
            lines.collect::<Vec<_>>().join("\n")
        });
        self.pair(who, trailers, lines);
    }

    fn pair(&mut self, who: &str, what: &str, [envoy, wharf]: [String; 2]) {
        self.text(format!("{who}.{what}"), envoy, wharf);
    }

    /// Each name by itself, and then the order of those that are the same.
    fn headers(&mut self, who: &str, envoy: &Headers, wharf: &Headers) {
        let names: BTreeSet<&str> = envoy.iter().chain(wharf).map(|(name, _)| name.as_str()).collect();
        let mut same = BTreeSet::new();
        for name in names {
            let [left, right] = [envoy, wharf].map(|headers| values(headers, name));
            if left == right {
                same.insert(name);
            }
            self.text(format!("{who}.header.{name}"), left, right);
        }
        let [left, right] = [envoy, wharf].map(|headers| {
            let names = headers.iter().map(|(name, _)| name.as_str());
            names
                .filter(|name| same.contains(name))
                .collect::<Vec<_>>()
                .join(", ")
        });
        self.text(format!("{who}.header-order"), left, right);
    }
}

fn answer(message: &Message) -> String {
    match (message.start.is_empty(), message.end) {
        (false, _) => message.word(1).to_owned(),
        (true, End::TimedOut) => "nothing, and the connection stayed open".to_owned(),
        (true, _) => "nothing, and the connection was closed".to_owned(),
    }
}

fn end(message: &Message) -> &'static str {
    match message.end {
        End::Complete => "complete",
        End::BrokenOff => "broken off",
        End::TimedOut => "nothing more came",
    }
}

/// How the body is delimited. The length itself counts only where no body is there to be compared.
fn framing(message: &Message) -> String {
    match (
        message.header("transfer-encoding"),
        message.header("content-length"),
    ) {
        (Some(encoding), _) => encoding.to_owned(),
        (None, Some(length)) if message.body.is_empty() => format!("content-length: {length}"),
        (None, Some(_)) => "content-length".to_owned(),
        (None, None) => "none".to_owned(),
    }
}

/// All headers but those of the framing, with the client's address made the same.
fn visible(headers: &Headers, client_port: u16) -> Headers {
    let address = format!("127.0.0.1:{client_port}");
    let framing = |name: &str| matches!(name, "content-length" | "transfer-encoding");
    let headers = headers.iter().filter(|(name, _)| !framing(name));
    headers
        .map(|(name, value)| (name.clone(), value.replace(&address, "127.0.0.1:PORT")))
        .collect()
}

fn values(headers: &Headers, name: &str) -> String {
    let of_name = headers.iter().filter(|(known, _)| known == name);
    of_name
        .map(|(_, value)| format!("`{value}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The body as text; of a long one its length, its beginning and its end.
fn body(bytes: &[u8]) -> String {
    const MOST: usize = 400;
    let text = String::from_utf8_lossy(bytes);
    if text.len() <= MOST {
        return text.into_owned();
    }
    let sum = bytes.iter().fold(0_u64, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(u64::from(*byte))
    });
    let beginning: String = text.chars().take(60).collect();
    format!("{beginning}… ({} bytes, sum {sum:016x})", bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(client_port: u16, response: &str) -> Outcome {
        let client = crate::http::read(&mut response.as_bytes(), crate::http::Kind::Response);
        Outcome {
            client,
            client_port,
            upstream: Vec::new(),
            service: Vec::new(),
        }
    }

    fn differences(envoy: &str, wharf: &str) -> Vec<(String, String, String)> {
        let found = exchange(1, &outcome(1, envoy), &outcome(2, wharf), false);
        found
            .into_iter()
            .map(|one| (one.what, one.envoy, one.wharf))
            .collect()
    }

    fn one(what: &str, envoy: &str, wharf: &str) -> [(String, String, String); 1] {
        [(what.into(), envoy.into(), wharf.into())]
    }

    #[test]
    fn the_same_is_no_difference() {
        let envoy = "HTTP/1.1 200 OK\r\nx-from: 127.0.0.1:1\r\ncontent-length: 1\r\n\r\na";
        let wharf = "HTTP/1.1 200 Fine\r\ncontent-length: 1\r\nX-From: 127.0.0.1:2\r\n\r\na";
        assert_eq!(differences(envoy, wharf), []);
    }

    #[test]
    fn each_part_is_compared() {
        let with = |rest: &str| format!("HTTP/1.1 200 OK\r\n{rest}");
        let base = with("a: 1\r\nb: 2\r\ncontent-length: 1\r\n\r\nx");
        assert_eq!(
            differences(&base, &base.replace("200", "201")),
            one("client.status", "200", "201")
        );
        assert_eq!(
            differences(&base, &with("b: 2\r\na: 1\r\ncontent-length: 1\r\n\r\nx")),
            one("client.header-order", "a, b", "b, a")
        );
        assert_eq!(
            differences(&base, &with("a: 1\r\na: 1\r\nb: 2\r\ncontent-length: 1\r\n\r\nx")),
            one("client.header.a", "`1`", "`1`, `1`")
        );
        assert_eq!(
            differences(&base, &with("a: 1\r\nb: 2\r\ncontent-length: 1\r\n\r\ny")),
            one("client.body", "x", "y")
        );
        let chunked = with("a: 1\r\nb: 2\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n");
        assert_eq!(
            differences(&base, &format!("{chunked}\r\n")),
            one("client.framing", "content-length", "chunked")
        );
        assert_eq!(
            differences(&format!("{chunked}\r\n"), &format!("{chunked}t: 1\r\n\r\n")),
            one("client.trailers-not-asked-for", "(nothing)", "t: 1")
        );
        assert_eq!(
            differences(&base, ""),
            one("client.answer", "200", "nothing, and the connection was closed")
        );
    }

    #[test]
    fn long_bodies_differ_also_in_the_middle() {
        let (left, right) = (
            "a".repeat(1000),
            format!("{}b{}", "a".repeat(500), "a".repeat(499)),
        );
        assert_ne!(body(left.as_bytes()), body(right.as_bytes()));
    }
}

//! The arguments of `wharf run`. Their order counts: what stands behind a `--request` belongs to it, what stands before
//! the first one belongs to all.

use std::fs;
use std::time::Duration;

use bytes::Bytes;
use clap::{ArgMatches, Args, Command, FromArgMatches};
use wharf_abi_proxy_wasm::HeaderList;
use wharf_config::cases::{Clock, Randomness};
use wharf_plugin::{ByteSize, Limits, Reference};

use super::plan::{Answer, Between, Callout, Header, Plan, Planned, RequestLine, Setup};
use crate::commands::module::arguments::ModuleFlags;
use crate::commands::policy::arguments::PolicyFlags;
use crate::commands::single;
use crate::supply::SupplyArguments;

/// What one callback of a filter may take where nobody says otherwise.
const FILTER_DEADLINE: Duration = Duration::from_millis(50);

/// The flags as they are written.
#[derive(Debug, Args)]
struct Flags {
    /// The module: the path of a file, or a reference such as `file:greet.wasm`.
    #[arg(value_name = "PLUGIN", value_parser = single::plugin)]
    plugin: Reference,
    /// A request; more of them go through the same VM, in order. Flags behind it belong to it, flags before the first to
    /// all. Without any: `GET /`.
    #[arg(long = "request", value_name = "METHOD PATH", value_parser = request_line)]
    requests: Vec<RequestLine>,
    /// A header of the request; `host` and `:authority` are the same.
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = header)]
    headers: Vec<Header>,
    /// The body of the request: a text, or `@` and a file.
    #[arg(long = "body", value_name = "TEXT|@FILE", value_parser = content)]
    bodies: Vec<Bytes>,
    /// A trailer of the request.
    #[arg(long = "trailer", value_name = "NAME: VALUE", value_parser = header)]
    trailers: Vec<Header>,
    /// The status that the upstream answers; 200 where none is given.
    #[arg(long = "response", value_name = "STATUS", value_parser = clap::value_parser!(u16).range(200..=599))]
    statuses: Vec<u16>,
    /// A header of the upstream's response.
    #[arg(long = "response-header", value_name = "NAME: VALUE", value_parser = header)]
    response_headers: Vec<Header>,
    /// The body of the upstream's response: a text, or `@` and a file.
    #[arg(long = "response-body", value_name = "TEXT|@FILE", value_parser = content)]
    response_bodies: Vec<Bytes>,
    /// A trailer of the upstream's response.
    #[arg(long = "response-trailer", value_name = "NAME: VALUE", value_parser = header)]
    response_trailers: Vec<Header>,
    /// What an upstream answers to call-outs: `NAME=STATUS BODY`, or `NAME=@FILE` with an HTTP response in the file
    /// (a status, headers, an empty line, the body). One without an answer fails.
    #[arg(long = "callout", value_name = "NAME=ANSWER", value_parser = callout)]
    callouts: Vec<Callout>,
    /// So many ticks pass: while the request waits, where the filter holds it, and else behind it.
    #[arg(long = "tick", value_name = "COUNT")]
    ticks: Vec<u32>,
    #[command(flatten)]
    plugin_flags: PluginFlags,
    #[command(flatten)]
    supply: SupplyArguments,
    #[command(flatten)]
    policy: PolicyFlags,
    #[command(flatten)]
    module: ModuleFlags,
}

/// The flags that are about the plugin or the report.
#[derive(Debug, Args)]
struct PluginFlags {
    /// The plugin's configuration: a text, or `@` and a file.
    #[arg(long, value_name = "TEXT|@FILE", value_parser = content)]
    config: Option<Bytes>,
    /// The VM's configuration: a text, or `@` and a file.
    #[arg(long, value_name = "TEXT|@FILE", value_parser = content)]
    vm_config: Option<Bytes>,
    /// Which root context of the module is meant.
    #[arg(long, value_name = "ID", default_value = "")]
    root_id: String,
    /// An environment variable that the filter sees.
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    env: Vec<(String, String)>,
    /// A property that the filter may ask for, as text, such as `source.address=192.0.2.1:4000`.
    #[arg(long = "property", value_name = "PATH=TEXT", value_parser = pair)]
    properties: Vec<(String, String)>,
    /// Let body callbacks come while headers are paused, as `allowOnHeadersStopIteration` in a configuration.
    #[arg(long)]
    allow_on_headers_stop_iteration: bool,
    /// The time that one callback may take, 50ms by default; of a policy the time for the review, 2s
    /// by default; of a module of Trivy the time for the call, 10s by default.
    #[arg(long, value_name = "DURATION", value_parser = wharf_plugin::units::parse_duration)]
    deadline: Option<Duration>,
    /// The memory that the guest may have: by default 64MiB for filters, and 256MiB for policies and modules of Trivy.
    #[arg(long, value_name = "SIZE")]
    memory: Option<ByteSize>,
    /// Print the report as JSON on stdout. It has no times, so that equal runs are equal.
    #[arg(long)]
    json: bool,
    /// Put times into the JSON too.
    #[arg(long, requires = "json")]
    times: bool,
}

/// The whole command line of `run`.
#[derive(Debug)]
pub(crate) struct RunArguments {
    pub(super) plugin: Reference,
    pub(super) plan: Plan,
    /// What policies and other waPC guests are asked.
    pub(super) policy: PolicyFlags,
    /// What modules of Trivy are asked.
    pub(super) module: ModuleFlags,
    /// The limits as they were given.
    pub(super) deadline: Option<Duration>,
    pub(super) memory: Option<ByteSize>,
    /// Where the module is from.
    pub(super) supply: SupplyArguments,
    pub(super) json: bool,
    pub(super) times: bool,
}

enum Part {
    Request(RequestLine),
    Header(Header),
    Body(Bytes),
    Trailer(Header),
    Status(u16),
    ResponseHeader(Header),
    ResponseBody(Bytes),
    ResponseTrailer(Header),
    Callout(Callout),
    Ticks(u32),
}

impl Args for RunArguments {
    fn augment_args(command: Command) -> Command {
        Flags::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Flags::augment_args_for_update(command)
    }
}

impl FromArgMatches for RunArguments {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let flags = Flags::from_arg_matches(matches)?;
        let mut parts = Vec::new();
        gather(&mut parts, matches, "requests", flags.requests, Part::Request);
        gather(&mut parts, matches, "headers", flags.headers, Part::Header);
        gather(&mut parts, matches, "bodies", flags.bodies, Part::Body);
        gather(&mut parts, matches, "trailers", flags.trailers, Part::Trailer);
        gather(&mut parts, matches, "statuses", flags.statuses, Part::Status);
        gather(
            &mut parts,
            matches,
            "response_headers",
            flags.response_headers,
            Part::ResponseHeader,
        );
        gather(
            &mut parts,
            matches,
            "response_bodies",
            flags.response_bodies,
            Part::ResponseBody,
        );
        gather(
            &mut parts,
            matches,
            "response_trailers",
            flags.response_trailers,
            Part::ResponseTrailer,
        );
        gather(&mut parts, matches, "callouts", flags.callouts, Part::Callout);
        gather(&mut parts, matches, "ticks", flags.ticks, Part::Ticks);
        parts.sort_by_key(|(index, _)| *index);
        let (start, exchanges) = plan(parts.into_iter().map(|(_, part)| part));
        let (json, times) = (flags.plugin_flags.json, flags.plugin_flags.times);
        let (deadline, memory) = (flags.plugin_flags.deadline, flags.plugin_flags.memory);
        Ok(Self {
            plugin: flags.plugin,
            plan: Plan {
                setup: flags.plugin_flags.setup(),
                start,
                exchanges,
            },
            policy: flags.policy,
            module: flags.module,
            supply: flags.supply,
            deadline,
            memory,
            json,
            times,
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The values of a flag, with their places on the command line.
fn gather<T>(
    parts: &mut Vec<(usize, Part)>,
    matches: &ArgMatches,
    id: &str,
    values: Vec<T>,
    part: fn(T) -> Part,
) {
    let places = matches.indices_of(id).into_iter().flatten();
    parts.extend(places.zip(values).map(|(index, value)| (index, part(value))));
}

/// What belongs to all exchanges and the time before them, and the exchanges.
fn plan(parts: impl Iterator<Item = Part>) -> (Between, Vec<Planned>) {
    let mut common = Planned::default();
    let mut exchanges: Vec<Planned> = Vec::new();
    for part in parts {
        if let Part::Request(request) = part {
            let mut planned = common.clone();
            planned.request = request;
            planned.between.ticks = 0;
            exchanges.push(planned);
        } else {
            exchanges.last_mut().unwrap_or(&mut common).take(part);
        }
    }
    if exchanges.is_empty() {
        exchanges.push(common.clone());
        common.between.ticks = 0;
    }
    (common.between, exchanges)
}

impl PluginFlags {
    fn setup(self) -> Setup {
        let properties = self.properties.into_iter();
        Setup {
            config: self.config.unwrap_or_default(),
            vm_config: self.vm_config.unwrap_or_default(),
            root_id: self.root_id,
            vm_id: String::new(),
            env: self.env,
            properties: properties.map(|(path, text)| (path, text.into())).collect(),
            allow_on_headers_stop_iteration: self.allow_on_headers_stop_iteration,
            limits: Limits {
                deadline: self.deadline.unwrap_or(FILTER_DEADLINE),
                memory: self.memory.unwrap_or(Limits::default().memory),
                ..Limits::default()
            },
            clock: Clock::Real,
            random: Randomness::Real,
            shared_data: Vec::new(),
        }
    }
}

impl Planned {
    fn take(&mut self, part: Part) {
        match part {
            Part::Request(request) => self.request = request,
            Part::Header(header) => self.headers.push(header),
            Part::Body(body) => self.body = pieces(body),
            Part::Trailer(trailer) => self.trailers.push(trailer),
            Part::Status(status) => self.status = status,
            Part::ResponseHeader(header) => self.response_headers.push(header),
            Part::ResponseBody(body) => self.response_body = pieces(body),
            Part::ResponseTrailer(trailer) => self.response_trailers.push(trailer),
            Part::Callout(callout) => self.between.callouts.push(callout),
            Part::Ticks(count) => self.between.ticks = self.between.ticks.saturating_add(count),
        }
    }
}

/// A body comes in one piece, unless there is none.
fn pieces(body: Bytes) -> Vec<Bytes> {
    if body.is_empty() { Vec::new() } else { vec![body] }
}

fn request_line(text: &str) -> Result<RequestLine, String> {
    let (method, path) = text.split_once(' ').unwrap_or(("GET", text));
    let is_method = !method.is_empty()
        && method
            .bytes()
            .all(|byte| byte.is_ascii_alphabetic() || byte == b'-');
    let fits = HeaderList::new().add(b":path", path.as_bytes()).is_ok();
    let is_visible = fits && path.bytes().all(|byte| byte > b' ');
    let is_path = is_visible && (path.starts_with('/') || path == "*");
    if !is_method || !is_path {
        return Err("write a method and a path, such as `POST /path`".to_owned());
    }
    Ok(RequestLine {
        method: method.to_owned(),
        path: path.to_owned(),
    })
}

fn header(text: &str) -> Result<Header, String> {
    // The names of `:path` and its like begin with a colon.
    let split = text
        .char_indices()
        .skip(1)
        .find(|(_, character)| *character == ':');
    let Some((at, _)) = split else {
        return Err("write a name, a colon and a value, such as `accept: text/plain`".to_owned());
    };
    let (name, value) = (text[..at].trim(), text[at + 1..].trim());
    HeaderList::new()
        .add(name.as_bytes(), value.as_bytes())
        .map_err(|error| error.to_string())?;
    Ok((name.to_owned(), value.to_owned()))
}

pub(in crate::commands) fn content(text: &str) -> Result<Bytes, String> {
    match text.strip_prefix('@') {
        Some(path) => read(path),
        None => Ok(Bytes::copy_from_slice(text.as_bytes())),
    }
}

fn read(path: &str) -> Result<Bytes, String> {
    fs::read(path)
        .map(Bytes::from)
        .map_err(|error| format!("{path} cannot be read: {error}"))
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !text.contains('\0') => {
            Ok((name.to_owned(), value.to_owned()))
        }
        _ => Err("write a name, `=` and a value".to_owned()),
    }
}

fn callout(text: &str) -> Result<Callout, String> {
    let (upstream, answer) = pair(text).map_err(|_| "write `NAME=STATUS BODY` or `NAME=@FILE`".to_owned())?;
    let (headers, body) = match answer.strip_prefix('@') {
        Some(path) => response_in_file(&read(path)?).map_err(|reason| format!("{path}: {reason}"))?,
        None => {
            let (status, body) = answer.split_once(' ').unwrap_or((&answer, ""));
            (status_only(status)?, Bytes::copy_from_slice(body.as_bytes()))
        }
    };
    Ok(Callout {
        upstream,
        answers: vec![Some(Answer {
            headers,
            body,
            trailers: HeaderList::new(),
        })],
    })
}

fn status_only(text: &str) -> Result<HeaderList, String> {
    let is_status = text
        .parse::<u16>()
        .is_ok_and(|status| (100..=599).contains(&status));
    if !is_status {
        return Err(format!("`{text}` is no status, such as 200"));
    }
    Ok([(":status", text)].into_iter().collect())
}

/// Reads `HTTP/1.1 200 OK` or `200`, headers, an empty line and a body.
fn response_in_file(bytes: &Bytes) -> Result<(HeaderList, Bytes), String> {
    let mut rest = bytes.clone();
    let mut line = || {
        let end = rest.iter().position(|byte| *byte == b'\n');
        let line = rest.split_to(end.map_or(rest.len(), |end| end + 1));
        String::from_utf8_lossy(&line).trim_end().to_owned()
    };
    let first = line();
    let status = first
        .split(' ')
        .find(|word| !word.starts_with("HTTP/"))
        .unwrap_or_default();
    let mut headers = status_only(status)?;
    loop {
        let text = line();
        if text.is_empty() {
            break;
        }
        let (name, value) = header(&text)?;
        headers
            .add(name.as_bytes(), value.as_bytes())
            .map_err(|error| error.to_string())?;
    }
    Ok((headers, rest))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        run: RunArguments,
    }

    fn parse(arguments: &[&str]) -> RunArguments {
        let line = ["run", "a.wasm"].iter().chain(arguments);
        Line::try_parse_from(line).map(|line| line.run).unwrap()
    }

    #[test]
    fn flags_belong_to_the_request_before_them() {
        let run = parse(&[
            "-H",
            "a: 1",
            "--tick",
            "2",
            "--request",
            "POST /x",
            "--body",
            "b",
            "-H",
            "c: 2",
            "--request",
            "/y",
            "--tick",
            "1",
            "--tick",
            "3",
            "--response",
            "404",
        ]);
        let [first, second] = &run.plan.exchanges[..] else {
            panic!("{:?}", run.plan.exchanges);
        };
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(first.headers, [pair("a", "1"), pair("c", "2")]);
        assert_eq!(first.body, [Bytes::from_static(b"b")]);
        assert_eq!((first.between.ticks, first.status), (0, 200));
        assert_eq!(second.headers, [pair("a", "1")]);
        assert_eq!(
            (second.body.len(), second.between.ticks, second.status),
            (0, 4, 404)
        );
        assert_eq!((second.request.method.as_str(), run.plan.start.ticks), ("GET", 2));
    }

    #[test]
    fn without_a_request_there_is_one() {
        let run = parse(&["--tick", "2"]);
        let Plan { start, exchanges, .. } = &run.plan;
        assert_eq!(
            (exchanges.len(), exchanges[0].between.ticks, start.ticks),
            (1, 2, 0)
        );
    }

    #[test]
    fn a_callout_in_a_file_is_a_response() {
        let (headers, body) = response_in_file(&Bytes::from_static(
            b"HTTP/1.1 201 Created\r\nx-user: a\r\n\r\nb\nc",
        ))
        .unwrap();
        assert_eq!(headers.get_str(":status"), Some("201"));
        assert_eq!((headers.get_str("x-user"), &body[..]), (Some("a"), &b"b\nc"[..]));
        assert!(response_in_file(&Bytes::from_static(b"200")).is_ok());
        for bad in [&b""[..], b"HTTP/1.1", b"OK", b"200\nno header", b"200\na b: c"] {
            assert!(response_in_file(&Bytes::from_static(bad)).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn bad_values_are_refused() {
        assert!(header(":path: /x").is_ok());
        for bad in ["", "a", "a b: c", ":nope: x", "a: \n"] {
            let outcome = header(bad);
            assert!(outcome.is_err() || bad == "a: \n", "{bad:?}: {outcome:?}");
        }
        for bad in ["", "GET", "GET x", "G T /", " /", "GET /\n"] {
            assert!(request_line(bad).is_err(), "{bad:?}");
        }
        for bad in ["", "a", "=200", "a=", "a=ok", "a=99", "a=@/no/such/file"] {
            assert!(callout(bad).is_err(), "{bad:?}");
        }
    }
}

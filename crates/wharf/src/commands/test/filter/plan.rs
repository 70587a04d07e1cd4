//! From a case to what the filter goes through: the same as for `wharf run`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use bytes::Bytes;
use wharf_abi_proxy_wasm::{HeaderError, HeaderList};
use wharf_config::cases::{self, Answers, Content, ExchangeCase, FilterCase, Message};

use super::super::case::Broken;
use crate::commands::run::plan::{
    Answer, Between, Callout, Header, Plan, Planned, Properties, RequestLine, Setup,
};
use crate::commands::single::shown;
use crate::exit::Code;

/// The longest file that a case may name, in bytes.
const MOST_BYTES: u64 = 64 << 20;

/// The most bytes that a case may have in all, with its files and what it repeats.
const MOST_IN_ALL: usize = 256 << 20;

/// What the filter of a case goes through.
///
/// # Errors
/// Where a file cannot be read any more, or there is too much of something.
pub(super) fn of(case: &FilterCase) -> Result<Plan, Broken> {
    Planner { left: MOST_IN_ALL }.plan(case)
}

/// Makes a plan, and counts what it takes.
struct Planner {
    /// How many bytes there may be still.
    left: usize,
}

impl Planner {
    fn plan(&mut self, case: &FilterCase) -> Result<Plan, Broken> {
        let setup = &case.setup;
        let mut shared_data = Vec::new();
        for (key, value) in &setup.shared_data {
            shared_data.push((key.clone(), self.bytes(value)?));
        }
        let mut exchanges = Vec::new();
        for exchange in &case.exchanges {
            exchanges.push(self.planned(&setup.callouts, exchange)?);
        }
        Ok(Plan {
            setup: Setup {
                config: self.bytes(&setup.config)?,
                vm_config: self.bytes(&setup.vm_config)?,
                root_id: setup.root_id.clone(),
                vm_id: setup.vm_id.clone(),
                env: setup.env.clone().into_iter().collect(),
                properties: self.properties(&setup.properties)?,
                allow_on_headers_stop_iteration: setup.allow_on_headers_stop_iteration,
                limits: setup.limits.clone(),
                clock: setup.clock,
                random: setup.random,
                shared_data,
            },
            start: self.between(&setup.callouts, &case.start.between)?,
            exchanges,
        })
    }

    fn planned(&mut self, common: &Answers, exchange: &ExchangeCase) -> Result<Planned, Broken> {
        let ExchangeCase {
            request, response, ..
        } = exchange;
        Ok(Planned {
            request: RequestLine {
                method: exchange.method.clone(),
                path: exchange.path.clone(),
            },
            headers: request.headers.clone(),
            body: self.pieces(&request.body)?,
            trailers: request.trailers.clone(),
            status: response.status,
            response_headers: response.headers.clone(),
            response_body: self.pieces(&response.body)?,
            response_trailers: response.trailers.clone(),
            properties: self.properties(&exchange.properties)?,
            between: self.between(common, &exchange.between)?,
        })
    }

    fn between(&mut self, common: &Answers, between: &cases::Between) -> Result<Between, Broken> {
        let mut queued = Vec::new();
        for (queue, items) in &between.queued {
            let items = items
                .iter()
                .map(|item| self.bytes(item))
                .collect::<Result<_, _>>()?;
            queued.push((queue.clone(), items));
        }
        let mut callouts = Vec::new();
        for (upstream, answers) in common.iter().chain(&between.callouts) {
            callouts.push(Callout {
                upstream: upstream.clone(),
                answers: answers
                    .iter()
                    .map(|answer| self.answer(answer))
                    .collect::<Result<_, _>>()?,
            });
        }
        Ok(Between {
            after: between.after,
            queued,
            callouts,
            ticks: between.ticks,
        })
    }

    fn answer(&mut self, answer: &cases::Answer) -> Result<Option<Answer>, Broken> {
        let cases::Answer::Responds(message) = answer else {
            return Ok(None);
        };
        let Message {
            status,
            headers,
            body,
            trailers,
        } = message;
        let first = (":status".to_owned(), status.to_string());
        Ok(Some(Answer {
            headers: list(std::iter::once(&first).chain(headers))?,
            body: self.pieces(body)?.concat().into(),
            trailers: list(trailers)?,
        }))
    }

    fn properties(&mut self, given: &BTreeMap<String, Content>) -> Result<Properties, Broken> {
        given
            .iter()
            .map(|(path, value)| Ok((path.clone(), self.bytes(value)?)))
            .collect()
    }

    /// The pieces of a body; empty ones are none.
    fn pieces(&mut self, contents: &[Content]) -> Result<Vec<Bytes>, Broken> {
        let pieces = contents.iter().map(|content| self.bytes(content));
        let mut pieces = pieces.collect::<Result<Vec<_>, _>>()?;
        pieces.retain(|piece| !piece.is_empty());
        Ok(pieces)
    }

    fn bytes(&mut self, content: &Content) -> Result<Bytes, Broken> {
        let bytes = bytes(content)?;
        self.left = self.left.checked_sub(bytes.len()).ok_or_else(|| Broken {
            message: format!(
                "the case has more than {} MiB of bodies and the like",
                MOST_IN_ALL >> 20
            ),
            hint: "split it into several cases".to_owned(),
            code: Code::Configuration,
        })?;
        Ok(bytes)
    }
}

fn list<'a>(headers: impl IntoIterator<Item = &'a Header>) -> Result<HeaderList, Broken> {
    let mut list = HeaderList::new();
    for (name, value) in headers {
        list.add(name.as_bytes(), value.as_bytes())
            .map_err(|error: HeaderError| Broken {
                message: shown(&format!("the answer to a call-out cannot be given: {error}")),
                hint: "give it fewer headers".to_owned(),
                code: Code::Configuration,
            })?;
    }
    Ok(list)
}

/// The bytes that a case gives.
pub(super) fn bytes(content: &Content) -> Result<Bytes, Broken> {
    match content {
        Content::Bytes(bytes) => Ok(Bytes::copy_from_slice(bytes)),
        Content::Repeated { bytes, times } => Ok(bytes.repeat(*times as usize).into()),
        Content::File(path) => read(path).map(Bytes::from).map_err(|reason| Broken {
            message: shown(&format!("{} cannot be read: {reason}", path.display())),
            hint: "the case names this file; let the user who runs the tests read it".to_owned(),
            code: Code::Configuration,
        }),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(format!("it is larger than {} MiB", MOST_BYTES >> 20));
    }
    Ok(bytes)
}

//! Drives one exchange through the filter, with nobody at either end.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use wharf_abi_proxy_wasm::{
    Body, Chain, ChainLimits, Direction, Exchange, Filter, HeaderList, Output, ResetReason,
};
use wharf_plugin::OnFault;

use super::plan::{Answer, Between, Callout, Header, Planned, Properties};
use super::world::{Answered, AnsweredCall};
use super::{Running, Stage};

/// The most answers and news that are given to a filter in a row: one that asks again in each answer ends somewhere.
const MOST_STEPS: usize = 1_000;

/// A message as one side sees it.
#[derive(Default)]
pub(in crate::commands) struct Message {
    pub(in crate::commands) headers: HeaderList,
    pub(in crate::commands) body: Vec<u8>,
    pub(in crate::commands) trailers: Option<HeaderList>,
    /// Whether its end has come.
    pub(in crate::commands) ended: bool,
}

/// What became of an exchange.
pub(in crate::commands) struct Outcome {
    /// What the client sent.
    pub(in crate::commands) sent: HeaderList,
    /// What the upstream answered, where it was asked.
    pub(in crate::commands) answer: Option<HeaderList>,
    /// What the upstream sees; `None`: nothing.
    pub(in crate::commands) upstream: Option<Message>,
    /// What the client sees; `None`: nothing.
    pub(in crate::commands) client: Option<Message>,
    /// The filter, or the chain for it, answered; for this reason.
    pub(in crate::commands) answered: Option<String>,
    /// Whether it was the chain that answered, because the filter failed or holds too much.
    pub(in crate::commands) failed: bool,
    pub(in crate::commands) reset: Option<ResetReason>,
    /// The direction that the filter still holds.
    pub(in crate::commands) paused: Option<Direction>,
}

/// Puts an exchange through the filter, and lets what ticks are left pass behind it.
pub(super) fn drive(running: &Running, planned: &Planned) -> Outcome {
    begin(running, &planned.between, &planned.properties);
    let filter = Filter {
        vm: Rc::clone(&running.vm),
        root: running.root,
        on_fault: OnFault::Closed,
    };
    let exchange = Rc::new(RefCell::new(Exchange::new(Box::new(()))));
    let sent = request_headers(planned);
    let mut driver = Driver {
        running,
        planned,
        chain: Chain::new([Ok(filter)], exchange, ChainLimits::default()),
        ticks: planned.between.ticks,
        outcome: Outcome {
            sent: sent.clone(),
            answer: None,
            upstream: None,
            client: None,
            answered: None,
            failed: false,
            reset: None,
            paused: None,
        },
    };
    driver.run(sent);
    driver.outcome.failed = driver.chain.has_failed();
    driver.chain.finish();
    let Driver { ticks, outcome, .. } = driver;
    settle(running, &planned.between.callouts, None);
    tick(running, &planned.between.callouts, ticks, None);
    outcome
}

/// Lets pass and puts on queues what comes first.
pub(super) fn begin(running: &Running, between: &Between, properties: &Properties) {
    {
        let mut world = running.world.borrow_mut();
        world.pass(between.after);
        world.exchange_properties = properties.clone();
    }
    for (name, items) in &between.queued {
        put_on_queue(running, name, items);
    }
    settle(running, &between.callouts, None);
}

fn put_on_queue(running: &Running, name: &str, items: &[Bytes]) {
    let queues = &running.shared.queues;
    let Some(queue) = queues.resolve(&running.namespace, name.as_bytes()) else {
        running.remark(format!(
            "nothing was put on the queue {name}, because the filter has not registered it"
        ));
        return;
    };
    for item in items {
        if let Err(error) = queues.enqueue(queue, item.clone()) {
            running.remark(format!("not all was put on the queue {name}: {error}"));
            return;
        }
    }
}

struct Driver<'a> {
    running: &'a Running,
    planned: &'a Planned,
    chain: Chain,
    ticks: u32,
    outcome: Outcome,
}

impl Driver<'_> {
    fn run(&mut self, headers: HeaderList) {
        let planned = self.planned;
        self.feed(Direction::Request, headers, &planned.body, &planned.trailers);
        loop {
            self.take_outputs();
            let is_over = self.outcome.reset.is_some()
                || self.outcome.client.as_ref().is_some_and(|message| message.ended);
            if is_over {
                return;
            }
            let asked = self
                .outcome
                .upstream
                .as_ref()
                .is_some_and(|message| message.ended);
            if asked && self.outcome.answer.is_none() && self.outcome.answered.is_none() {
                let headers = response_headers(planned);
                self.outcome.answer = Some(headers.clone());
                self.feed(
                    Direction::Response,
                    headers,
                    &planned.response_body,
                    &planned.response_trailers,
                );
            } else if self.ticks > 0 && self.may_tick() {
                self.ticks -= 1;
                tick(self.running, &planned.between.callouts, 1, Some(&mut self.chain));
            } else {
                let directions = [Direction::Request, Direction::Response];
                self.outcome.paused = directions.into_iter().find(|way| self.chain.is_paused(*way));
                return;
            }
        }
    }

    fn may_tick(&self) -> bool {
        !self.running.vm.borrow().is_faulted() && !self.running.world.borrow().ticking.is_empty()
    }

    /// Gives one message to the filter, piece by piece, with time for call-outs between.
    fn feed(&mut self, direction: Direction, headers: HeaderList, body: &[Bytes], trailers: &[Header]) {
        let ends = (body.is_empty(), trailers.is_empty());
        self.chain.headers(direction, headers, ends == (true, true));
        self.settle();
        for (index, piece) in body.iter().enumerate() {
            let is_last = index + 1 == body.len();
            self.chain.data(
                direction,
                Body::from(piece.clone()),
                is_last && trailers.is_empty(),
            );
            self.settle();
        }
        if !trailers.is_empty() {
            self.chain.trailers(direction, list(trailers));
            self.settle();
        }
    }

    fn settle(&mut self) {
        settle(
            self.running,
            &self.planned.between.callouts,
            Some(&mut self.chain),
        );
    }

    fn take_outputs(&mut self) {
        while let Some(output) = self.chain.next_output() {
            match output {
                Output::Headers {
                    direction,
                    end_of_stream,
                } => {
                    let headers = self.read_exchange(|exchange| match direction {
                        Direction::Request => exchange.request_headers.clone(),
                        Direction::Response => exchange.response_headers.clone(),
                    });
                    *self.side(direction) = Some(Message {
                        headers,
                        ended: end_of_stream,
                        ..Message::default()
                    });
                }
                Output::Data {
                    direction,
                    mut body,
                    end_of_stream,
                } => {
                    let is_kept = self.running.world.borrow_mut().keeps(body.len());
                    let message = self.side(direction).get_or_insert_default();
                    while let Some(piece) = body.pop().filter(|_| is_kept) {
                        message.body.extend_from_slice(&piece);
                    }
                    message.ended = end_of_stream;
                }
                Output::Trailers { direction } => {
                    let trailers = self.read_exchange(|exchange| match direction {
                        Direction::Request => exchange.request_trailers.clone(),
                        Direction::Response => exchange.response_trailers.clone(),
                    });
                    let message = self.side(direction).get_or_insert_default();
                    message.trailers = Some(trailers);
                    message.ended = true;
                }
                Output::Answered { details } => self.outcome.answered = Some(details),
                Output::Reset(reason) => self.outcome.reset = Some(reason),
            }
        }
    }

    fn read_exchange(&self, get: impl FnOnce(&Exchange) -> Option<HeaderList>) -> HeaderList {
        get(&self.chain.exchange().borrow()).unwrap_or_default()
    }

    fn side(&mut self, direction: Direction) -> &mut Option<Message> {
        match direction {
            Direction::Request => &mut self.outcome.upstream,
            Direction::Response => &mut self.outcome.client,
        }
    }
}

/// Answers call-outs and passes on news of queues until there are none.
pub(super) fn settle(running: &Running, callouts: &[Callout], mut chain: Option<&mut Chain>) {
    for _ in 0..MOST_STEPS {
        let done = running.vm.borrow().is_faulted() || !step(running, callouts);
        if let Some(chain) = &mut chain {
            chain.poll();
        }
        if done {
            return;
        }
    }
    let remark = format!("after {MOST_STEPS} answers and news in a row the filter still asks for more");
    running.remark(remark);
}

/// Does one thing that waits; says whether there was one. Its fault, if it has one, the host has noted.
fn step(running: &Running, callouts: &[Callout]) -> bool {
    let call = running.world.borrow_mut().pending.pop_front();
    if let Some(call) = call {
        let (root, id) = (call.root, call.id);
        let answer = {
            let notes = &mut running.world.borrow_mut().notes;
            let before = notes
                .callouts
                .iter()
                .filter(|other| other.call.upstream == call.upstream)
                .count();
            let answer = answer_to(callouts, &call.upstream, before);
            let answered = match answer {
                None => Answered::ByNobody,
                Some(None) => Answered::Failed,
                Some(Some(answer)) => {
                    Answered::With(answer.headers.get_str(":status").unwrap_or_default().to_owned())
                }
            };
            notes.callouts.push(AnsweredCall { call, answered });
            answer.flatten()
        };
        let response = answer.map(Answer::response);
        let _ = running.vm.borrow_mut().on_http_call_response(root, id, response);
        return true;
    }
    let news = running.world.borrow().next_news();
    if let Some((root, queue)) = news {
        let _ = running.vm.borrow_mut().on_queue_ready(root, queue);
    }
    news.is_some()
}

/// What is answered to the next call to an upstream, after so many before it in the same stage. The outer is none where
/// nobody says, the inner where it fails.
fn answer_to<'a>(callouts: &'a [Callout], upstream: &str, before: usize) -> Option<Option<&'a Answer>> {
    let callout = callouts.iter().rev().find(|answer| answer.upstream == upstream)?;
    let last = callout.answers.len().checked_sub(1)?;
    callout.answers.get(before.min(last)).map(Option::as_ref)
}

/// Lets ticks pass, each with time for what it asks for.
pub(super) fn tick(running: &Running, callouts: &[Callout], count: u32, mut chain: Option<&mut Chain>) {
    for _ in 0..count {
        let roots: Vec<_> = running.world.borrow().ticking.clone().into_iter().collect();
        if roots.is_empty() {
            running.remark("no tick came: the filter has set no period for them".to_owned());
            return;
        }
        for (root, period) in roots {
            if running.vm.borrow().is_faulted() {
                return;
            }
            running.world.borrow_mut().pass(period);
            // Its fault the host has noted.
            let _ = running.vm.borrow_mut().on_tick(root);
        }
        settle(running, callouts, chain.as_deref_mut());
    }
}

/// Notes what happened since the last part.
pub(super) fn end_stage(running: &Running, title: String, outcome: Option<Outcome>) -> Stage {
    Stage {
        title,
        outcome,
        notes: std::mem::take(&mut running.world.borrow_mut().notes),
    }
}

fn request_headers(planned: &Planned) -> HeaderList {
    let request = &planned.request;
    let first = [
        (":method", request.method.as_str()),
        (":scheme", "http"),
        (":authority", "localhost"),
        (":path", request.path.as_str()),
    ];
    let mut headers: HeaderList = first.into_iter().collect();
    for (name, value) in &planned.headers {
        let is_target = name.starts_with(':') || name.eq_ignore_ascii_case("host");
        let added = if is_target {
            headers.replace(name.as_bytes(), value.as_bytes())
        } else {
            headers.add(name.as_bytes(), value.as_bytes())
        };
        refuse_nothing(added);
    }
    with_length(headers, &planned.body, &planned.trailers)
}

fn response_headers(planned: &Planned) -> HeaderList {
    let status = planned.status.to_string();
    let mut headers: HeaderList = [(":status", status.as_str())].into_iter().collect();
    for (name, value) in &planned.response_headers {
        refuse_nothing(headers.add(name.as_bytes(), value.as_bytes()));
    }
    with_length(headers, &planned.response_body, &planned.response_trailers)
}

/// Adds the length that a real peer would announce.
fn with_length(mut headers: HeaderList, body: &[Bytes], trailers: &[Header]) -> HeaderList {
    let length: usize = body.iter().map(Bytes::len).sum();
    let is_framed = headers.get(b"content-length").is_some() || headers.get(b"transfer-encoding").is_some();
    if !body.is_empty() && trailers.is_empty() && !is_framed {
        refuse_nothing(headers.add(b"content-length", length.to_string().as_bytes()));
    }
    headers
}

fn list(pairs: &[Header]) -> HeaderList {
    let mut headers = HeaderList::new();
    for (name, value) in pairs {
        refuse_nothing(headers.add(name.as_bytes(), value.as_bytes()));
    }
    headers
}

/// Each header was checked when it was read; only a list that is too long is refused, and then ends there.
fn refuse_nothing(added: Result<(), wharf_abi_proxy_wasm::HeaderError>) {
    if let Err(error) = added {
        tracing::warn!(%error, "A header was left out.");
    }
}

//! Random filters and random exchanges: whatever the filters do, what goes out is an HTTP exchange.

use bytes::Bytes;

use super::{add, answer, resume, set_body};
use crate::chain::{ChainLimits, Output};
use crate::context::Direction;
use crate::testing::{Callback, FilterScript, Scenario, Step, args, call, contents, filter, list, turn};

/// A small generator of numbers, always the same for one seed (xorshift).
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % limit
    }

    fn chance(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }
}

const CALLBACKS: [Callback; 6] = [
    Callback::RequestHeaders,
    Callback::RequestBody,
    Callback::RequestTrailers,
    Callback::ResponseHeaders,
    Callback::ResponseBody,
    Callback::ResponseTrailers,
];

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

fn random_step(random: &mut Random) -> Step {
    match random.below(20) {
        0 => answer(403, ""),
        1 => answer(500, "no"),
        2 => call("proxy_close_stream", args![random.below(2) as u32]),
        3 => call("trap", args![]),
        4..=8 => resume(random.below(2) as u32),
        9 => add(1, "made", "1"),
        10 => add(3, "made", "1"),
        11 => set_body(0, 0, 1000, "replaced"),
        12 => set_body(1, 0, 1000, ""),
        13 => set_body(random.below(2) as u32, 0, 0, "<"),
        14 => add(2, "x", "1"),
        _ => call(
            "proxy_get_buffer_bytes",
            args![random.below(2) as u32, 0, 100, 16, 20],
        ),
    }
}

fn random_filter(random: &mut Random, index: usize) -> FilterScript {
    let mut script = filter(NAMES[index]);
    for callback in CALLBACKS {
        let turns = (0..3)
            .map(|_| {
                let result = if random.chance(3) {
                    random.below(4) as u32
                } else {
                    0
                };
                let steps = if random.chance(3) {
                    vec![random_step(random)]
                } else {
                    Vec::new()
                };
                turn(result, steps)
            })
            .collect();
        script = script.turns(callback, turns);
    }
    // The first stream of the VM is 2; where two filters share one, the others are nobody's.
    let woken = [call("proxy_set_effective_context", args![2]), random_step(random)];
    script = script.on(Callback::Tick, 0, woken);
    if random.chance(2) {
        script = script.open_on_fault();
    }
    if random.chance(3) {
        script = script.allows_stop_iteration();
    }
    if index == 1 && random.chance(2) {
        script = script.in_vm_of(NAMES[0]);
    }
    if index > 0 && random.chance(8) {
        script = script.unavailable();
    }
    script
}

/// What has gone out in one direction.
#[derive(Default)]
struct Sent {
    headers: bool,
    ended: bool,
    body: Vec<u8>,
}

/// What has gone out, checked as it goes.
#[derive(Default)]
struct Checker {
    request: Sent,
    response: Sent,
    answered: bool,
    reset: bool,
}

impl Checker {
    fn take(&mut self, output: Output) {
        assert!(!self.reset, "{output:?} after a reset");
        let direction = match &output {
            Output::Headers { direction, .. }
            | Output::Data { direction, .. }
            | Output::Trailers { direction } => *direction,
            Output::Answered { .. } => {
                assert!(!self.response.headers, "an answer after the response has left");
                self.answered = true;
                return;
            }
            Output::Reset(_) => {
                let over = (self.request.ended || self.answered) && self.response.ended;
                assert!(!over, "a reset of an exchange that is over");
                self.reset = true;
                return;
            }
        };
        let sent = match direction {
            Direction::Request => &mut self.request,
            Direction::Response => &mut self.response,
        };
        assert!(!sent.ended, "{output:?} after the end");
        assert!(
            !(self.answered && direction == Direction::Request),
            "{output:?} after an answer"
        );
        match output {
            Output::Headers { end_of_stream, .. } => {
                assert!(!sent.headers, "headers twice");
                (sent.headers, sent.ended) = (true, end_of_stream);
            }
            Output::Data {
                body, end_of_stream, ..
            } => {
                assert!(sent.headers, "a body before its headers");
                assert!(end_of_stream || !body.is_empty(), "nothing");
                sent.body.extend(contents(body));
                sent.ended = end_of_stream;
            }
            Output::Trailers { .. } => {
                assert!(sent.headers, "trailers before headers");
                sent.ended = true;
            }
            Output::Answered { .. } | Output::Reset(_) => {}
        }
    }
}

/// What comes in, in one direction.
enum Input {
    Headers(bool),
    Data(Bytes, bool),
    Trailers,
}

fn inputs(random: &mut Random) -> Vec<Input> {
    if random.chance(4) {
        return vec![Input::Headers(true)];
    }
    let pieces = random.below(4);
    let trailers = random.chance(3);
    let mut inputs = vec![Input::Headers(false)];
    for piece in 0..pieces {
        let last = piece + 1 == pieces && !trailers;
        let bytes = vec![b'0' + piece as u8; random.below(40)];
        inputs.push(Input::Data(bytes.into(), last));
    }
    if trailers {
        inputs.push(Input::Trailers);
    } else if pieces == 0 {
        inputs.push(Input::Data(Bytes::new(), true));
    }
    inputs.reverse();
    inputs
}

/// Runs one exchange with inputs in a random order, and gives what came in and what went out.
fn run(random: &mut Random, mut exchange: Scenario, names: &[&str]) -> ([Vec<u8>; 2], Checker) {
    let mut checker = Checker::default();
    let mut came = [Vec::new(), Vec::new()];
    let mut waiting = [inputs(random), inputs(random)];
    let directions = [Direction::Request, Direction::Response];
    let mut started = false;
    let mut turns_left = 60;
    while turns_left > 0 && waiting.iter().any(|inputs| !inputs.is_empty()) {
        turns_left -= 1;
        let which = if started { random.below(2) } else { 0 };
        started = true;
        if random.chance(4) {
            exchange.tick(names[random.below(names.len())]);
            exchange.chain.poll();
        }
        match waiting[which].pop() {
            None => {}
            Some(Input::Headers(end)) => {
                let headers = if which == 0 {
                    list(&[(":path", "/")])
                } else {
                    list(&[(":status", "200")])
                };
                exchange.chain.headers(directions[which], headers, end);
            }
            Some(Input::Data(data, end)) => {
                came[which].extend_from_slice(&data);
                exchange.chain.data(directions[which], data, end);
            }
            Some(Input::Trailers) => exchange.chain.trailers(directions[which], list(&[("t", "1")])),
        }
        while let Some(output) = exchange.chain.next_output() {
            checker.take(output);
        }
    }
    for _ in 0..10 {
        for name in names {
            exchange.tick(name);
            exchange.chain.poll();
            while let Some(output) = exchange.chain.next_output() {
                checker.take(output);
            }
        }
    }
    exchange.chain.finish();
    assert!(exchange.chain.next_output().is_none());
    (came, checker)
}

#[test]
fn whatever_filters_do_an_http_exchange_goes_out() {
    for seed in 0..1500 {
        let mut random = Random::new(seed);
        let count = 1 + random.below(4);
        let filters: Vec<_> = (0..count)
            .map(|index| random_filter(&mut random, index))
            .collect();
        let exchange = Scenario::with_limits(
            filters,
            ChainLimits {
                body_buffer: 1 + random.below(60),
            },
        );
        let names = exchange.names();
        if names.is_empty() {
            continue;
        }
        let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            run(&mut random, exchange, &names)
        }));
        assert!(told.is_ok(), "seed {seed}");
    }
}

#[test]
fn filters_that_let_everything_go_on_change_no_byte() {
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let count = random.below(4) + 1;
        let exchange = Scenario::new((0..count).map(|index| filter(NAMES[index])));
        let names = exchange.names();
        let (came, checker) = run(&mut random, exchange, &names);
        assert_eq!(came, [checker.request.body, checker.response.body], "seed {seed}");
        assert!(checker.request.ended && checker.response.ended, "seed {seed}");
        assert!(!checker.answered && !checker.reset, "seed {seed}");
    }
}

#[test]
fn filters_that_pause_and_are_resumed_change_no_byte() {
    for seed in 0..600 {
        let mut random = Random::new(seed);
        let count = random.below(3) + 1;
        let filters: Vec<_> = (0..count)
            .map(|index| pausing_filter(&mut random, index))
            .collect();
        let exchange = Scenario::new(filters);
        let names = exchange.names();
        let (came, checker) = run(&mut random, exchange, &names);
        assert_eq!(came, [checker.request.body, checker.response.body], "seed {seed}");
        assert!(checker.request.ended && checker.response.ended, "seed {seed}");
        assert!(!checker.answered && !checker.reset, "seed {seed}");
    }
}

/// A filter that pauses at random and lets both directions go on at each tick.
fn pausing_filter(random: &mut Random, index: usize) -> FilterScript {
    let mut script = filter(NAMES[index]);
    for callback in CALLBACKS {
        let results: Vec<u32> = (0..3).map(|_| random.below(3) as u32).collect();
        script = script.returns(callback, &results);
    }
    if random.chance(2) {
        script = script.allows_stop_iteration();
    }
    let woken = [
        call("proxy_set_effective_context", args![2]),
        resume(0),
        resume(1),
    ];
    script.on(Callback::Tick, 0, woken)
}

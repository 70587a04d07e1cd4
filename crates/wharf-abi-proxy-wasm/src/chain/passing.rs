//! How headers, bodies and trailers go through the filters' gates, and what happens when a gate opens.

use super::gate::Hold;
use super::{Chain, Output};
use crate::body::Body;
use crate::context::Direction;
use crate::numbers::{Action, BodyAction, HeadersAction};

impl Chain {
    pub(super) fn pass_headers(&mut self, direction: Direction, from: usize, end_of_stream: bool) {
        let answers = self.answers;
        for position in from..self.links.len() {
            let index = self.index(direction, position);
            if self.direct {
                break;
            }
            let entered = self.enters(direction, index);
            let action = entered
                .then(|| {
                    self.call(index, |vm, stream| {
                        vm.on_headers(stream, direction, end_of_stream)
                    })
                })
                .flatten();
            if self.is_overtaken(direction, answers) {
                return;
            }
            let Some(action) = action else { continue };
            let gate = self.links[index].gate(direction);
            gate.ended = end_of_stream;
            gate.headers_wait = action != HeadersAction::Continue;
            match action {
                HeadersAction::Continue => {}
                HeadersAction::StopIteration => gate.close(Hold::Headers),
                HeadersAction::StopAll => gate.close(Hold::All),
            }
            self.obey_after_call(index);
            if action != HeadersAction::Continue || self.is_overtaken(direction, answers) {
                return;
            }
        }
        self.put_out(Output::Headers {
            direction,
            end_of_stream,
        });
    }

    pub(super) fn pass_data(
        &mut self,
        direction: Direction,
        from: usize,
        body: Body,
        mut end_of_stream: bool,
    ) {
        let answers = self.answers;
        // The filter behind the one that made trailers in its last body callback is the first that is shown them.
        let mut trailers_from = None;
        let mut passed = Some(body);
        for position in from..self.links.len() {
            let index = self.index(direction, position);
            if self.direct || !self.takes_part(index) {
                continue;
            }
            let Some(body) = passed.take() else { break };
            passed = self.pass_data_to(direction, index, body, end_of_stream);
            if self.is_overtaken(direction, answers) {
                return;
            }
            if passed.is_some() && end_of_stream && self.trailers_were_made(direction) {
                end_of_stream = false;
                trailers_from = Some(position + 1);
            }
        }
        if let Some(body) = passed.filter(|body| end_of_stream || !body.is_empty()) {
            self.put_out(Output::Data {
                direction,
                body,
                end_of_stream,
            });
        }
        if let Some(from) = trailers_from {
            self.pass_trailers(direction, from);
        }
    }

    /// Gives a piece of a body to one filter. What goes on from it comes back.
    fn pass_data_to(
        &mut self,
        direction: Direction,
        index: usize,
        body: Body,
        end_of_stream: bool,
    ) -> Option<Body> {
        let gate = self.links[index].gate(direction);
        gate.ended |= end_of_stream;
        if gate.hold == Hold::All {
            gate.unseen.append(body);
            gate.held = gate.unseen.len();
            return None;
        }
        self.show_body(direction, index, body, end_of_stream)
    }

    /// Shows a filter all that it holds of a body together with what has come. What goes on comes back; `None` where it
    /// waits, has gone on already, or the direction is over.
    fn show_body(
        &mut self,
        direction: Direction,
        index: usize,
        body: Body,
        end_of_stream: bool,
    ) -> Option<Body> {
        let answers = self.answers;
        let was_open = self.links[index].gate(direction).hold == Hold::Open;
        self.with_held(direction, index, |held| held.append(body));
        let called = self.call(index, |vm, stream| {
            if !vm.sees_body(direction) {
                return Ok(BodyAction::Continue);
            }
            vm.on_body(stream, direction, end_of_stream)
        });
        if self.is_overtaken(direction, answers) {
            return None;
        }
        let Some(action) = called else {
            // Where something waited at a filter that faulted, it has been let go, and with it what has come now.
            return was_open.then(|| self.take_held(direction, index));
        };
        if action == BodyAction::StopNoBuffer {
            self.with_held(direction, index, Body::clear);
        }
        let held = self.with_held(direction, index, |held| held.len());
        let gate = self.links[index].gate(direction);
        gate.held = held;
        if action == BodyAction::Continue {
            gate.hold = Hold::Open;
        } else {
            gate.close(if action == BodyAction::StopAndWatermark {
                Hold::Watermark
            } else {
                Hold::Body
            });
        }
        if action == BodyAction::StopAndBuffer && held > self.limits.body_buffer {
            self.refuse_large(direction);
            return None;
        }
        self.obey_after_call(index);
        if action != BodyAction::Continue || self.is_overtaken(direction, answers) {
            return None;
        }
        self.release_headers(direction, index, false);
        if self.is_overtaken(direction, answers) {
            None
        } else {
            Some(self.take_held(direction, index))
        }
    }

    pub(super) fn pass_trailers(&mut self, direction: Direction, from: usize) {
        let answers = self.answers;
        for position in from..self.links.len() {
            let index = self.index(direction, position);
            if self.direct || !self.takes_part(index) {
                continue;
            }
            let gate = self.links[index].gate(direction);
            gate.ended = true;
            if gate.hold == Hold::All {
                gate.trailers_unseen = true;
                return;
            }
            gate.trailers_seen = true;
            let was_open = gate.hold == Hold::Open;
            let action = self.call(index, |vm, stream| vm.on_trailers(stream, direction));
            if self.is_overtaken(direction, answers) || (action.is_none() && !was_open) {
                return;
            }
            let Some(action) = action else { continue };
            let waits = action == Action::Pause;
            self.links[index].gate(direction).hold = if waits { Hold::Trailers } else { Hold::Open };
            self.obey_after_call(index);
            if waits || self.is_overtaken(direction, answers) {
                return;
            }
            self.release_headers(direction, index, false);
            let body = self.take_held(direction, index);
            if !body.is_empty() && !self.is_overtaken(direction, answers) {
                self.pass_data(direction, position + 1, body, false);
            }
            if self.is_overtaken(direction, answers) {
                return;
            }
        }
        self.put_out(Output::Trailers { direction });
    }

    /// Opens a filter's gate, and lets go on what waits there. A filter that has not seen what waits sees it now.
    pub(super) fn resume(&mut self, direction: Direction, index: usize) {
        let gate = self.links[index].gate(direction);
        match std::mem::replace(&mut gate.hold, Hold::Open) {
            Hold::Open => {}
            Hold::All => self.resume_unseen(direction, index),
            Hold::Headers | Hold::Body | Hold::Watermark | Hold::Trailers => {
                self.resume_seen(direction, index)
            }
        }
    }

    fn resume_unseen(&mut self, direction: Direction, index: usize) {
        let answers = self.answers;
        let position = self.position(direction, index);
        let gate = self.links[index].gate(direction);
        let unseen = std::mem::take(&mut gate.unseen);
        // They stay noted while the body goes on: a filter that resumes from its body callback must not end the body.
        let trailers = gate.trailers_unseen;
        let (ended, only_headers) = (gate.ended, gate.ended_with_headers());
        gate.held = 0;
        self.release_headers(direction, index, only_headers);
        if only_headers || self.is_overtaken(direction, answers) {
            return;
        }
        if !unseen.is_empty() || (ended && !trailers) {
            self.pass_data(direction, position, unseen, ended && !trailers);
        }
        if trailers && !self.is_overtaken(direction, answers) {
            self.links[index].gate(direction).trailers_unseen = false;
            self.pass_trailers(direction, position);
        }
    }

    fn resume_seen(&mut self, direction: Direction, index: usize) {
        let answers = self.answers;
        let next = self.position(direction, index) + 1;
        let gate = self.links[index].gate(direction);
        let (trailers, only_headers) = (gate.trailers_seen, gate.ended_with_headers());
        let ended = gate.ended && !gate.trailers_unseen;
        self.release_headers(direction, index, only_headers);
        if only_headers || self.is_overtaken(direction, answers) {
            return;
        }
        let body = self.take_held(direction, index);
        let made = ended && !trailers && self.trailers_were_made(direction);
        let ends = ended && !trailers && !made;
        if !body.is_empty() || ends {
            self.pass_data(direction, next, body, ends);
        }
        if (trailers || made) && !self.is_overtaken(direction, answers) {
            self.pass_trailers(direction, next);
        }
    }

    /// Lets headers go on that wait at a filter.
    fn release_headers(&mut self, direction: Direction, index: usize, end_of_stream: bool) {
        let gate = self.links[index].gate(direction);
        if std::mem::take(&mut gate.headers_wait) {
            self.hide_headers(direction, index);
            let next = self.position(direction, index) + 1;
            self.pass_headers(direction, next, end_of_stream);
        }
    }

    fn hide_headers(&mut self, direction: Direction, index: usize) {
        let link = &self.links[index];
        if let (Some(vm), Some(stream)) = (&link.vm, link.stream) {
            vm.borrow_mut()
                .with_view(stream, direction, |view| view.headers_visible = false);
        }
    }

    pub(super) fn with_held<R: Default>(
        &mut self,
        direction: Direction,
        index: usize,
        work: impl FnOnce(&mut Body) -> R,
    ) -> R {
        let link = &self.links[index];
        let (Some(vm), Some(stream)) = (&link.vm, link.stream) else {
            return R::default();
        };
        vm.borrow_mut()
            .with_view(stream, direction, |view| work(&mut view.body))
    }

    fn take_held(&mut self, direction: Direction, index: usize) -> Body {
        let link = &mut self.links[index];
        link.gate(direction).held = 0;
        let (Some(vm), Some(stream)) = (&link.vm, link.stream) else {
            return Body::new();
        };
        vm.borrow_mut().with_view(stream, direction, |view| {
            view.body_visible = false;
            std::mem::take(&mut view.body)
        })
    }

    /// Whether filters made trailers for a body that had none.
    fn trailers_were_made(&self, direction: Direction) -> bool {
        let exchange = self.exchange.borrow();
        match direction {
            Direction::Request => exchange.request_trailers.is_some() && !self.request_trailers_came,
            Direction::Response => exchange.response_trailers.is_some() && !self.response_trailers_came,
        }
    }
}

//! A worker's client connections: how many there are, and telling them that the worker drains.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::Waker;

use slab::Slab;
use tokio::sync::Notify;

use crate::context::Listener;

/// All client connections of one worker. Belongs to its thread: a connection that asks whether the worker drains
/// reads a flag and takes no lock.
#[derive(Debug)]
pub(super) struct Connections {
    limit: usize,
    /// The tasks of open connections; a task that was not polled yet has no waker.
    tasks: RefCell<Slab<Option<Waker>>>,
    /// Listening sockets that may still bring connections.
    accepting: Cell<usize>,
    draining: Cell<bool>,
    changed: Notify,
}

impl Connections {
    pub(super) fn new(limit: usize, accepting: usize) -> Connections {
        Connections {
            limit,
            tasks: RefCell::default(),
            accepting: Cell::new(accepting),
            draining: Cell::new(false),
            changed: Notify::new(),
        }
    }

    pub(super) fn open(&self) -> usize {
        self.tasks.borrow().len()
    }

    /// Waits until one more connection is allowed.
    pub(super) async fn room(&self) {
        while self.open() >= self.limit {
            self.changed.notified().await;
        }
    }

    /// Waits until there are no connections, and none can come.
    pub(super) async fn all_closed(&self) {
        while self.open() > 0 || self.accepting.get() > 0 {
            self.changed.notified().await;
        }
    }

    /// A listening socket was closed.
    pub(super) fn accepted_last(&self) {
        self.accepting.set(self.accepting.get() - 1);
        self.changed.notify_waiters();
    }

    /// Tells every connection, now and later, that the worker drains.
    pub(super) fn drain(&self) {
        self.draining.set(true);
        for (_, waker) in self.tasks.borrow().iter() {
            if let Some(waker) = waker {
                waker.wake_by_ref();
            }
        }
    }
}

/// The place of one connection; it is counted while this exists.
pub(super) struct Place {
    connections: Rc<Connections>,
    listener: Rc<Listener>,
    key: usize,
}

impl Place {
    pub(super) fn take(connections: &Rc<Connections>, listener: &Rc<Listener>) -> Place {
        listener.metrics.connections.inc();
        listener.metrics.connections_active.inc();
        let key = connections.tasks.borrow_mut().insert(None);
        Place {
            connections: Rc::clone(connections),
            listener: Rc::clone(listener),
            key,
        }
    }

    pub(super) fn listener(&self) -> &Rc<Listener> {
        &self.listener
    }

    /// This connection's task, to be woken when the worker begins to drain.
    pub(super) fn wake_to_drain(&self, waker: &Waker) {
        self.connections.tasks.borrow_mut()[self.key] = Some(waker.clone());
    }

    /// Whether the worker drains.
    pub(super) fn is_draining(&self) -> bool {
        self.connections.draining.get()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.tasks.borrow_mut().remove(self.key);
        self.connections.changed.notify_waiters();
        self.listener.metrics.connections_active.dec();
    }
}

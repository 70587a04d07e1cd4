//! Shared queues: `proxy_register_shared_queue`, `proxy_resolve_shared_queue`, `proxy_enqueue_shared_queue`,
//! `proxy_dequeue_shared_queue`.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;

use super::Namespace;

/// The most bytes that wait in one queue: 16 MiB.
const MAXIMUM_BYTES: usize = 16 << 20;
/// The most items that wait in one queue.
const MAXIMUM_ITEMS: usize = 100_000;
/// The most queues of a process.
const MAXIMUM_QUEUES: usize = 10_000;

/// Who is told that something was put on a queue. It is called from the thread of whoever put it there, and only
/// passes the news on; the consumer's own worker calls the guest. A queue does not keep it: whoever drops it hears nothing
/// more.
pub type QueueListener = Arc<dyn Fn(u32) + Send + Sync>;

/// Queues by namespace and name. Their ids are never 0.
#[derive(Default)]
pub struct SharedQueues {
    queues: Mutex<Queues>,
}

#[derive(Default)]
struct Queues {
    ids: HashMap<(Namespace, Vec<u8>), u32>,
    by_id: HashMap<u32, Queue>,
    last_id: u32,
}

struct Queue {
    items: VecDeque<Bytes>,
    bytes: usize,
    /// Who registered it, the last one last. Those that are gone are taken out when the next one registers.
    listeners: Vec<Weak<dyn Fn(u32) + Send + Sync>>,
}

impl Queue {
    fn add_listener(&mut self, listener: &QueueListener) {
        let listener = Arc::downgrade(listener);
        self.listeners
            .retain(|known| known.strong_count() > 0 && !known.ptr_eq(&listener));
        self.listeners.push(listener);
    }

    /// Who registered last of those that are still there.
    fn listener(&self) -> Option<QueueListener> {
        self.listeners.iter().rev().find_map(Weak::upgrade)
    }
}

/// Why a queue cannot do what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueueError {
    /// There is no queue with this id.
    #[error("there is no queue {0}")]
    Unknown(u32),
    /// Nothing waits in it.
    #[error("the queue is empty")]
    Empty,
    /// Nobody takes things out fast enough.
    #[error("a queue holds at most {MAXIMUM_ITEMS} items and {MAXIMUM_BYTES} bytes")]
    Full,
    /// There are too many queues.
    #[error("there are {MAXIMUM_QUEUES} queues already")]
    TooMany,
}

impl SharedQueues {
    /// The queue of this name, which is made where there is none. `listener` hears of it from now on, instead of who
    /// registered before; that one hears of it again when `listener` is dropped. What waits in the queue stays.
    ///
    /// # Errors
    /// [`QueueError::TooMany`].
    pub fn register(
        &self,
        namespace: &Namespace,
        name: &[u8],
        listener: &QueueListener,
    ) -> Result<u32, QueueError> {
        let mut queues = self.lock();
        let key = (namespace.clone(), name.to_vec());
        if let Some(&id) = queues.ids.get(&key) {
            if let Some(queue) = queues.by_id.get_mut(&id) {
                queue.add_listener(listener);
            }
            return Ok(id);
        }
        if queues.by_id.len() == MAXIMUM_QUEUES {
            return Err(QueueError::TooMany);
        }
        queues.last_id += 1;
        let id = queues.last_id;
        queues.ids.insert(key, id);
        let mut queue = Queue {
            items: VecDeque::new(),
            bytes: 0,
            listeners: Vec::new(),
        };
        queue.add_listener(listener);
        queues.by_id.insert(id, queue);
        Ok(id)
    }

    /// The id of the queue of this name.
    pub fn resolve(&self, namespace: &Namespace, name: &[u8]) -> Option<u32> {
        self.lock().ids.get(&(namespace.clone(), name.to_vec())).copied()
    }

    /// Puts `item` at the end of the queue and tells its listener.
    ///
    /// # Errors
    /// [`QueueError::Unknown`] or [`QueueError::Full`].
    pub fn enqueue(&self, id: u32, item: Bytes) -> Result<(), QueueError> {
        let listener = {
            let mut queues = self.lock();
            let queue = queues.by_id.get_mut(&id).ok_or(QueueError::Unknown(id))?;
            if queue.items.len() == MAXIMUM_ITEMS || queue.bytes + item.len() > MAXIMUM_BYTES {
                return Err(QueueError::Full);
            }
            queue.bytes += item.len();
            queue.items.push_back(item);
            queue.listener()
        };
        if let Some(listener) = listener {
            listener(id);
        }
        Ok(())
    }

    /// Takes the first item of the queue.
    ///
    /// # Errors
    /// [`QueueError::Unknown`] or [`QueueError::Empty`].
    pub fn dequeue(&self, id: u32) -> Result<Bytes, QueueError> {
        let mut queues = self.lock();
        let queue = queues.by_id.get_mut(&id).ok_or(QueueError::Unknown(id))?;
        let item = queue.items.pop_front().ok_or(QueueError::Empty)?;
        queue.bytes -= item.len();
        Ok(item)
    }

    /// Drops all queues of a namespace with what waits in them.
    pub(super) fn forget(&self, namespace: &Namespace) {
        let mut queues = self.lock();
        let Queues { ids, by_id, .. } = &mut *queues;
        ids.retain(|(owner, _), id| {
            let stays = owner != namespace;
            if !stays {
                by_id.remove(id);
            }
            stays
        });
    }

    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn vm(name: &str) -> Namespace {
        Namespace::Named(name.into())
    }

    fn nobody() -> QueueListener {
        Arc::new(|_| ())
    }

    fn counting(heard: &Arc<AtomicU32>) -> QueueListener {
        let heard = Arc::clone(heard);
        Arc::new(move |_| _ = heard.fetch_add(1, Ordering::Relaxed))
    }

    #[test]
    fn who_registered_before_hears_again_when_the_last_one_is_gone() {
        let queues = SharedQueues::default();
        let (first_heard, second_heard) = (Arc::default(), Arc::default());
        let (first, second) = (counting(&first_heard), counting(&second_heard));
        let heard = || [&first_heard, &second_heard].map(|count| count.load(Ordering::Relaxed));
        let id = queues.register(&vm("a"), b"q", &first).unwrap();
        // Who registers again and again is remembered once.
        for _ in 0..3 {
            queues.register(&vm("a"), b"q", &second).unwrap();
        }
        assert_eq!(queues.lock().by_id[&id].listeners.len(), 2);
        queues.enqueue(id, "1".into()).unwrap();
        assert_eq!(heard(), [0, 1]);
        drop(second);
        queues.enqueue(id, "2".into()).unwrap();
        assert_eq!(heard(), [1, 1]);
        queues.register(&vm("a"), b"q", &first).unwrap();
        assert_eq!(queues.lock().by_id[&id].listeners.len(), 1);
        drop(first);
        queues.enqueue(id, "3".into()).unwrap();
        assert_eq!(heard(), [1, 1]);
        assert_eq!(queues.dequeue(id).unwrap(), "1");
    }

    #[test]
    fn the_queues_of_a_namespace_are_forgotten() {
        let queues = SharedQueues::default();
        let own = queues.register(&vm("a"), b"q", &nobody()).unwrap();
        let other = queues.register(&vm("b"), b"q", &nobody()).unwrap();
        queues.forget(&vm("a"));
        assert_eq!(queues.resolve(&vm("a"), b"q"), None);
        assert_eq!(queues.enqueue(own, "1".into()), Err(QueueError::Unknown(own)));
        queues.enqueue(other, "1".into()).unwrap();
    }

    #[test]
    fn first_in_first_out_and_the_last_registered_hears() {
        let queues = SharedQueues::default();
        let heard = Arc::new(AtomicU32::new(0));
        let id = queues.register(&vm("a"), b"q", &nobody()).unwrap();
        assert_ne!(id, 0);
        queues.enqueue(id, "1".into()).unwrap();
        let listener = counting(&heard);
        assert_eq!(queues.register(&vm("a"), b"q", &listener), Ok(id));
        queues.enqueue(id, "2".into()).unwrap();
        assert_eq!(heard.load(Ordering::Relaxed), 1);
        assert_eq!(queues.dequeue(id).unwrap(), "1");
        assert_eq!(queues.dequeue(id).unwrap(), "2");
        assert_eq!(queues.dequeue(id), Err(QueueError::Empty));
    }

    #[test]
    fn unknown_queues() {
        let queues = SharedQueues::default();
        let id = queues.register(&vm("a"), b"q", &nobody()).unwrap();
        assert_eq!(queues.resolve(&vm("a"), b"q"), Some(id));
        assert_eq!(queues.resolve(&vm("b"), b"q"), None);
        assert_eq!(queues.dequeue(0), Err(QueueError::Unknown(0)));
        assert_eq!(queues.enqueue(99, Bytes::new()), Err(QueueError::Unknown(99)));
    }

    #[test]
    fn a_queue_is_bounded() {
        let queues = SharedQueues::default();
        let id = queues.register(&vm("a"), b"q", &nobody()).unwrap();
        let large = Bytes::from(vec![0; MAXIMUM_BYTES]);
        queues.enqueue(id, large.clone()).unwrap();
        assert_eq!(queues.enqueue(id, "x".into()), Err(QueueError::Full));
        queues.dequeue(id).unwrap();
        queues.enqueue(id, large).unwrap();
    }
}

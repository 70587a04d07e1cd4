//! Shared data: `proxy_get_shared_data`, `proxy_set_shared_data`.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::Namespace;

/// The most bytes, keys and values together, that one namespace may hold: 16 MiB.
const MAXIMUM_BYTES: usize = 16 << 20;

/// Values by key in each namespace. Every change gives the value a new CAS number, which is never 0.
///
/// A lock is held for the length of a look-up or an insert, never while a guest runs.
#[derive(Default)]
pub struct SharedData {
    namespaces: Mutex<Namespaces>,
}

#[derive(Default)]
struct Namespaces {
    by_name: HashMap<Namespace, Values>,
    last_cas: u32,
}

#[derive(Default)]
struct Values {
    by_key: HashMap<Box<[u8]>, (Bytes, u32)>,
    bytes: usize,
}

/// Why a value was not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SharedDataError {
    /// The value has changed since the guest read it.
    #[error("the value's CAS number is {now} by now, not {given}")]
    CasMismatch {
        /// What the guest gave.
        given: u32,
        /// What it is.
        now: u32,
    },
    /// The namespace is full.
    #[error("the shared data of one VM id may have {MAXIMUM_BYTES} bytes in all")]
    Full,
}

impl SharedData {
    /// The value of `key` and its CAS number.
    pub fn get(&self, namespace: &Namespace, key: &[u8]) -> Option<(Bytes, u32)> {
        self.lock().by_name.get(namespace)?.by_key.get(key).cloned()
    }

    /// Sets `key`. With a `cas` of 0 it is set whatever it was; otherwise only where its CAS number is still `cas`, or
    /// where the key is new.
    ///
    /// # Errors
    /// [`SharedDataError`]; the value is as it was.
    pub fn set(
        &self,
        namespace: &Namespace,
        key: &[u8],
        value: Bytes,
        cas: u32,
    ) -> Result<(), SharedDataError> {
        let mut namespaces = self.lock();
        let next_cas = namespaces.last_cas.checked_add(1).unwrap_or(1);
        let values = match namespaces.by_name.get_mut(namespace) {
            Some(values) => values,
            None => namespaces.by_name.entry(namespace.clone()).or_default(),
        };
        let old = values.by_key.get(key).map(|(value, cas)| (value.len(), *cas));
        if let Some((_, now)) = old
            && cas != 0
            && cas != now
        {
            return Err(SharedDataError::CasMismatch { given: cas, now });
        }
        let bytes = values.bytes - old.map_or(0, |(length, _)| key.len() + length) + key.len() + value.len();
        if bytes > MAXIMUM_BYTES {
            return Err(SharedDataError::Full);
        }
        values.bytes = bytes;
        values.by_key.insert(key.into(), (value, next_cas));
        namespaces.last_cas = next_cas;
        Ok(())
    }

    /// Drops all values of a namespace.
    pub(super) fn forget(&self, namespace: &Namespace) {
        let values = self.lock().by_name.remove(namespace);
        // They may be many, and nobody has to wait for that.
        drop(values);
    }

    fn lock(&self) -> MutexGuard<'_, Namespaces> {
        self.namespaces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn vm(name: &str) -> Namespace {
        Namespace::Named(name.into())
    }

    #[test]
    fn compare_and_swap() {
        let data = SharedData::default();
        assert_eq!(data.get(&vm("a"), b"k"), None);
        data.set(&vm("a"), b"k", "1".into(), 77).unwrap();
        let (value, cas) = data.get(&vm("a"), b"k").unwrap();
        assert_eq!(value, "1");
        data.set(&vm("a"), b"k", "2".into(), cas).unwrap();
        let now = data.get(&vm("a"), b"k").unwrap().1;
        assert_eq!(
            data.set(&vm("a"), b"k", "3".into(), cas),
            Err(SharedDataError::CasMismatch { given: cas, now })
        );
        data.set(&vm("a"), b"k", "4".into(), 0).unwrap();
        assert_eq!(data.get(&vm("a"), b"k").unwrap().0, "4");
    }

    #[test]
    fn namespaces_are_apart_even_where_their_names_are_alike() {
        let data = SharedData::default();
        data.set(&vm("a"), b"k", "1".into(), 0).unwrap();
        assert_eq!(data.get(&vm("b"), b"k"), None);
        assert_eq!(data.get(&Namespace::Private("a".into()), b"k"), None);
    }

    #[test]
    fn a_namespace_is_forgotten() {
        let data = SharedData::default();
        data.set(&vm("a"), b"k", "1".into(), 0).unwrap();
        data.set(&vm("b"), b"k", "2".into(), 0).unwrap();
        data.forget(&vm("a"));
        assert_eq!(data.get(&vm("a"), b"k"), None);
        assert_eq!(data.get(&vm("b"), b"k").unwrap().0, "2");
    }

    #[test]
    fn a_namespace_is_bounded() {
        let data = SharedData::default();
        let half = Bytes::from(vec![0; MAXIMUM_BYTES / 2]);
        data.set(&vm("a"), b"1", half.clone(), 0).unwrap();
        assert_eq!(
            data.set(&vm("a"), b"2", half.clone(), 0),
            Err(SharedDataError::Full)
        );
        data.set(&vm("a"), b"1", half.clone(), 0).unwrap();
        data.set(&vm("b"), b"2", half, 0).unwrap();
        data.set(&vm("a"), b"1", Bytes::new(), 0).unwrap();
        data.set(&vm("a"), b"2", Bytes::from(vec![0; MAXIMUM_BYTES - 2]), 0)
            .unwrap();
    }

    #[test]
    fn hammer_a_counter_from_many_threads() {
        let data = Arc::new(SharedData::default());
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let data = Arc::clone(&data);
                std::thread::spawn(move || (0..1000).for_each(|_| increment(&data)))
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(data.get(&vm("a"), b"n").unwrap().0, "4000");
    }

    fn increment(data: &SharedData) {
        loop {
            let (value, cas) = data.get(&vm("a"), b"n").unwrap_or(("0".into(), 0));
            let next = std::str::from_utf8(&value).unwrap().parse::<u32>().unwrap() + 1;
            // A first value takes any CAS number, so two first increments may both succeed: start from a set one.
            if cas == 0 {
                let _ = data.set(&vm("a"), b"n", "0".into(), u32::MAX);
                continue;
            }
            if data.set(&vm("a"), b"n", next.to_string().into(), cas).is_ok() {
                return;
            }
        }
    }
}

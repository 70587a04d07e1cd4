//! Instances that are kept for the next call.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

use crate::fault::Fault;
use crate::instance::Instance;
use crate::module::Linked;

/// Keeps up to a number of idle instances of one module, for hosts whose guests keep their state between calls.
///
/// A taken instance goes back when it is dropped, unless it has faulted. Where a call must not see the state of an
/// earlier one, use [`Linked::instantiate`] for each call instead.
pub struct InstancePool<S: 'static> {
    linked: Arc<Linked<S>>,
    idle: Arc<Mutex<Vec<Instance<S>>>>,
    most_idle: usize,
}

/// An instance on loan from an [`InstancePool`].
pub struct PooledInstance<S: 'static> {
    instance: Option<Instance<S>>,
    idle: Arc<Mutex<Vec<Instance<S>>>>,
    most_idle: usize,
}

impl<S: 'static> InstancePool<S> {
    /// A pool that keeps at most `most_idle` instances.
    pub fn new(linked: Arc<Linked<S>>, most_idle: usize) -> Self {
        Self {
            linked,
            idle: Arc::default(),
            most_idle,
        }
    }

    /// Takes an idle instance, or makes one with the state that `state` gives and sets it up with `prepare`.
    ///
    /// # Errors
    /// The [`Fault`] of a new instance's start, or of `prepare`.
    pub fn take(
        &self,
        state: impl FnOnce() -> S,
        prepare: impl FnOnce(&mut Instance<S>) -> Result<(), Fault>,
    ) -> Result<PooledInstance<S>, Fault> {
        let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let instance = match kept {
            Some(instance) => instance,
            None => {
                let mut instance = self.linked.instantiate(state())?;
                prepare(&mut instance)?;
                instance
            }
        };
        Ok(PooledInstance {
            instance: Some(instance),
            idle: Arc::clone(&self.idle),
            most_idle: self.most_idle,
        })
    }

    /// How many instances are idle.
    pub fn idle(&self) -> usize {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl<S: 'static> Deref for PooledInstance<S> {
    type Target = Instance<S>;

    fn deref(&self) -> &Instance<S> {
        self.instance.as_ref().expect("it is taken only in drop")
    }
}

impl<S: 'static> DerefMut for PooledInstance<S> {
    fn deref_mut(&mut self) -> &mut Instance<S> {
        self.instance.as_mut().expect("it is taken only in drop")
    }
}

impl<S: 'static> Drop for PooledInstance<S> {
    fn drop(&mut self) {
        let Some(instance) = self.instance.take() else {
            return;
        };
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if !instance.is_faulted() && idle.len() < self.most_idle {
            idle.push(instance);
        }
    }
}

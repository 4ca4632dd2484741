//! Locks of what several calls of a provider share.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A lock is never poisoned for others: no change leaves anything half done.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! Policies, good and hostile.

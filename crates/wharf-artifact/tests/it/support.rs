//! What tests are made of.

pub(crate) mod images;
pub(crate) mod tar;
pub(crate) mod visitors;

//! Targets made on the fly, good and bad, read as the scanner reads them.

mod directories;
mod support;

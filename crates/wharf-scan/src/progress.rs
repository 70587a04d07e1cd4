//! How far a scan is.

/// Hears how far a scan is. It may be called from several threads at once, often.
pub trait ScanProgress: Send + Sync {
    /// The modules have looked at a file.
    fn file(&self, path: &str);

    /// A layer is about to be read: its place, of how many.
    fn layer(&self, place: usize, of: usize);

    /// A module is about to look at the results.
    fn post_scan(&self, module: &str);
}

/// Nobody listens.
impl ScanProgress for () {
    fn file(&self, _path: &str) {}

    fn layer(&self, _place: usize, _of: usize) {}

    fn post_scan(&self, _module: &str) {}
}

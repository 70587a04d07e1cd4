//! What a scan has to tell beside its findings.

use std::fmt;

use crate::json::{go_object, go_text};
use crate::visible::visible;

go_object! {
    /// Something that the scan could not do, so that its findings may not be all there are.
    pub struct ScanWarning {
        /// What happened.
        pub kind: WarningKind => "Kind",
        /// The module that it happened to, by its name.
        pub module: Option<String> => "Module" omit,
        /// The file, relative to the target.
        pub path: Option<String> => "Path" omit,
        /// The layer of the image that the file is in, by its digest.
        pub layer: Option<String> => "Layer" omit,
        /// What happened, for a reader; without the module, the path and the layer.
        pub message: String => "Message",
    }
}

go_text! {
    /// What a warning is of.
    pub enum WarningKind else default {
        /// None of the others.
        #[default]
        Other => "other",
        /// A module trapped, ran past its deadline or its memory, or gave what cannot be read. What it would have found is missing.
        ModuleFault => "module-fault",
        /// A file or a folder could not be read. It was not scanned.
        Unreadable => "unreadable",
        /// A bound was reached: size, depth or number of files. What lies behind it was not scanned.
        Limit => "limit",
        /// Something in an image is not as it ought to be.
        Image => "image",
    }
}

impl ScanWarning {
    /// A warning of no module, path and layer.
    pub fn new(kind: WarningKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            ..Self::default()
        }
    }
}

/// One line: the module, the path and the layer as far as there are any, and the message. Characters that would move a
/// terminal's cursor are spelled out.
impl fmt::Display for ScanWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = "";
        if let Some(module) = &self.module {
            write!(f, "module {}", visible(module))?;
            before = ", ";
        }
        if let Some(path) = &self.path {
            write!(f, "{before}{}", visible(path))?;
            before = ", ";
        }
        if let Some(layer) = &self.layer {
            write!(f, "{before}layer {}", visible(layer))?;
            before = ", ";
        }
        if !before.is_empty() {
            f.write_str(": ")?;
        }
        f.write_str(&visible(&self.message))
    }
}

#[cfg(test)]
mod tests {
    use super::{ScanWarning, WarningKind};

    #[test]
    fn a_warning_is_one_line() {
        let mut warning = ScanWarning::new(WarningKind::ModuleFault, "trap:\nunreachable \u{1b}[2J");
        assert_eq!(warning.to_string(), "trap: unreachable \\x1b[2J");
        warning.path = Some("a/b\n.php".to_owned());
        assert_eq!(warning.to_string(), "a/b .php: trap: unreachable \\x1b[2J");
        warning.module = Some("wordpress".to_owned());
        warning.layer = Some("sha256:12".to_owned());
        assert_eq!(
            warning.to_string(),
            "module wordpress, a/b .php, layer sha256:12: trap: unreachable \\x1b[2J"
        );
    }
}

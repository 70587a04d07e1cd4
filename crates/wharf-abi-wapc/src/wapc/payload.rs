//! How large what goes between host and guest may be.

use wharf_plugin::ByteSize;

/// The sizes of what crosses between a guest and its host. The host holds each of these in its own memory, beside the
/// guest's, so each has a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PayloadLimits {
    /// The payload of a call. Default: 16MiB.
    pub request: ByteSize,
    /// The guest's answer. Default: 4MiB, which is more than a Kubernetes object can have.
    pub response: ByteSize,
    /// The payload of a host call. Default: 1MiB.
    pub host_request: ByteSize,
    /// The host's answer to a host call, such as a list of Kubernetes objects. Default: 64MiB.
    pub host_response: ByteSize,
    /// An error text or a line for the log; what is longer is cut. Default: 64KiB.
    pub text: ByteSize,
}

impl Default for PayloadLimits {
    fn default() -> Self {
        Self {
            request: ByteSize::from_mib(16),
            response: ByteSize::from_mib(4),
            host_request: ByteSize::from_mib(1),
            host_response: ByteSize::from_mib(64),
            text: ByteSize::from_kib(64),
        }
    }
}

impl PayloadLimits {
    /// Bytes of a guest as text of bounded length; what is not UTF-8 is replaced.
    pub(crate) fn text_of(&self, bytes: &[u8]) -> String {
        let most = self.text.as_usize();
        match bytes.get(..most) {
            Some(head) if head.len() < bytes.len() => {
                let left_out = bytes.len() - most;
                format!("{}… ({left_out} bytes left out)", String::from_utf8_lossy(head))
            }
            _ => String::from_utf8_lossy(bytes).into_owned(),
        }
    }

    /// A text of the host, for the guest, of bounded length.
    pub(crate) fn cut(&self, mut text: String) -> String {
        let most = self.text.as_usize();
        if text.len() > most {
            let end = (0..=most)
                .rev()
                .find(|end| text.is_char_boundary(*end))
                .unwrap_or(0);
            text.truncate(end);
            text.push('…');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_cut_and_says_so() {
        let limits = PayloadLimits {
            text: ByteSize::from_bytes(4),
            ..PayloadLimits::default()
        };
        assert_eq!(limits.text_of(b"four"), "four");
        assert_eq!(limits.text_of(b"fives"), "five… (1 bytes left out)");
        assert_eq!(
            limits.text_of("aaaé".as_bytes()),
            "aaa\u{fffd}… (1 bytes left out)"
        );
        assert_eq!(limits.text_of(&[0xff]), "\u{fffd}");
        assert_eq!(limits.cut("four".into()), "four");
        assert_eq!(limits.cut("aaaé".into()), "aaa…");
    }
}

//! The error numbers, each with its reason.

use wharf_engine::OutOfBounds;

use crate::OutputFull;

/// What a function of the interface answers.
pub(crate) type Answer = Result<(), Refusal>;

/// Why a guest got an error number instead of what it asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// 8, `badf`.
    #[error("file descriptor {0} is neither stdout (1) nor stderr (2)")]
    FileDescriptor(u32),
    /// 20. The standard calls this number `exist` and would have `notdir`, 54, here; hosts give 20 all the same.
    #[error("there are no directories")]
    NoDirectory,
    /// 21, `fault`.
    #[error(transparent)]
    Memory(#[from] OutOfBounds),
    /// 8, `badf`.
    #[error("file descriptor {0} is not open, or not for this")]
    NotOpen(u32),
    /// 28, `inval`.
    #[error("{0}")]
    Invalid(&'static str),
    /// 31, `isdir`.
    #[error("this is a directory")]
    IsDirectory,
    /// 33, `mfile`.
    #[error("{MOST_OPEN} descriptors are open, and no more may be", MOST_OPEN = crate::tree::MOST_OPEN)]
    TooManyOpen,
    /// 37, `nametoolong`.
    #[error("a path of {0} bytes is too long")]
    PathLength(u32),
    /// 44, `noent`.
    #[error("the tree has nothing of this name")]
    NotInTree,
    /// 54, `notdir`.
    #[error("this is no directory")]
    NotDirectory,
    /// 63, `perm`.
    #[error("the path is absolute or leads out of its directory")]
    Outside,
    /// 28, `inval`.
    #[error("{0} random bytes were asked for at once, and at most {MOST_RANDOM} are given", MOST_RANDOM = crate::random::MOST_BYTES)]
    RandomLength(u32),
    /// 29, `io`.
    #[error("stdin cannot be read: {0}")]
    Stdin(std::io::ErrorKind),
    /// 44, `noent`.
    #[error("there are no files")]
    NoFile,
    /// 51, `nospc`.
    #[error(transparent)]
    Output(#[from] OutputFull),
    /// 52, `nosys`.
    #[error("this host does not have the function")]
    NotImplemented,
    /// 58, `notsup`.
    #[error("clock {0} is neither the real time (0) nor the monotonic clock (1)")]
    Clock(u32),
    /// 58, `notsup`.
    #[error("guests have neither files nor sockets nor signals")]
    NotSupported,
}

impl Refusal {
    /// The number that the guest sees.
    pub(crate) fn errno(&self) -> i32 {
        match self {
            Self::FileDescriptor(_) | Self::NotOpen(_) => 8,
            Self::NoDirectory => 20,
            Self::Memory(_) => 21,
            Self::RandomLength(_) | Self::Invalid(_) => 28,
            Self::Stdin(_) => 29,
            Self::IsDirectory => 31,
            Self::TooManyOpen => 33,
            Self::PathLength(_) => 37,
            Self::NoFile | Self::NotInTree => 44,
            Self::Output(_) => 51,
            Self::NotImplemented => 52,
            Self::NotDirectory => 54,
            Self::Clock(_) | Self::NotSupported => 58,
            Self::Outside => 63,
        }
    }
}

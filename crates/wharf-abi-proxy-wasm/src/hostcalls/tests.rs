//! The host functions by their bytes: each is called through the scripted guest, and what is expected is the call with
//! its status, the log's line, and what has changed in the guest's memory.

mod logging;

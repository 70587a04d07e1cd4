//! Watches each host call: its status is one of the ABI's, and it writes nothing but its answers.

use wharf_engine::{GuestMemory, HostCallEvent, HostCallObserver, Value};

use crate::script::{Function, WASI};

/// The statuses of proxy-wasm.
const STATUSES: [i32; 10] = [0, 1, 2, 3, 4, 6, 7, 8, 10, 12];
/// The last error number of WASI.
const LAST_ERRNO: i32 = 76;
/// What host functions answer that cannot be called from inside the allocator.
const INTERNAL_FAILURE: i32 = 10;

/// One host call under way.
struct Under {
    /// The memory before.
    before: Vec<u8>,
    /// What the guest's allocator gave meanwhile: address and length.
    allocated: Vec<(u64, u64)>,
}

/// The observer of one VM.
pub(crate) struct Watch {
    functions: &'static [Function],
    /// The calls under way: one, and those that the guest's allocator makes from inside of it.
    under: Vec<Under>,
}

impl Watch {
    pub(crate) fn new(functions: &'static [Function]) -> Self {
        Self {
            functions,
            under: Vec::new(),
        }
    }

    fn parameters(&self, event: &HostCallEvent<'_>) -> &'static str {
        let found = self.functions.iter().find(|function| function.name == event.name);
        found.map_or("", |function| function.parameters)
    }
}

impl HostCallObserver for Watch {
    fn before(&mut self, _event: &HostCallEvent<'_>, memory: &GuestMemory<'_>) {
        let all = memory
            .read(0, memory.size() as u32)
            .expect("all of the memory can be read");
        self.under.push(Under {
            before: all.to_vec(),
            allocated: Vec::new(),
        });
    }

    fn after(&mut self, event: &HostCallEvent<'_>, memory: &GuestMemory<'_>) {
        // After a trap inside the allocator its own calls have no end.
        let Some(call) = self.under.pop() else { return };
        let from_allocator = self.under.last_mut();
        check_result(event, from_allocator.is_some());
        if let Some(outer) = from_allocator
            && event.name == "pthread_equal"
            && let [at, size] = event.arguments
        {
            outer.allocated.push((unsigned(at), unsigned(size)));
        }
        let mut allowed = call.allocated;
        allowed.extend(answers(self.parameters(event), event.arguments));
        let now = memory
            .read(0, memory.size() as u32)
            .expect("all of the memory can be read");
        check_memory(event, &call.before, now, &allowed);
    }
}

fn check_result(event: &HostCallEvent<'_>, from_allocator: bool) {
    let Some(values) = event.result else {
        // The guest ended by itself, or its allocator did.
        return;
    };
    let status = match values {
        [Value::I32(status)] => *status,
        [] => return assert_eq!(event.name, "emscripten_notify_memory_growth"),
        _ => panic!("{} answers {values:?}", event.name),
    };
    if event.module == WASI {
        assert!(
            (0..=LAST_ERRNO).contains(&status),
            "{} answers {status}",
            event.name
        );
    } else if event.name.starts_with("proxy_") {
        assert!(STATUSES.contains(&status), "{} answers {status}", event.name);
        let allowed = matches!(event.name, "proxy_log" | "proxy_get_log_level");
        assert!(
            allowed || !from_allocator || status == INTERNAL_FAILURE,
            "{} answers {status} inside the allocator",
            event.name
        );
    } else {
        assert!((0..=1).contains(&status), "{} answers {status}", event.name);
    }
}

/// The places for answers, each with its address and length.
fn answers<'a>(parameters: &'a str, arguments: &'a [Value]) -> impl Iterator<Item = (u64, u64)> + 'a {
    let mut arguments = arguments.iter().map(unsigned);
    parameters.chars().filter_map(move |letter| {
        let argument = arguments.next().unwrap_or_default();
        match letter {
            'p' => {
                arguments.next();
                None
            }
            'o' => Some((argument, 4)),
            'O' => Some((argument, 8)),
            'w' => Some((argument, u64::MAX >> 1)),
            _ => None,
        }
    })
}

/// So many bytes are compared at once; most of the memory is the same.
const CHUNK: usize = 256;
const ZEROS: [u8; CHUNK] = [0; CHUNK];

fn check_memory(event: &HostCallEvent<'_>, before: &[u8], now: &[u8], allowed: &[(u64, u64)]) {
    assert!(now.len() >= before.len(), "memory never shrinks");
    let may_change = |at: u64| {
        allowed
            .iter()
            .any(|&(start, length)| at >= start && at < start + length)
    };
    // What is new in the memory was zeros.
    let old = before.chunks(CHUNK).chain(std::iter::repeat(&ZEROS[..]));
    for ((start, old), new) in (0_u64..).step_by(CHUNK).zip(old).zip(now.chunks(CHUNK)) {
        if old == new {
            continue;
        }
        for (at, (old, new)) in (start..).zip(old.iter().zip(new)) {
            assert!(
                old == new || may_change(at),
                "{}{:?} has written {new:#x} at {at:#x}, where nothing of its answer is; allowed: {allowed:x?}",
                event.name,
                event.arguments
            );
        }
    }
}

fn unsigned(value: &Value) -> u64 {
    match value {
        Value::I32(number) => u64::from(number.cast_unsigned()),
        Value::I64(number) => number.cast_unsigned(),
        _ => 0,
    }
}

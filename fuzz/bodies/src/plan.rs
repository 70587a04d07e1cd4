//! How the bytes of an input say what a guest does and what happens to it.
//!
//! ```text
//! version │ flags │ then, each beginning with a byte that says what it is:
//! 00–7f  a step of the turn that was begun last: this host function, and its arguments
//! 80–9f  begins a turn: the next coming of this callback; a byte for its result
//! a0–df  an event, and a byte for its details
//! e0–e7  a special step: which, a byte, a number
//! e8–ff  a text that arguments may point to: its length and its bytes
//!
//! n  00–7f itself │ 80–bf one of EDGES │ c0–ff the next four bytes         N  00–7f itself │ 80–ff the next eight bytes
//! p  00–df one of the texts │ e0–ef one of PLACES, one of EDGES │ f0–ff the next four bytes, and four again
//! q  00–df one of the texts │ e0–ef one of PLACES │ f0–ff the next four bytes
//! o  00–df a free place │ e0–ef one of PLACES │ f0–ff the next four bytes   O, w  the same
//! ```

use wharf_abi_proxy_wasm::pairs;
use wharf_plugin::ProxyWasmVersion;

use crate::input::Input;
use crate::script::{Callback, DATA, END, FREE, Function, SCRIPT, SPECIAL, Script, Step, Turn, functions};

/// Numbers at which something may be different.
const EDGES: [u32; 16] = [
    u32::MAX,
    1 << 31,
    (1 << 31) - 1,
    0xffff,
    0x1_0000,
    200,
    404,
    599,
    1000,
    0x2_0000,
    END,
    1 << 20,
    (1 << 20) + 1,
    64 << 20,
    u32::MAX - 3,
    0x4001,
];

/// Addresses at which something may be different.
const PLACES: [u32; 16] = [
    0,
    1,
    8,
    END - 8,
    END - 4,
    END - 3,
    END - 1,
    END,
    END + 1,
    SCRIPT,
    DATA,
    FREE - 2,
    1 << 31,
    u32::MAX - 3,
    u32::MAX,
    0x1000,
];

/// The longest input makes so many turns, steps and events; the rest of the bytes is not looked at.
const MOST: usize = 96;

/// Whether a program has more than a filter needs that only lets go on, pauses and looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nature {
    /// It changes nothing of what goes through.
    Pure,
    /// It may do anything.
    Wild,
}

/// One thing that happens to the guest, and a number that says more about it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Event {
    pub(crate) kind: u8,
    pub(crate) detail: u8,
}

/// An input that has been read.
pub(crate) struct Plan {
    pub(crate) version: ProxyWasmVersion,
    pub(crate) flags: u8,
    pub(crate) script: Script,
    pub(crate) events: Vec<Event>,
    pub(crate) nature: Nature,
    /// Whether the host may write where the guest does not expect it, so that nobody knows what the guest does.
    pub(crate) strays: bool,
}

/// The functions that programs may call: all, or some of a version.
pub(crate) struct Vocabulary {
    /// `None`: all.
    pub(crate) names: Option<&'static [&'static str]>,
    /// Those of them that change nothing of what goes through.
    pub(crate) pure: &'static [&'static str],
    /// `None`: as the input says.
    pub(crate) version: Option<ProxyWasmVersion>,
}

impl Plan {
    pub(crate) fn read(bytes: &[u8], vocabulary: &Vocabulary) -> Self {
        let mut input = Input::new(bytes);
        let chosen = input.choose(&ProxyWasmVersion::ALL);
        let mut reader = Reader::new(vocabulary, vocabulary.version.unwrap_or(chosen), input.byte());
        for _ in 0..MOST {
            if input.is_empty() {
                break;
            }
            reader.take(&mut input);
        }
        reader.plan
    }
}

struct Reader<'a> {
    vocabulary: &'a Vocabulary,
    /// By their index in the guest's table, of which not all may be in the vocabulary.
    functions: Vec<(usize, &'static Function)>,
    specials_from: usize,
    /// Where each text lies.
    texts: Vec<(u32, u32)>,
    callback: Callback,
    plan: Plan,
}

impl<'a> Reader<'a> {
    fn new(vocabulary: &'a Vocabulary, version: ProxyWasmVersion, flags: u8) -> Self {
        let all = functions(version);
        let specials_from = all.len();
        let speaks = |name: &str| vocabulary.names.is_none_or(|names| names.contains(&name));
        let known = all
            .iter()
            .enumerate()
            .filter(|(_, function)| speaks(function.name));
        let mut reader = Self {
            vocabulary,
            functions: known.collect(),
            specials_from,
            texts: Vec::new(),
            callback: Callback::RequestHeaders,
            plan: Plan {
                version,
                flags,
                script: Script::default(),
                events: Vec::new(),
                nature: Nature::Pure,
                strays: false,
            },
        };
        texts().iter().for_each(|text| reader.text(text));
        reader
    }

    fn take(&mut self, input: &mut Input<'_>) {
        let what = input.byte();
        match what {
            0x00..=0x7f => self.step(usize::from(what), input),
            0x80..=0x9f => {
                self.callback = Callback::ALL[usize::from(what - 0x80) % Callback::ALL.len()];
                let result = u32::from(input.byte());
                if !(0..3).contains(&result) {
                    self.plan.nature = Nature::Wild;
                }
                self.turns().push(Turn {
                    steps: Vec::new(),
                    result,
                });
            }
            0xa0..=0xdf => {
                let (kind, detail) = (what - 0xa0, input.byte());
                self.plan.events.push(Event { kind, detail });
            }
            0xe0..=0xe7 => self.special(input),
            _ => {
                let length = usize::from(input.byte());
                self.text(input.bytes(length));
            }
        }
    }

    fn turns(&mut self) -> &mut Vec<Turn> {
        &mut self.plan.script.turns[self.callback as usize]
    }

    fn push(&mut self, step: Step) {
        let turns = self.turns();
        if turns.is_empty() {
            turns.push(Turn::default());
        }
        if let Some(turn) = turns.last_mut() {
            turn.steps.push(step);
        }
    }

    fn step(&mut self, which: usize, input: &mut Input<'_>) {
        let (index, function) = self.functions[which % self.functions.len()];
        if !self.vocabulary.pure.contains(&function.name) {
            self.plan.nature = Nature::Wild;
        }
        let mut step = Step {
            function: index,
            arguments: Vec::new(),
        };
        for letter in function.parameters.chars() {
            self.argument(letter, input, &mut step.arguments);
        }
        self.push(step);
    }

    fn special(&mut self, input: &mut Input<'_>) {
        let which = usize::from(input.byte()) % SPECIAL.len();
        if SPECIAL[which] != "resume_all" {
            self.plan.nature = Nature::Wild;
        }
        self.plan.strays |= SPECIAL[which] == "allocator";
        let arguments = vec![u64::from(input.byte() % 8), self.place(input)];
        self.push(Step {
            function: self.specials_from + which,
            arguments,
        });
    }

    fn argument(&mut self, letter: char, input: &mut Input<'_>, out: &mut Vec<u64>) {
        match letter {
            'n' => out.push(number(input)),
            'N' => out.push(match input.byte() {
                small @ 0x00..=0x7f => u64::from(small),
                _ => input.u64(),
            }),
            'p' => {
                let (pointer, length) = self.range(input);
                out.extend([u64::from(pointer), u64::from(length)]);
            }
            'q' => out.push(u64::from(self.range(input).0)),
            _ => out.push(self.place(input)),
        }
    }

    fn range(&self, input: &mut Input<'_>) -> (u32, u32) {
        match input.byte() {
            text @ 0x00..=0xdf => self.texts[usize::from(text) % self.texts.len()],
            0xe0..=0xef => (input.choose(&PLACES), input.choose(&EDGES)),
            _ => (input.u32(), input.u32()),
        }
    }

    fn place(&mut self, input: &mut Input<'_>) -> u64 {
        let place = match input.byte() {
            free @ 0x00..=0xdf => return u64::from(FREE + 16 * u32::from(free)),
            edge @ 0xe0..=0xef => PLACES[usize::from(edge - 0xe0)],
            _ => input.u32(),
        };
        // An answer there may change the script.
        (self.plan.nature, self.plan.strays) = (Nature::Wild, true);
        u64::from(place)
    }

    fn text(&mut self, text: &[u8]) {
        let at = self.plan.script.data.len();
        if at + text.len() > (FREE - DATA) as usize {
            return;
        }
        self.plan.script.data.extend_from_slice(text);
        self.texts.push((DATA + at as u32, text.len() as u32));
    }
}

fn number(input: &mut Input<'_>) -> u64 {
    u64::from(match input.byte() {
        small @ 0x00..=0x7f => u32::from(small),
        edge @ 0x80..=0xbf => EDGES[usize::from(edge) % EDGES.len()],
        _ => input.u32(),
    })
}

/// The texts that every program may point to.
fn texts() -> Vec<Vec<u8>> {
    let mut texts = vec![
        map(&[(":method", "GET"), (":path", "/"), (":authority", "up")]),
        Vec::new(),
    ];
    texts.push(map(&[("a", "1"), ("content-type", "text/plain"), ("b", "")]));
    texts.push(map(&[(":status", "200"), ("grpc-status", "0"), ("a", "2")]));
    let plain: [&[u8]; 12] = [
        b"up",
        b"a",
        b":path",
        b"plugin_name",
        b"request\0path",
        b"response\0headers",
        b"compress",
        b"uncompress",
        b"set_envoy_filter_state",
        b"\x0a\x01k\x12\x02vv",
        b"vm",
        b"filter_state\0wasm.k",
    ];
    texts.extend(plain.map(<[u8]>::to_vec));
    texts
}

/// A map as the ABI serializes it.
fn map(headers: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    let pairs = headers
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    pairs::encode(pairs, &mut out);
    out
}

//! The origin: two listeners, `app` and `service`, which answer as the exchange at hand says and note what they got.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::case::Answer;
use crate::http::{self, Kind, Message, pieces};

/// Between two pieces of a message, so that a proxy sees them one by one.
pub(crate) const BETWEEN_PIECES: Duration = Duration::from_millis(15);

/// How long a request may stand still before it counts as broken off.
const PATIENCE: Duration = Duration::from_secs(3);

/// A running origin. Its threads end with the process.
pub(crate) struct Origin {
    pub(crate) app: SocketAddr,
    pub(crate) service: SocketAddr,
    app_state: State,
    service_state: State,
}

type State = Arc<Mutex<Listener>>;

/// What one of the two does.
#[derive(Default)]
struct Listener {
    answer: Script,
    received: Vec<Message>,
    /// Requests that have begun and are not answered.
    under_way: usize,
}

/// An answer in pieces; nothing for one that closes the connection.
#[derive(Clone, Default)]
struct Script {
    whole: Vec<Vec<u8>>,
    to_head: Vec<Vec<u8>>,
}

impl Script {
    fn of(answer: &Answer) -> Self {
        if answer.close {
            return Self::default();
        }
        let start = format!("HTTP/1.1 {} Scripted", answer.status);
        let pieces = |to_head| pieces(&start, &answer.headers, &answer.payload(), to_head);
        Self {
            whole: pieces(matches!(answer.status, 204 | 304)),
            to_head: pieces(true),
        }
    }
}

impl Origin {
    /// Starts both listeners on free ports.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn start() -> io::Result<Self> {
        let (app, app_state) = listen()?;
        let (service, service_state) = listen()?;
        Ok(Self {
            app,
            service,
            app_state,
            service_state,
        })
    }

    /// From now on these are the answers, and what was received before is forgotten.
    pub(crate) fn prepare(&self, app: &Answer, service: &Answer) {
        for (state, answer) in [(&self.app_state, app), (&self.service_state, service)] {
            let mut state = lock(state);
            state.answer = Script::of(answer);
            state.received.clear();
        }
    }

    /// What `app` and `service` received, once nothing is under way any longer.
    pub(crate) fn received(&self) -> (Vec<Message>, Vec<Message>) {
        let until = Instant::now() + PATIENCE;
        // A proxy that answered early may be about to send the rest, or to break off.
        thread::sleep(BETWEEN_PIECES);
        let is_idle = || {
            [&self.app_state, &self.service_state]
                .iter()
                .all(|state| lock(state).under_way == 0)
        };
        while !is_idle() && Instant::now() < until {
            thread::sleep(Duration::from_millis(2));
        }
        (
            lock(&self.app_state).received.clone(),
            lock(&self.service_state).received.clone(),
        )
    }
}

fn lock(state: &State) -> MutexGuard<'_, Listener> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn listen() -> io::Result<(SocketAddr, State)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let state = State::default();
    let shared = Arc::clone(&state);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let state = Arc::clone(&shared);
            // A connection that fails is one that the proxy gave up; what came is noted.
            thread::spawn(move || drop(serve(&stream, &state)));
        }
    });
    Ok((address, state))
}

/// Answers one request after another.
fn serve(stream: &TcpStream, state: &State) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    loop {
        stream.set_read_timeout(None)?;
        if reader.fill_buf()?.is_empty() {
            return Ok(());
        }
        stream.set_read_timeout(Some(PATIENCE))?;
        lock(state).under_way += 1;
        let answered = answer(&mut reader, stream, state);
        lock(state).under_way -= 1;
        if !answered? {
            return Ok(());
        }
    }
}

/// Whether the connection stays open.
fn answer(reader: &mut impl BufRead, stream: &TcpStream, state: &State) -> io::Result<bool> {
    let request = http::read(reader, Kind::Request);
    let (is_whole, is_head) = (request.end == http::End::Complete, request.word(0) == "HEAD");
    let script = {
        let mut state = lock(state);
        // What came of one that was given up on the way is a matter of time, so it is not compared.
        if is_whole {
            state.received.push(request);
        }
        state.answer.clone()
    };
    let pieces = if is_head { &script.to_head } else { &script.whole };
    if is_whole {
        send(stream, pieces)?;
    }
    Ok(is_whole && !pieces.is_empty())
}

/// Sends pieces one by one.
///
/// # Errors
/// When the other end is gone.
pub(crate) fn send(mut stream: &TcpStream, pieces: &[Vec<u8>]) -> io::Result<()> {
    for (index, piece) in pieces.iter().enumerate() {
        if index > 0 {
            thread::sleep(BETWEEN_PIECES);
        }
        stream.write_all(piece)?;
    }
    Ok(())
}

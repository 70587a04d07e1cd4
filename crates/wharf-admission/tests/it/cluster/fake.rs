//! A cluster with ConfigMaps, whose API server remembers what happened and can be told to have a bad day.

use std::collections::BTreeMap;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard};

use wharf_testing::api_server::{Answer, Asked, Piece};
use wharf_testing::{ApiServer, api_server};

use super::ask::{config_map, config_maps, event};

/// The cluster. All ConfigMaps are in the namespace `n`.
pub(crate) struct Fake {
    pub(crate) server: ApiServer,
    state: Arc<Mutex<State>>,
}

/// What becomes of requests on a bad day; none are answered well.
type Mood = Option<Arc<dyn Fn(&Asked) -> Option<Answer> + Send + Sync>>;

#[derive(Default)]
struct State {
    objects: BTreeMap<String, (u64, String)>,
    version: u64,
    /// How many objects a page may have; the client's wish counts too.
    page: usize,
    /// Each with the version that it made.
    events: Vec<(u64, String)>,
    /// What happened up to there nobody remembers.
    forgotten: u64,
    watches: Vec<Sender<Piece>>,
    mood: Mood,
}

impl Fake {
    /// A cluster with these ConfigMaps.
    pub(crate) fn with(objects: &[&str]) -> Self {
        Self::paged(objects, usize::MAX)
    }

    /// One whose lists come in pages of so many objects.
    pub(crate) fn paged(objects: &[&str], page: usize) -> Self {
        let state = Arc::new(Mutex::new(State {
            page,
            ..State::default()
        }));
        let script = Arc::clone(&state);
        let server = api_server(move |asked| {
            let mood = script.lock().expect("no script panics").mood.clone();
            mood.and_then(|mood| mood(asked))
                .or_else(|| script.lock().expect("no script panics").answer(asked))
        });
        let fake = Self { server, state };
        objects.iter().for_each(|name| fake.put(name, "1"));
        fake
    }

    /// Makes or changes an object.
    pub(crate) fn put(&self, name: &str, value: &str) {
        let mut state = self.state();
        state.version += 1;
        let version = state.version;
        let older = state.objects.insert(name.into(), (version, value.into()));
        let what = if older.is_some() { "MODIFIED" } else { "ADDED" };
        state.happened(event(what, &config_map(name, version, value)));
    }

    pub(crate) fn delete(&self, name: &str) {
        let mut state = self.state();
        state.version += 1;
        let (_, value) = state.objects.remove(name).expect("it is there");
        let version = state.version;
        state.happened(event("DELETED", &config_map(name, version, &value)));
    }

    /// Changes an object without telling anybody.
    pub(crate) fn put_silently(&self, name: &str, value: &str) {
        let mut state = self.state();
        state.version += 1;
        let version = state.version;
        state.objects.insert(name.into(), (version, value.into()));
    }

    /// Sends this to all watches.
    pub(crate) fn say(&self, text: &str) {
        self.state().send(&Piece::Text(text.into()));
    }

    /// Breaks all watches off.
    pub(crate) fn cut(&self) {
        let mut state = self.state();
        state.send(&Piece::Break);
        state.watches.clear();
    }

    /// Ends all watches as an API server does.
    pub(crate) fn close(&self) {
        self.state().watches.clear();
    }

    /// Forgets what happened so far.
    pub(crate) fn forget(&self) {
        let mut state = self.state();
        state.forgotten = state.version;
        state.events.clear();
    }

    /// From now on requests get these answers, where it gives one.
    pub(crate) fn mood(&self, mood: impl Fn(&Asked) -> Option<Answer> + Send + Sync + 'static) {
        self.state().mood = Some(Arc::new(mood));
    }

    /// From now on every request gets this answer.
    pub(crate) fn answers(&self, answer: impl Fn() -> Answer + Send + Sync + 'static) {
        self.mood(move |_| Some(answer()));
    }

    /// From now on all is well.
    pub(crate) fn well(&self) {
        self.state().mood = None;
    }

    /// How many lists were asked for, or pages of them.
    pub(crate) fn lists(&self) -> usize {
        self.server.asked_for("configmaps?limit=")
    }

    /// How many watches were asked for.
    pub(crate) fn watches(&self) -> usize {
        self.server.asked_for("configmaps?watch=true")
    }

    /// How many watches are open.
    pub(crate) fn following(&self) -> usize {
        let mut state = self.state();
        // An empty line says nothing, and whoever is not there any more does not take it.
        state.send(&Piece::Text("\n".into()));
        state.watches.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no script panics")
    }
}

impl State {
    fn happened(&mut self, line: String) {
        self.send(&Piece::Text(line.clone()));
        self.events.push((self.version, line));
    }

    fn send(&mut self, piece: &Piece) {
        self.watches.retain(|watch| watch.send(piece.clone()).is_ok());
    }

    fn answer(&mut self, asked: &Asked) -> Option<Answer> {
        match asked.path.as_str() {
            "/api/v1/configmaps" | "/api/v1/namespaces/n/configmaps" if asked.is_watch() => {
                Some(self.watch(asked))
            }
            "/api/v1/configmaps" | "/api/v1/namespaces/n/configmaps" => Some(self.list(asked)),
            path => {
                let name = path.strip_prefix("/api/v1/namespaces/n/configmaps/")?;
                let (version, value) = self.objects.get(name)?;
                Some(Answer::ok(config_map(name, *version, value)))
            }
        }
    }

    fn list(&self, asked: &Asked) -> Answer {
        let number = |name: &str| asked.query.get(name)?.parse::<usize>().ok();
        let start = number("continue").unwrap_or(0);
        let count = number("limit").unwrap_or(usize::MAX).min(self.page);
        let objects = self.objects.iter().skip(start).take(count);
        let objects: Vec<String> = objects
            .map(|(name, (version, value))| config_map(name, *version, value))
            .collect();
        let end = start + objects.len();
        let more = if end < self.objects.len() {
            end.to_string()
        } else {
            String::new()
        };
        Answer::ok(config_maps(self.version, &more, &objects))
    }

    fn watch(&mut self, asked: &Asked) -> Answer {
        let since = asked
            .query
            .get("resourceVersion")
            .and_then(|text| text.parse().ok());
        let since: u64 = since.unwrap_or(0);
        let (sender, answer) = Answer::stream();
        if since < self.forgotten {
            let gone =
                r#"{"kind":"Status","code":410,"reason":"Expired","message":"too old resource version"}"#;
            // Whoever reads it is this stream's other end, so it is there.
            let _ = sender.send(Piece::Text(event("ERROR", gone)));
            return answer;
        }
        for (_, line) in self.events.iter().filter(|(version, _)| *version > since) {
            let _ = sender.send(Piece::Text(line.clone()));
        }
        self.watches.push(sender);
        answer
    }
}

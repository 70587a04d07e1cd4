//! Files that change, look by look.

use std::fs;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};
use wharf_tls::{LoadError, ReloadReport, ServerTls};

use crate::pki::{self, Ca, Identity};
use crate::site::{Site, look_twice, reload};

/// The fingerprint of what is in use, as text.
fn in_use(tls: &ServerTls) -> String {
    tls.status().chain[0].fingerprint.to_string()
}

/// Files that are refused leave things as they are.
#[track_caller]
fn refused(tls: &ServerTls) -> LoadErrorText {
    let before = in_use(tls);
    let report = look_twice(tls);
    assert_eq!(in_use(tls), before);
    match report {
        ReloadReport::Refused(failure) => {
            assert!(tls.status().failure.is_some());
            LoadErrorText(failure.error.to_string())
        }
        other => panic!("{other:?}"),
    }
}

struct LoadErrorText(String);

impl LoadErrorText {
    #[track_caller]
    fn says(&self, part: &str) {
        assert!(self.0.contains(part), "{}", self.0);
    }
}

struct World {
    ca: Ca,
    old: Identity,
    new: Identity,
    site: Site,
    tls: ServerTls,
}

fn world() -> World {
    let ca = Ca::new("CA");
    let (old, new) = (ca.server(), ca.server());
    let site = Site::of(&old);
    let tls = site.load();
    World {
        ca,
        old,
        new,
        site,
        tls,
    }
}

#[test]
fn files_that_do_not_change_are_not_taken_again() {
    let world = world();
    for _ in 0..3 {
        assert!(matches!(world.tls.look(), ReloadReport::Unchanged));
    }
    // Written anew with the same bytes, they are the same.
    world.site.write(&world.old);
    world.site.rename(&world.old);
    assert!(matches!(world.tls.look(), ReloadReport::Unchanged));
    assert_eq!(world.tls.status().reloads, 0);
}

#[test]
fn changed_files_are_taken_by_the_second_look() {
    let world = world();
    let before = in_use(&world.tls);
    world.site.write(&world.new);
    assert!(matches!(world.tls.look(), ReloadReport::Unsettled));
    assert_eq!(in_use(&world.tls), before);
    match world.tls.look() {
        ReloadReport::Reloaded(certificate) => {
            assert_eq!(certificate.fingerprint.to_string(), in_use(&world.tls));
            assert_ne!(before, in_use(&world.tls));
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(world.tls.look(), ReloadReport::Unchanged));
    assert_eq!(world.tls.status().reloads, 1);
}

#[test]
fn a_certificate_that_is_half_written_is_never_taken() {
    let world = world();
    world.site.write_key(&world.new.key_pem);
    let before = in_use(&world.tls);
    for end in (0..world.new.pem.trim_end().len()).step_by(50) {
        world.site.write_certificate(&world.new.pem[..end]);
        refused(&world.tls);
    }
    assert_eq!(in_use(&world.tls), before);
    world.site.write_certificate(&world.new.pem);
    reload(&world.tls);
}

/// Nothing in such a file says that a part is missing, so that only waiting helps.
#[test]
fn a_chain_that_is_still_growing_is_waited_for() {
    let world = world();
    let intermediate = world.ca.intermediate("intermediate");
    let identity = intermediate.server();
    world.site.write(&identity);
    assert!(matches!(world.tls.look(), ReloadReport::Unsettled));
    world
        .site
        .write_certificate(format!("{}{}", identity.pem, intermediate.pem));
    reload(&world.tls);
    assert_eq!(world.tls.status().chain.len(), 2);
}

#[test]
fn the_key_may_come_first() {
    let world = world();
    world.site.write_key(&world.new.key_pem);
    refused(&world.tls).says("is not the key of the first certificate in");
    world.site.write_certificate(&world.new.pem);
    reload(&world.tls);
    assert!(world.tls.status().failure.is_none());
}

#[test]
fn the_certificate_may_come_first() {
    let world = world();
    world.site.write_certificate(&world.new.pem);
    refused(&world.tls).says("is not the key of the first certificate in");
    world.site.write_key(&world.new.key_pem);
    reload(&world.tls);
}

#[test]
fn the_same_key_may_get_a_new_certificate() {
    let world = world();
    let key = include_str!("keys/p256.pkcs8.pem");
    world.site.write(&world.ca.server_with_key(key, key));
    reload(&world.tls);
    let before = in_use(&world.tls);
    world
        .site
        .write_certificate(world.ca.server_with_key(key, key).pem);
    reload(&world.tls);
    assert_ne!(in_use(&world.tls), before);
}

#[test]
fn a_file_that_comes_back_is_no_failure_any_more() {
    let world = world();
    fs::remove_file(&world.site.settings.key).unwrap();
    refused(&world.tls).says("does not exist");
    fs::create_dir(&world.site.settings.key).unwrap();
    refused(&world.tls).says("is a directory");
    fs::remove_dir(&world.site.settings.key).unwrap();
    world.site.write(&world.old);
    assert!(matches!(world.tls.look(), ReloadReport::Unchanged));
    let status = world.tls.status();
    assert!(status.failure.is_none());
    assert_eq!((status.reloads, status.refusals), (0, 2));
}

#[test]
fn a_failure_keeps_its_time_and_is_tried_again() {
    let world = world();
    world.site.write_certificate("");
    refused(&world.tls).says("is empty");
    let first = world.tls.status().failure.unwrap();
    assert!(matches!(first.error, LoadError::Empty { .. }));
    for _ in 0..3 {
        assert!(matches!(world.tls.look(), ReloadReport::Refused(_)));
    }
    let status = world.tls.status();
    assert!(Arc::ptr_eq(&first, &status.failure.unwrap()));
    assert_eq!(status.refusals, 4);
}

#[test]
fn an_expired_certificate_is_taken_with_a_warning() {
    let world = world();
    assert_eq!(world.tls.status().warnings, []);
    world.site.write(&world.ca.server_with(pki::long_ago));
    reload(&world.tls);
    let warnings = world.tls.status().warnings;
    assert_eq!(warnings.len(), 1);
    assert!(
        warnings[0]
            .to_string()
            .ends_with("expired at 2002-02-03T00:00:00Z")
    );
}

#[test]
fn looks_of_several_threads_do_not_disturb_each_other() {
    let world = world();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    world.tls.look();
                    world.tls.status();
                }
            });
        }
        for round in 0..50 {
            world
                .site
                .rename(if round % 2 == 0 { &world.new } else { &world.old });
        }
    });
    world.site.write(&world.new);
    world.tls.look();
    world.tls.look();
    let status = world.tls.status();
    assert_eq!(
        status.chain[0].fingerprint.as_bytes(),
        &digest(&world.new),
        "{status:?}"
    );
}

fn digest(identity: &Identity) -> [u8; 32] {
    use sha2::Digest;
    sha2::Sha256::digest(&identity.der).into()
}

#[test]
fn a_watcher_takes_what_changes_and_ends_when_it_is_dropped() {
    let world = world();
    let (report, reports) = mpsc::channel();
    let watcher = world
        .tls
        .watch(Duration::ZERO, move |found| {
            let _ = report.send(found.clone());
        })
        .unwrap();
    world.site.rename(&world.new);
    let taken = |report: ReloadReport| match report {
        ReloadReport::Reloaded(certificate) => Some(certificate),
        _ => None,
    };
    let certificate = reports.iter().find_map(taken).unwrap();
    assert_eq!(certificate.fingerprint.as_bytes(), &digest(&world.new));
    drop(watcher);
    // The thread owns the other end, so this ends when it does.
    assert_eq!(reports.iter().filter_map(taken).count(), 0);
}

/// Collects the sentences of the log, with their reasons.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl<S: tracing::Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        struct Fields(String);
        impl tracing::field::Visit for Fields {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                self.0.push_str(&format!("{}={value:?} ", field.name()));
            }
        }
        let mut fields = Fields(format!("{} ", event.metadata().level()));
        event.record(&mut fields);
        self.0.lock().unwrap().push(fields.0);
    }
}

#[test]
fn each_reason_is_logged_once_until_all_is_well() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::registry().with(lines.clone());
    tracing::subscriber::with_default(subscriber, || {
        let world = world();
        assert_eq!(lines.take(), [""; 0]);
        let look = |times: usize| (0..times).for_each(|_| drop(world.tls.look()));

        world.site.write_certificate("");
        look(4);
        let told = lines.take();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].starts_with("WARN") && told[0].contains("is empty"),
            "{told:?}"
        );
        assert!(told[0].contains("the old ones go on serving"), "{told:?}");
        assert!(told[0].contains("hint="), "{told:?}");

        // Another reason is told, and the first one not again.
        fs::remove_file(&world.site.settings.certificate).unwrap();
        look(4);
        let told = lines.take();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("does not exist"), "{told:?}");
        world.site.write_certificate("");
        look(4);
        assert_eq!(lines.take(), [""; 0]);

        world.site.write(&world.new);
        look(4);
        let told = lines.take();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].starts_with("INFO") && told[0].contains("was reloaded"),
            "{told:?}"
        );
        assert!(told[0].contains("not_after=4096-01-01T00:00:00Z"), "{told:?}");

        // After all was well, the reason is news.
        world.site.write_certificate("");
        look(4);
        assert_eq!(lines.take().len(), 1);
        world.site.write(&world.new);
        look(4);
        let told = lines.take();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("are again those in use"), "{told:?}");

        world.site.write(&world.ca.server_with(pki::long_ago));
        look(4);
        let told = lines.take();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(
            told[1].starts_with("WARN") && told[1].contains("expired at"),
            "{told:?}"
        );
        for line in &told {
            assert!(!line.contains("PRIVATE KEY"), "{line}");
        }
    });
}

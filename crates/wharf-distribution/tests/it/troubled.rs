//! Downloads from registries that break off, are busy, or lie.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use wharf_distribution::{FetchError, FetchLimits, FetchProgress, Origin};
use wharf_plugin::{ByteSize, Reference};
use wharf_testing::registry::{Fault, IMAGE_MANIFEST, Registry, digest_of, registry};

use crate::plugins::{
    CNCF, check_blobs, fetcher, large_module, limits, manifest, module, oci, told, with_artifact,
};

/// Fetches from a registry with these faults. The store is left in the state that the next fetch finds good.
fn with_faults(faults: Vec<(usize, &str, Fault)>) -> (Result<Vec<u8>, String>, Registry) {
    let wasm = large_module(1, 200_000);
    let mut described = with_artifact(registry(), "app", "1", &[(CNCF, &wasm)]);
    let stalls = faults.iter().any(|(_, _, fault)| matches!(fault, Fault::Stall));
    for (times, part, fault) in faults {
        described = match times {
            0 => described.fault(part, fault),
            times => described.fault_times(times, part, fault),
        };
    }
    let registry = described.start();
    let directory = tempfile::tempdir().unwrap();
    // Only where nothing comes, since a busy machine may take its time for the rest.
    let impatient = FetchLimits {
        idle: if stalls {
            Duration::from_secs(2)
        } else {
            limits().idle
        },
        ..limits()
    };
    let fetcher = fetcher(registry.address(), directory.path()).with_limits(impatient);
    let fetched = fetcher.fetch(&oci(registry.address(), "app:1"));
    check_blobs(directory.path());
    let outcome = match fetched {
        Ok(fetched) => {
            assert_eq!(fetched.artifact.bytes(), &wasm);
            Ok(fetched.artifact.bytes().to_vec())
        }
        Err(error) => {
            assert_eq!(fetcher.store().unwrap().records().unwrap(), []);
            let healthy = with_artifact(wharf_testing::registry(), "app", "1", &[(CNCF, &wasm)]).start();
            let again = crate::plugins::fetcher(healthy.address(), directory.path());
            again.fetch(&oci(healthy.address(), "app:1")).unwrap();
            Err(told(&error, registry.address()))
        }
    };
    (outcome, registry)
}

/// The part of a request by which only the blob of the module is asked for, and not its configuration, which is asked for at the
/// same time.
fn its_blob() -> String {
    format!("/blobs/{}", digest_of(large_module(1, 200_000)))
}

/// How often the blob of the module was asked for, and from which byte the last time.
fn blob_requests(registry: &Registry) -> (usize, Option<String>) {
    let blob = its_blob();
    let received = registry.received();
    let asked: Vec<_> = received
        .iter()
        .filter(|request| request.target.ends_with(&blob))
        .collect();
    let last = asked
        .last()
        .and_then(|request| request.header("range").map(str::to_owned));
    (asked.len(), last)
}

#[test]
fn a_download_goes_on_where_it_broke_off() {
    for fault in [Fault::Cut, Fault::Stall] {
        let (outcome, registry) = with_faults(vec![(1, &its_blob(), fault)]);
        outcome.unwrap();
        let (times, range) = blob_requests(&registry);
        assert_eq!(times, 2);
        let from: u64 = range.unwrap()["bytes=".len()..]
            .trim_end_matches('-')
            .parse()
            .unwrap();
        assert!(from > 0 && from < 200_000, "{from}");
    }
}

#[test]
fn what_cannot_be_gone_on_with_is_begun_anew() {
    let wasm = large_module(1, 200_000);
    let described = with_artifact(registry(), "app", "1", &[(CNCF, &wasm)]).ignoring_ranges();
    let registry = described.fault_times(1, &its_blob(), Fault::Cut).start();
    let directory = tempfile::tempdir().unwrap();
    let fetched = fetcher(registry.address(), directory.path()).fetch(&oci(registry.address(), "app:1"));
    assert_eq!(fetched.unwrap().artifact.bytes(), &wasm);
    let (outcome, registry) = with_faults(vec![
        (1, &its_blob(), Fault::Cut),
        (1, &its_blob(), Fault::OtherPart),
    ]);
    outcome.unwrap();
    assert_eq!(blob_requests(&registry), (3, None));
}

#[test]
fn what_an_earlier_process_left_is_checked_and_gone_on_with() {
    let wasm = large_module(1, 200_000);
    let digest = digest_of(&wasm);
    for (left, first_range) in [
        (wasm[..50_000].to_vec(), Some("bytes=50000-")),
        (vec![0; 50_000], Some("bytes=50000-")),
        (wasm.clone(), None),
        (vec![0; wasm.len()], None),
        (vec![0; wasm.len() + 1], None),
    ] {
        let registry = with_artifact(registry(), "app", "1", &[(CNCF, &wasm)]).start();
        let directory = tempfile::tempdir().unwrap();
        let fetcher = fetcher(registry.address(), directory.path());
        let partial = directory.path().join("partial").join(digest.replace(':', "-"));
        std::fs::write(&partial, &left).unwrap();
        let fetched = fetcher.fetch(&oci(registry.address(), "app:1")).unwrap();
        assert_eq!(fetched.artifact.bytes(), &wasm);
        assert!(!partial.exists());
        check_blobs(directory.path());
        let received = registry.received();
        let first = received.iter().find(|request| request.target.ends_with(&digest));
        let is_whole = left == wasm;
        assert_eq!(first.is_none(), is_whole, "{} bytes were left", left.len());
        if let Some(first) = first {
            assert_eq!(first.header("range"), first_range);
            assert_eq!(first.header("accept-encoding"), Some("identity"));
        }
    }
}

#[test]
fn what_fails_for_a_while_is_asked_again() {
    for (status, headers) in [
        (429, "retry-after: 0\r\n"),
        (503, ""),
        (502, ""),
        (500, ""),
        (504, "retry-after: soon\r\n"),
    ] {
        for part in ["GET /v2/app/manifests", "GET /v2/app/blobs"] {
            let (outcome, _) = with_faults(vec![(2, part, Fault::Status(status, headers, ""))]);
            outcome.unwrap();
        }
    }
    let (outcome, registry) = with_faults(vec![(0, "/manifests/", Fault::Status(503, "", ""))]);
    assert_eq!(
        outcome.unwrap_err(),
        "oci://ADDRESS/app:1 cannot be fetched: the registry ADDRESS answered 503"
    );
    assert_eq!(registry.asked().len(), 3);
}

#[test]
fn a_registry_is_not_waited_for_beyond_the_end() {
    let (outcome, registry) = with_faults(vec![(
        0,
        "/manifests/",
        Fault::Status(429, "retry-after: 100000\r\n", ""),
    )]);
    assert_eq!(
        outcome.unwrap_err(),
        "oci://ADDRESS/app:1 cannot be fetched: the registry ADDRESS was asked too often, and may be again in 100000 s"
    );
    assert_eq!(registry.asked().len(), 1);
}

#[test]
fn each_lie_has_its_words() {
    let other = large_module(2, 200_000);
    let wasm = large_module(1, 200_000);
    let (actual, wanted) = (digest_of(&other), digest_of(&wasm));
    for (fault, words) in [
        (
            Fault::Bytes(other),
            format!("the plugin is not what was asked for: its digest is {actual}, and should be {wanted}"),
        ),
        (
            Fault::Bytes(b"short".to_vec()),
            format!("the plugin has fewer than the {} bytes that its manifest says", wasm.len()),
        ),
        (
            Fault::Long,
            format!("the plugin has more than the {} bytes that its manifest says", wasm.len()),
        ),
        (
            Fault::Short,
            format!("the plugin has fewer than the {} bytes that its manifest says", wasm.len()),
        ),
        (
            Fault::Endless,
            format!("the plugin has more than the {} bytes that its manifest says", wasm.len()),
        ),
        (
            Fault::Length(1 << 40),
            format!("the plugin has more than the {} bytes that its manifest says", wasm.len()),
        ),
        (
            Fault::Header("content-encoding: gzip\r\n"),
            "ADDRESS gives it encoded with gzip, which was not asked for".into(),
        ),
        (
            Fault::MediaType("text/html; charset=utf-8"),
            "ADDRESS gives a page of HTML where the plugin is due".into(),
        ),
        (
            Fault::Status(403, "", ""),
            "the registry ADDRESS refuses `app` to these credentials".into(),
        ),
        (
            Fault::Redirect("http://169.254.169.254/".into()),
            "ADDRESS redirects to http://169.254.169.254/, which is not followed: it is plain HTTP, which the configuration does not name it for".into(),
        ),
        (
            Fault::Redirect("/v2/app/blobs/round".into()),
            "ADDRESS redirects to http://ADDRESS/v2/app/blobs/round, which is not followed: there are too many redirects".into(),
        ),
    ] {
        let case = format!("{fault:?}").chars().take(60).collect::<String>();
        let (outcome, _) = with_faults(vec![(0, "/blobs/", fault)]);
        assert_eq!(
            outcome.unwrap_err(),
            format!("oci://ADDRESS/app:1 cannot be fetched: {words}"),
            "{case}"
        );
    }
    let (outcome, _) = with_faults(vec![(0, "/blobs/", Fault::Chunked)]);
    outcome.unwrap();
}

#[test]
fn a_registry_that_never_ends_is_given_up() {
    let (outcome, _) = with_faults(vec![(0, "/blobs/", Fault::Stall)]);
    assert!(outcome.unwrap_err().ends_with("did not answer within 2s"));
}

#[test]
fn a_manifest_beyond_all_measure_is_refused() {
    let layer = format!(
        r#"{{"mediaType":"{CNCF}","digest":"{}","size":1}}"#,
        digest_of("")
    );
    let text = manifest(&[(CNCF, &module(1))]);
    let many = |count: usize| {
        text.replace(
            "\"layers\":[",
            &format!("\"layers\":[{}", format!("{layer},").repeat(count)),
        )
    };
    let registry = registry()
        .manifest("app", "many", IMAGE_MANIFEST, many(5000))
        .manifest("app", "million", IMAGE_MANIFEST, many(1_000_000))
        .start();
    let directory = tempfile::tempdir().unwrap();
    let fetcher = fetcher(registry.address(), directory.path());
    for (tag, words) in [
        (
            "many",
            "the manifest cannot be understood: it has more than 4096 layers or manifests",
        ),
        ("million", "the manifest has more than 4MiB"),
    ] {
        let error = fetcher
            .fetch(&oci(registry.address(), &format!("app:{tag}")))
            .unwrap_err();
        assert!(told(&error, registry.address()).ends_with(words), "{error:?}");
    }
}

#[test]
fn a_plugin_beyond_its_bound_is_not_even_asked_for() {
    let wasm = large_module(1, 200_000);
    let registry = with_artifact(registry(), "app", "1", &[(CNCF, &wasm)]).start();
    let directory = tempfile::tempdir().unwrap();
    let small = FetchLimits {
        module: ByteSize::from_kib(100),
        ..limits()
    };
    let fetcher = fetcher(registry.address(), directory.path()).with_limits(small);
    let error = fetcher.fetch(&oci(registry.address(), "app:1")).unwrap_err();
    assert!(
        told(&error, registry.address()).ends_with("the plugin has more than 100KiB"),
        "{error:?}"
    );
    assert_eq!(registry.asked().len(), 1);
}

#[test]
fn what_is_down_is_told_from_what_is_not_there() {
    let registry = with_artifact(registry(), "app", "1", &[(CNCF, &module(1))]).start();
    let address = registry.address();
    let directory = tempfile::tempdir().unwrap();
    let fetcher = fetcher(address, directory.path());
    let words = |rest: &str| told(&fetcher.fetch(&oci(address, rest)).unwrap_err(), address);
    assert_eq!(
        words("app:2"),
        "oci://ADDRESS/app:2 cannot be fetched: the repository `app` of the registry ADDRESS has no `2`"
    );
    assert_eq!(
        words("none:1"),
        "oci://ADDRESS/none:1 cannot be fetched: the registry ADDRESS has no repository `none`"
    );
    drop(registry);
    let down = words("app:1");
    assert!(
        down.starts_with("oci://ADDRESS/app:1 cannot be fetched: ADDRESS cannot be reached"),
        "{down}"
    );
}

/// Notes what it hears.
#[derive(Default)]
struct Heard(Mutex<Vec<(u64, Option<u64>)>>);

impl FetchProgress for Heard {
    fn downloaded(&self, _reference: &Reference, bytes: u64, of: Option<u64>) {
        self.0.lock().unwrap().push((bytes, of));
    }
}

#[test]
fn progress_is_told() {
    let wasm = large_module(1, 200_000);
    let registry = with_artifact(registry(), "app", "1", &[(CNCF, &wasm)]).start();
    let directory = tempfile::tempdir().unwrap();
    let heard = Arc::new(Heard::default());
    let fetcher = fetcher(registry.address(), directory.path())
        .with_progress(Arc::clone(&heard) as Arc<dyn FetchProgress>);
    fetcher.fetch(&oci(registry.address(), "app:1")).unwrap();
    let calls = heard.0.lock().unwrap().clone();
    assert!(calls.is_sorted());
    assert_eq!(calls.last(), Some(&(wasm.len() as u64, Some(wasm.len() as u64))));
    assert_eq!(
        fetcher.fetch(&oci(registry.address(), "app:1")).unwrap().origin,
        Origin::Store
    );
    assert_eq!(heard.0.lock().unwrap().len(), calls.len());
}

#[test]
fn a_bad_name_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let fetcher = fetcher("127.0.0.1:1".parse().unwrap(), directory.path());
    let error = fetcher.fetch(&Reference::Oci("A B".into())).unwrap_err();
    assert!(matches!(error, FetchError::NoImage { .. }), "{error:?}");
}

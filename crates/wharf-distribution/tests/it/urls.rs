//! Plugins of servers that are no registries, with TLS.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;

use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use wharf_distribution::registry::{Authority, HostSettings, RegistryClient, RegistrySettings};
use wharf_distribution::{FetchError, Fetcher, Layout, LockMode, Origin, PullPolicy, Store};
use wharf_plugin::Reference;
use wharf_testing::registry::{Fault, Registry, digest_of, registry};

use crate::plugins::{check_blobs, large_module, limits, module, told};

/// Passes on what comes over TLS to a server that speaks none. Gives its address and its certificate.
fn with_tls(to: SocketAddr) -> (SocketAddr, String) {
    let key = KeyPair::generate().unwrap();
    let names = vec!["127.0.0.1".to_owned()];
    let certificate = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        );
    let acceptor = TlsAcceptor::from(Arc::new(config.unwrap()));
    let (sender, address) = channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            sender.send(listener.local_addr().unwrap()).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // Either may end first; what was to be said was said then.
                    let Ok(mut stream) = acceptor.accept(stream).await else {
                        return;
                    };
                    let Ok(mut origin) = TcpStream::connect(to).await else {
                        return;
                    };
                    let _ = tokio::io::copy_bidirectional(&mut stream, &mut origin).await;
                });
            }
        });
    });
    (address.recv().unwrap(), certificate.pem())
}

/// A server with TLS, and a fetcher that believes its certificate.
struct Site {
    registry: Registry,
    address: SocketAddr,
    fetcher: Fetcher,
}

fn site(registry: Registry, store: &Path) -> Site {
    let (address, pem) = with_tls(registry.address());
    let named = HostSettings {
        authorities: vec![Authority::Pem(pem)],
        ..HostSettings::default()
    };
    let settings = RegistrySettings {
        hosts: BTreeMap::from([(address.to_string().parse().unwrap(), named)]),
        ..RegistrySettings::default()
    };
    let fetcher = Fetcher::new(Arc::new(RegistryClient::new(settings).unwrap()))
        .with_store(Store::open(store).unwrap())
        .with_limits(limits());
    Site {
        registry,
        address,
        fetcher,
    }
}

impl Site {
    fn reference(&self, path: &str, digest: &str) -> Reference {
        format!("https://{}{path}#{digest}", self.address)
            .parse()
            .unwrap()
    }
}

#[test]
fn a_url_is_fetched_by_its_digest_and_once() {
    let wasm = large_module(1, 100_000);
    let registry = registry()
        .file("/a.wasm", "application/wasm", wasm.clone())
        .fault("/moved.wasm", Fault::Redirect("/a.wasm".into()))
        .fault_times(1, "/a.wasm", Fault::Cut)
        .start();
    let directory = tempfile::tempdir().unwrap();
    let site = site(registry, directory.path());
    for (path, origin) in [
        ("/a.wasm", Origin::Network),
        ("/a.wasm", Origin::Store),
        // It is there by its digest, wherever it was from.
        ("/moved.wasm", Origin::Store),
    ] {
        let fetched = site
            .fetcher
            .fetch(&site.reference(path, &digest_of(&wasm)))
            .unwrap();
        assert_eq!(fetched.artifact.bytes(), &wasm);
        assert_eq!(
            (fetched.layout, fetched.origin),
            (Layout::Https, origin),
            "{path}"
        );
        assert_eq!(fetched.resolved.to_string(), digest_of(&wasm));
    }
    let ranges: Vec<bool> = site
        .registry
        .received()
        .iter()
        .map(|request| request.header("range").is_some())
        .collect();
    assert_eq!(ranges, [false, true]);
    assert!(
        site.registry
            .received()
            .iter()
            .all(|request| !request.target.contains('#'))
    );
    let elsewhere = tempfile::tempdir().unwrap();
    let other = site
        .fetcher
        .clone()
        .with_store(Store::open(elsewhere.path()).unwrap());
    let moved = other
        .fetch(&site.reference("/moved.wasm", &digest_of(&wasm)))
        .unwrap();
    assert_eq!(moved.origin, Origin::Network);
    check_blobs(elsewhere.path());
    let never = other.with_policy(PullPolicy::Never);
    let blob = elsewhere
        .path()
        .join("blobs")
        .join(digest_of(&wasm).replace(':', "/"));
    std::fs::write(blob, b"changed").unwrap();
    let error = never
        .fetch(&site.reference("/moved.wasm", &digest_of(&wasm)))
        .unwrap_err();
    assert!(matches!(error, FetchError::ChangedInStore { .. }), "{error:?}");
    let error = never
        .fetch(&site.reference("/moved.wasm", &digest_of(&wasm)))
        .unwrap_err();
    assert!(matches!(error, FetchError::NotStored { .. }), "{error:?}");
}

#[test]
fn what_a_server_says_no_to_is_told() {
    let wasm = module(1);
    let registry = registry()
        .file("/other.wasm", "application/wasm", module(2))
        .file("/page.wasm", "text/html", "<html>please log in</html>")
        .file("/text.wasm", "text/plain", "(module)")
        .file("/zipped.wasm", "application/wasm", wasm.clone())
        .file("/endless.wasm", "application/wasm", wasm.clone())
        .fault("/zipped.wasm", Fault::Header("content-encoding: gzip\r\n"))
        .fault("/endless.wasm", Fault::Length(65 << 20))
        .fault(
            "/private.wasm",
            Fault::Status(401, "www-authenticate: Basic realm=\"x\"\r\n", ""),
        )
        .fault("/forbidden.wasm", Fault::Status(403, "", ""))
        .fault("/broken.wasm", Fault::Status(500, "", ""))
        .fault("/loop.wasm", Fault::Redirect("/loop.wasm".into()))
        .fault(
            "/metadata.wasm",
            Fault::Redirect("https://169.254.169.254/latest".into()),
        )
        .fault("/plain.wasm", Fault::Redirect("http://example.com/a.wasm".into()))
        .start();
    let directory = tempfile::tempdir().unwrap();
    let site = site(registry, directory.path());
    let wanted = digest_of(&wasm);
    for (path, words) in [
        ("/none.wasm", "ADDRESS has no such file"),
        (
            "/other.wasm",
            "the plugin is not what was asked for: its digest is",
        ),
        (
            "/page.wasm",
            "ADDRESS gives a page of HTML where the plugin is due",
        ),
        (
            "/zipped.wasm",
            "ADDRESS gives it encoded with gzip, which was not asked for",
        ),
        ("/endless.wasm", "the plugin has more than 64MiB"),
        (
            "/private.wasm",
            "ADDRESS does not give the file to everybody: it answered 401",
        ),
        (
            "/forbidden.wasm",
            "ADDRESS does not give the file to everybody: it answered 403",
        ),
        ("/broken.wasm", "answered 500"),
        ("/loop.wasm", "there are too many redirects"),
        (
            "/metadata.wasm",
            "is 169.254.169.254, which means this machine, its network or its cloud",
        ),
        (
            "/plain.wasm",
            "it is plain HTTP, which the configuration does not name it for",
        ),
    ] {
        let error = site.fetcher.fetch(&site.reference(path, &wanted)).unwrap_err();
        let told = told(&error, site.address);
        assert!(told.contains(words), "{path}: {told}");
    }
    let text = digest_of("(module)");
    let error = site
        .fetcher
        .fetch(&site.reference("/text.wasm", &text))
        .unwrap_err();
    assert!(matches!(error, FetchError::NotAModule { .. }), "{error:?}");
    assert_eq!(site.fetcher.store().unwrap().records().unwrap(), []);
    assert_eq!(check_blobs(directory.path()), 0);
    // No credentials of any registry are told to a server.
    assert!(
        site.registry
            .received()
            .iter()
            .all(|request| request.header("authorization").is_none())
    );
}

#[test]
fn a_url_without_a_digest_needs_a_lock_file() {
    let wasm = module(1);
    let registry = registry()
        .file("/a.wasm", "application/wasm", wasm.clone())
        .start();
    let directory = tempfile::tempdir().unwrap();
    let site = site(registry, directory.path());
    let bare: Reference = format!("https://{}/a.wasm", site.address).parse().unwrap();
    let error = site.fetcher.fetch(&bare).unwrap_err();
    assert!(matches!(error, FetchError::NoDigest { .. }), "{error:?}");
    assert!(error.hint().contains("wharf lock"), "{}", error.hint());
    let lockfile = site.fetcher.lock([&bare]).unwrap();
    assert_eq!(lockfile.pin(&bare).unwrap().digest.to_string(), digest_of(&wasm));
    let locked = site
        .fetcher
        .clone()
        .with_lock(Arc::new(lockfile), LockMode::Require);
    assert_eq!(locked.fetch(&bare).unwrap().artifact.bytes(), &wasm);
    let other = site.reference("/a.wasm", &digest_of("other"));
    let error = locked.fetch(&other).unwrap_err();
    assert!(matches!(error, FetchError::NotAsLocked { .. }), "{error:?}");
}

#[test]
fn a_server_of_this_machine_has_to_be_named() {
    let directory = tempfile::tempdir().unwrap();
    let fetcher = Fetcher::new(Arc::new(
        RegistryClient::new(RegistrySettings::default()).unwrap(),
    ))
    .with_store(Store::open(directory.path()).unwrap());
    for host in ["127.0.0.1:1", "localhost:1", "169.254.169.254", "[::1]:1"] {
        let reference = format!("https://{host}/a.wasm#{}", digest_of(""));
        let error = fetcher.fetch(&reference.parse().unwrap()).unwrap_err();
        let FetchError::Registry { source, .. } = &error else {
            panic!("{error:?}")
        };
        assert!(
            matches!(
                **source,
                wharf_distribution::registry::RegistryError::ForbiddenAddress { .. }
            ),
            "{source:?}"
        );
    }
}

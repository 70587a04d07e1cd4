//! What is loaded, what is refused, and what is odd.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;

use expect_test::{Expect, expect};
use rcgen::{CertificateParams, KeyPair};
use wharf_tls::{LoadError, Lookalike, MOST_BYTES, ServerTls};

use crate::peers::{Client, Server};
use crate::pki::{self, Ca, Identity};
use crate::site::Site;

const RSA: &str = include_str!("keys/rsa.pkcs8.pem");
const RSA_PKCS1: &str = include_str!("keys/rsa.pkcs1.pem");
const RSA_1024: &str = include_str!("keys/rsa-1024.pem");
const P256: &str = include_str!("keys/p256.pkcs8.pem");
const P256_SEC1: &str = include_str!("keys/p256.sec1.pem");
const P521: &str = include_str!("keys/p521.pem");
const ENCRYPTED_PKCS8: &str = include_str!("keys/rsa.pkcs8-encrypted.pem");
const ENCRYPTED_PKCS1: &str = include_str!("keys/rsa.pkcs1-encrypted.pem");

/// The error, its causes and its hint, as an operator reads them.
#[track_caller]
fn refused(site: &Site, expected: &Expect) {
    let error = site.load_error();
    let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
    let text = format!("{error}{}\nhint: {}", cause.unwrap_or_default(), error.hint());
    expected.assert_eq(&site.without_path(&text));
}

fn good() -> (Site, Identity) {
    let identity = Ca::new("CA").server();
    (Site::of(&identity), identity)
}

#[tokio::test]
async fn keys_of_each_encoding_and_kind_serve() {
    let ca = Ca::new("CA");
    let ed25519 = KeyPair::generate_for(&rcgen::PKCS_ED25519)
        .unwrap()
        .serialize_pem();
    let p384 = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384)
        .unwrap()
        .serialize_pem();
    for (pkcs8, written) in [
        (RSA, RSA),
        (RSA, RSA_PKCS1),
        (P256, P256),
        (P256, P256_SEC1),
        (&p384, &p384),
        (&ed25519, &ed25519),
    ] {
        let identity = ca.server_with_key(pkcs8, written);
        let server = Server::start(Site::of(&identity).load().acceptor()).await;
        for version in rustls::ALL_VERSIONS {
            let client = Client::speaking(&ca, &[version], None);
            let mut connection = client.connect(server.address).await.unwrap();
            connection.echo("hello").await.unwrap();
        }
    }
}

#[tokio::test]
async fn the_whole_chain_is_sent() {
    let root = Ca::new("root");
    let intermediate = root.intermediate("intermediate");
    let identity = intermediate.server();
    let site = Site::of(&identity);
    site.write_certificate(format!("{}{}", identity.pem, intermediate.pem));
    let tls = site.load();
    assert_eq!(tls.status().chain.len(), 2);
    let server = Server::start(tls.acceptor()).await;
    let mut connection = Client::trusting(&root).connect(server.address).await.unwrap();
    connection.echo("hello").await.unwrap();
}

#[test]
fn one_file_may_hold_both_and_comments() {
    let (mut site, identity) = good();
    let windows = format!(
        "\u{feff}a comment\n{}\nanother\n{}",
        identity.key_pem, identity.pem
    )
    .replace('\n', "\r\n");
    site.write_certificate(windows);
    fs::set_permissions(&site.settings.certificate, fs::Permissions::from_mode(0o600)).unwrap();
    site.settings.key = site.settings.certificate.clone();
    assert_eq!(site.load().status().warnings, []);
}

#[test]
fn the_status_shows_the_certificate() {
    let ca = Ca::new("CA");
    let identity = ca.server_with(|params| {
        params.serial_number = Some(vec![0x0a, 0xbc].into());
        params.not_before = rcgen::date_time_ymd(2020, 2, 3);
        params.not_after = rcgen::date_time_ymd(2999, 4, 5);
    });
    let status = Site::of(&identity).load().status();
    assert_eq!((status.reloads, status.refusals), (0, 0));
    assert!(status.failure.is_none() && status.warnings.is_empty() && status.client_cas.is_empty());
    assert_eq!(status.chain.len(), 1);
    let certificate = &status.chain[0];
    assert_eq!(certificate.common_name.as_deref(), Some("server"));
    assert_eq!(certificate.names, ["localhost", "127.0.0.1"]);
    assert_eq!(certificate.serial.as_deref(), Some("0abc"));
    let validity = certificate.validity.unwrap();
    assert_eq!(validity.not_before.to_string(), "2020-02-03T00:00:00Z");
    assert_eq!(validity.not_after.to_string(), "2999-04-05T00:00:00Z");
}

#[test]
fn files_that_are_none() {
    let (site, _) = good();
    fs::remove_file(&site.settings.key).unwrap();
    refused(
        &site,
        &expect![[r#"
        the key file DIR/tls.key does not exist
        hint: check the path; in Kubernetes, is the secret mounted there, with this key?"#]],
    );

    fs::create_dir(&site.settings.key).unwrap();
    refused(
        &site,
        &expect![[r#"
        the key file DIR/tls.key is a directory, not a file
        hint: name the file itself"#]],
    );

    let (site, _) = good();
    fs::remove_file(&site.settings.certificate).unwrap();
    let _listener = UnixListener::bind(&site.settings.certificate).unwrap();
    refused(
        &site,
        &expect![[r#"
        the certificate file DIR/tls.crt is a socket, not a file
        hint: name the file itself"#]],
    );

    let (site, _) = good();
    fs::remove_file(&site.settings.key).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, &site.settings.key, rustix::fs::Mode::RWXU).unwrap();
    refused(
        &site,
        &expect![[r#"
        the key file DIR/tls.key is a named pipe, not a file
        hint: name the file itself"#]],
    );

    let (mut site, _) = good();
    site.settings.key = site.settings.certificate.join("tls.key");
    refused(
        &site,
        &expect![[r#"
            the key file DIR/tls.crt/tls.key cannot be read: Not a directory (os error 20)
            hint: check the path, the links in it, and the file system"#]],
    );

    let (site, _) = good();
    fs::remove_file(&site.settings.key).unwrap();
    symlink("tls.key", &site.settings.key).unwrap();
    refused(
        &site,
        &expect![[r#"
            the key file DIR/tls.key cannot be read: Too many levels of symbolic links (os error 40)
            hint: check the path, the links in it, and the file system"#]],
    );
}

#[test]
fn files_that_are_too_small_or_too_large() {
    let (site, identity) = good();
    site.write_key("");
    refused(
        &site,
        &expect![[r#"
        the key file DIR/tls.key is empty
        hint: was it written to the end? Write to another file and rename that"#]],
    );
    site.write_key(&identity.key_pem);
    site.write_certificate("#".repeat(MOST_BYTES + 1));
    refused(
        &site,
        &expect![[r#"
        the certificate file DIR/tls.crt has more than 1048576 bytes
        hint: is it the right file? A certificate chain has a few kilobytes"#]],
    );
    let mut padded = identity.pem;
    padded.push_str(&"\n".repeat(MOST_BYTES - padded.len()));
    site.write_certificate(padded);
    site.load();
}

#[test]
fn files_that_hold_something_else() {
    let (site, identity) = good();
    site.write_certificate(&identity.key_pem);
    refused(
        &site,
        &expect![[r#"
        the certificate file DIR/tls.crt has no certificate: it has PRIVATE KEY
        hint: are the certificate and the key exchanged? Name the file of the certificate"#]],
    );
    site.write(&identity);
    site.write_key(&identity.pem);
    refused(
        &site,
        &expect![[r#"
        the key file DIR/tls.key has no private key: it has CERTIFICATE
        hint: are the certificate and the key exchanged? Name the file of the private key"#]],
    );
    site.write_key(format!("{0}{0}", identity.key_pem));
    refused(
        &site,
        &expect![[r#"
        the key file DIR/tls.key has 2 private keys
        hint: leave the one of the certificate"#]],
    );
    site.write(&identity);
    site.write_certificate(&identity.der);
    refused(
        &site,
        &expect![[r#"
            the certificate file DIR/tls.crt is DER, not PEM
            hint: convert it with `openssl x509 -inform DER -in DIR/tls.crt`"#]],
    );
    for (bytes, expected) in [
        (&b"\x30\x82\x09\xfa\x02\x01\x03\x30\x82"[..], Lookalike::Pkcs12),
        (b"\xfe\xed\xfe\xed\x00\x00", Lookalike::JavaKeyStore),
        (b" \n\n", Lookalike::Blank),
        (b"tls.crt: see the wiki\n", Lookalike::Text),
        (b"\0\0\0\0", Lookalike::Binary),
        (b"\x30", Lookalike::Text),
    ] {
        site.write_certificate(bytes);
        match site.load_error() {
            LoadError::NotPem { looks_like, .. } => assert_eq!(looks_like, expected),
            other => panic!("{bytes:?}: {other:?}"),
        }
    }
    site.write_certificate("-----BEGIN \x1b[31mX-----\n-----END \x1b[31mX-----\n".repeat(9));
    refused(
        &site,
        &expect![[r#"
        the certificate file DIR/tls.crt has no certificate: it has �[31mX, �[31mX, �[31mX, �[31mX, …
        hint: are the certificate and the key exchanged? Name the file of the certificate"#]],
    );
}

#[test]
fn damaged_pem_says_in_which_line() {
    let (site, identity) = good();
    let first = format!("# the chain\n{}", identity.pem);
    site.write_certificate(&first[..first.len() - 40]);
    refused(
        &site,
        &expect![[r#"
        the certificate file DIR/tls.crt, line 2: the section that begins here does not end
        hint: was it written or copied to the end? Each section needs its BEGIN and its END line"#]],
    );
    site.write_certificate(format!("{first}{}", &identity.pem[..100]));
    let LoadError::Pem { line, .. } = site.load_error() else {
        panic!("a second certificate that is cut short");
    };
    assert_eq!(line, first.lines().count() + 1);
    site.write_certificate(first.replace("END CERTIFICATE", "END PRIVATE KEY"));
    refused(
        &site,
        &expect![[r#"
        the certificate file DIR/tls.crt, line 2: the section that begins here ends as one of another kind
        hint: was it written or copied to the end? Each section needs its BEGIN and its END line"#]],
    );
    site.write_certificate(first.replace("MII", "M*I"));
    refused(
        &site,
        &expect![[r#"
        the certificate file DIR/tls.crt, line 2: the section that begins here is not base64
        hint: was it written or copied to the end? Each section needs its BEGIN and its END line"#]],
    );
    site.write_certificate("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
    refused(
        &site,
        &expect![[r#"
        certificate 1 in the certificate file DIR/tls.crt cannot be used: BadEncoding
        hint: look at it with `openssl x509 -text`, and have it issued again"#]],
    );
    site.write(&identity);
    site.write_key("-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n");
    refused(
        &site,
        &expect![[r#"
        the key file DIR/tls.key has no usable key: failed to parse private key as RSA, ECDSA, or EdDSA
        hint: use RSA of 2048 to 8192 bits, ECDSA on P-256 or P-384, or Ed25519"#]],
    );
}

#[test]
fn keys_that_cannot_serve() {
    let (site, _) = good();
    let expected = expect![[r#"
        the key file DIR/tls.key is encrypted with a passphrase
        hint: there is nobody to ask for the passphrase: decrypt it with `openssl pkey -in DIR/tls.key`, and protect the result by its permissions"#]];
    for encrypted in [ENCRYPTED_PKCS8, ENCRYPTED_PKCS1] {
        site.write_key(encrypted);
        refused(&site, &expected);
    }
    for unsupported in [RSA_1024, P521] {
        site.write_key(unsupported);
        assert!(matches!(site.load_error(), LoadError::BadKey { .. }));
    }
    refused(
        &site,
        &expect![[r#"
        the key file DIR/tls.key has no usable key: failed to parse private key as RSA, ECDSA, or EdDSA
        hint: use RSA of 2048 to 8192 bits, ECDSA on P-256 or P-384, or Ed25519"#]],
    );
}

#[test]
fn keys_of_other_certificates() {
    let ca = Ca::new("CA");
    let (mine, other) = (ca.server(), ca.server());
    let site = Site::of(&mine);
    site.write_key(&other.key_pem);
    refused(
        &site,
        &expect![[r#"
        the key file DIR/tls.key is not the key of the first certificate in the certificate file DIR/tls.crt
        hint: use the certificate and the key of one and the same request; was only one of them renewed?"#]],
    );
    // The chain is in the order of the issuers, as some tools write it.
    site.write_certificate(format!("{}{}", ca.pem, other.pem));
    refused(
        &site,
        &expect![[r#"
        the key file DIR/tls.key is not the key of the first certificate in the certificate file DIR/tls.crt
        hint: it is the key of certificate 2: put that one first, and those of its issuers after it"#]],
    );
}

#[test]
fn client_cas_that_are_none() {
    let ca = Ca::new("CA");
    let site = Site::mutual(&ca.server(), &[]);
    refused(
        &site,
        &expect![[r#"
        the client CA file DIR/ca.crt is empty
        hint: was it written to the end? Write to another file and rename that"#]],
    );
    let broken = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    fs::write(site.path("ca.crt"), format!("{}{broken}", ca.pem)).unwrap();
    refused(
        &site,
        &expect![[r#"
        certificate 2 in the client CA file DIR/ca.crt cannot be used: BadEncoding
        hint: look at it with `openssl x509 -text`, and have it issued again"#]],
    );
    fs::write(site.path("ca.crt"), &ca.server().key_pem).unwrap();
    refused(
        &site,
        &expect![[r#"
            the client CA file DIR/ca.crt has no CA certificate: it has PRIVATE KEY
            hint: name the file with the certificates of the clients' CAs"#]],
    );
}

#[test]
fn no_file_that_is_cut_short_is_taken() {
    let (site, identity) = good();
    let last = |text: &str| text.trim_end().len();
    for end in 0..last(&identity.pem) {
        site.write_certificate(&identity.pem[..end]);
        site.load_error();
    }
    site.write(&identity);
    for end in 0..last(&identity.key_pem) {
        site.write_key(&identity.key_pem[..end]);
        site.load_error();
    }
}

#[test]
fn damaged_files_never_panic() {
    let ca = Ca::new("CA");
    let identity = ca.server();
    let site = Site::mutual(&identity, &[&ca]);
    let paths = [
        (&site.settings.certificate, &identity.pem),
        (&site.settings.key, &identity.key_pem),
        (&site.path("ca.crt"), &ca.pem),
    ];
    for (path, text) in paths {
        for at in (0..text.len()).step_by(3) {
            for damage in [b'A', b'/', b'\n', 0xff] {
                let mut bytes = text.clone().into_bytes();
                bytes[at] = damage;
                fs::write(path, bytes).unwrap();
                // Some damage does no harm, such as one to a signature.
                let _ = ServerTls::load(site.settings.clone());
            }
        }
        fs::write(path, text).unwrap();
    }
}

#[track_caller]
fn warned(site: &Site, expected: &Expect) {
    let status = site.load().status();
    let texts: Vec<String> = status
        .warnings
        .iter()
        .map(|warning| format!("{warning}\nhint: {}", warning.hint()))
        .collect();
    expected.assert_eq(&site.without_path(&texts.join("\n")));
}

#[test]
fn what_is_odd_is_a_warning_and_serves() {
    let ca = Ca::new("CA");
    warned(
        &Site::of(&ca.server_with(pki::long_ago)),
        &expect![[r#"
        certificate 1 in the certificate file DIR/tls.crt expired at 2002-02-03T00:00:00Z
        hint: renew it; a new one is taken without a restart"#]],
    );
    warned(
        &Site::of(&ca.server_with(pki::far_away)),
        &expect![[r#"
        certificate 1 in the certificate file DIR/tls.crt is not valid before 2998-07-06T00:00:00Z
        hint: check this machine's clock, or wait"#]],
    );
    let nameless = |params: &mut CertificateParams| params.subject_alt_names.clear();
    warned(
        &Site::of(&ca.server_with(nameless)),
        &expect![[r#"
        certificate 1 in the certificate file DIR/tls.crt has no subject alternative names
        hint: have it issued again with the names by which clients call it"#]],
    );
    let old = Ca::with("old", pki::long_ago);
    warned(
        &Site::mutual(&ca.server(), &[&ca, &old]),
        &expect![[r#"
            certificate 2 in the client CA file DIR/ca.crt expired at 2002-02-03T00:00:00Z
            hint: clients whose certificates it issued are still let in: take it out of the file to end that"#]],
    );
    let site = Site::of(&ca.server());
    fs::set_permissions(&site.settings.key, fs::Permissions::from_mode(0o644)).unwrap();
    warned(
        &site,
        &expect![[r#"
        the key file DIR/tls.key is open to all users (mode 0644)
        hint: take the rights away with `chmod o-rwx DIR/tls.key`; for a Kubernetes secret set `defaultMode: 0440` and `fsGroup`"#]],
    );
    fs::set_permissions(&site.settings.key, fs::Permissions::from_mode(0o640)).unwrap();
    warned(&site, &expect![""]);
}

#[test]
fn debug_output_has_no_key() {
    let (site, identity) = good();
    let text = format!("{:?} {:?}", site.load(), site.load().acceptor());
    let secret = identity.key_pem.lines().nth(1).unwrap();
    assert!(!text.contains(secret) && text.contains("tls.crt"), "{text}");
}

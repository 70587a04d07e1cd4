//! Certificates: the server's, and those of clients.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;
use wharf_testing::PATIENCE;

use super::{LABELS, command, policies, refused, review, serve};
use crate::harness::{Folder, root};
use crate::process::Wharf;

/// An authority that issues what a test needs.
struct Ca {
    pem: String,
    der: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate with its key.
struct Identity {
    pem: String,
    der: CertificateDer<'static>,
    key: KeyPair,
}

impl Ca {
    fn new(name: &str) -> Ca {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Ca {
            pem: certificate.pem(),
            der: certificate.der().clone(),
            issuer: Issuer::new(params, key),
        }
    }

    fn issue(&self, names: &[&str], usage: ExtendedKeyUsagePurpose) -> Identity {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Identity {
            pem: certificate.pem(),
            der: certificate.der().clone(),
            key,
        }
    }

    fn server(&self) -> Identity {
        self.issue(&["localhost", "127.0.0.1"], ExtendedKeyUsagePurpose::ServerAuth)
    }

    fn client(&self) -> Identity {
        self.issue(&["client"], ExtendedKeyUsagePurpose::ClientAuth)
    }
}

/// Writes the files of a server below a folder.
fn write(folder: &Folder, directory: &str, server: &Identity, client_ca: &Ca) {
    let directory = folder.path().join(directory);
    fs::create_dir_all(&directory).unwrap();
    for (name, text) in [
        ("server.crt", server.pem.clone()),
        ("server.key", server.key.serialize_pem()),
        ("ca.crt", client_ca.pem.clone()),
    ] {
        fs::write(directory.join(name), text).unwrap();
    }
}

/// Asks a policy over TLS. The handshake, and what follows, fails where the server does not want the client.
fn ask(address: SocketAddr, server_ca: &Ca, client: Option<&Identity>) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(server_ca.der.clone()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match client {
        Some(Identity { der, key, .. }) => {
            let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
            builder.with_client_auth_cert(vec![der.clone()], key).unwrap()
        }
        None => builder.with_no_client_auth(),
    };
    let connection = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut stream = StreamOwned::new(connection, socket);
    let body = review("pod-create");
    let head = format!(
        "POST /validate/labels HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(&body)?;
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        // Whether the server says that it closes does not matter here.
        Err(error) if error.kind() == ErrorKind::UnexpectedEof && !answer.is_empty() => {}
        outcome => drop(outcome?),
    }
    Ok(String::from_utf8(answer).expect("answers are text"))
}

/// Checks that a review is answered.
fn is_answered(answer: std::io::Result<String>) {
    let answer = answer.expect("the server takes this client");
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(
        body["response"]["status"]["message"],
        "the label `team` is missing"
    );
}

#[test]
fn a_certificate_is_served_to_everybody() {
    let ca = Ca::new("servers");
    let folder = policies(LABELS);
    write(&folder, ".", &ca.server(), &ca);
    let wharf = serve(
        &folder,
        &["--cert-file", "server.crt", "--key-file", "server.key"],
    );
    is_answered(ask(wharf.admission(), &ca, None));
    assert!(ask(wharf.admission(), &Ca::new("others"), None).is_err());
    assert_eq!(wharf.stop().code, Some(0));

    let mut by_variables = command(&folder, &[]);
    by_variables
        .env("KUBEWARDEN_CERT_FILE", "server.crt")
        .env("KUBEWARDEN_KEY_FILE", "server.key");
    let wharf = Wharf::start_by(folder, by_variables);
    is_answered(ask(wharf.admission(), &ca, None));
}

#[test]
fn with_a_client_ca_every_client_shows_a_certificate_of_it() {
    let (ca, clients) = (Ca::new("servers"), Ca::new("clients"));
    let folder = policies(LABELS);
    write(&folder, ".", &ca.server(), &clients);
    let certificate = ["--cert-file", "server.crt", "--key-file", "server.key"];
    let by_flag = command(
        &folder,
        &[&certificate[..], &["--client-ca-file", "ca.crt"]].concat(),
    );
    let mut by_variable = command(&folder, &certificate);
    by_variable.env("KUBEWARDEN_CLIENT_CA_FILE", "ca.crt");
    for command in [by_flag, by_variable] {
        let wharf = Wharf::start_by(folder.clone(), command);
        is_answered(ask(wharf.admission(), &ca, Some(&clients.client())));
        assert!(
            ask(wharf.admission(), &ca, None).is_err(),
            "without a certificate"
        );
        assert!(
            ask(wharf.admission(), &ca, Some(&ca.client())).is_err(),
            "of another CA"
        );
    }
}

#[test]
fn certificates_of_several_client_cas_are_taken() {
    let (ca, first, second) = (Ca::new("servers"), Ca::new("first"), Ca::new("second"));
    let folder = policies(LABELS).with("second.crt", &second.pem);
    write(&folder, ".", &ca.server(), &first);
    let arguments = [
        "--cert-file",
        "server.crt",
        "--key-file",
        "server.key",
        "--client-ca-file",
        "ca.crt,second.crt",
    ];
    let wharf = serve(&folder, &arguments);
    is_answered(ask(wharf.admission(), &ca, Some(&first.client())));
    is_answered(ask(wharf.admission(), &ca, Some(&second.client())));
}

#[test]
fn a_key_of_another_certificate_is_told() {
    let ca = Ca::new("servers");
    let folder = policies(LABELS).with("other.key", ca.server().key.serialize_pem());
    write(&folder, ".", &ca.server(), &ca);
    let (code, said) = refused(command(
        &folder,
        &["--cert-file", "server.crt", "--key-file", "other.key"],
    ));
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("other.key"), "{said}");
    let (code, said) = refused(command(
        &folder,
        &["--cert-file", "missing.crt", "--key-file", "other.key"],
    ));
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("missing.crt"), "{said}");
}

/// The files of a code block that names its file in its first line.
fn documented(name: &str) -> String {
    let text = fs::read_to_string(root().join("docs/admission.md")).unwrap();
    let first = format!("```yaml\n# {name}\n");
    let (_, rest) = text
        .split_once(&first)
        .unwrap_or_else(|| panic!("the document has no {name}"));
    rest.split("```").next().unwrap_or_default().to_owned()
}

#[test]
fn the_files_of_the_documentation_work_as_they_stand() {
    let ca = Ca::new("cluster");
    let folder = policies(&documented("policies.yml")).with(
        "wharf.yaml",
        documented("wharf.yaml")
            .replace(":8443", ":0")
            .replace(":9901", ":0"),
    );
    write(&folder, "tls", &ca.server(), &ca);
    fs::copy(
        root().join("guests/policies/policy-labels/policy-labels.wasm"),
        folder.path().join("policy-labels.wasm"),
    )
    .unwrap();
    let checked = folder.run(&["check"]);
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert_eq!(checked.status.code(), Some(0), "{said}");
    let wharf = Wharf::start(folder);
    is_answered(ask(wharf.admission(), &ca, Some(&ca.client())));
    assert!(
        ask(wharf.admission(), &ca, None).is_err(),
        "a client without a certificate"
    );
    assert_eq!(wharf.admin_get("/readyz").status, 200);
    assert_eq!(wharf.stop().code, Some(0));
}

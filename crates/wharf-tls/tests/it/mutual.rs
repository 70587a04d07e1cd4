//! Clients that must show a certificate.

use rcgen::{ExtendedKeyUsagePurpose, SanType};
use rustls::SupportedProtocolVersion;
use wharf_tls::{ClientCertificateProblem, HandshakeError};

use crate::peers::{Client, Outcome, Server};
use crate::pki::{self, Ca, Identity};
use crate::site::Site;

/// What a server that trusts `cas` makes of a client.
async fn outcome(
    cas: &[&Ca],
    identity: Option<&Identity>,
    version: &'static SupportedProtocolVersion,
) -> Outcome {
    let ca = Ca::new("server CA");
    let mut server = Server::start(Site::mutual(&ca.server(), cas).load().acceptor()).await;
    let client = Client::speaking(&ca, &[version], identity);
    // With TLS 1.3 a client is done before the server has looked at its certificate.
    let mut connection = client.connect(server.address).await;
    let outcome = server.outcome().await;
    if outcome.is_ok() {
        connection.as_mut().unwrap().echo("hello").await.unwrap();
    } else if let Ok(connection) = &mut connection {
        connection.echo("hello").await.unwrap_err();
    }
    outcome
}

async fn problem(cas: &[&Ca], identity: &Identity) -> ClientCertificateProblem {
    let mut problems = Vec::new();
    for version in rustls::ALL_VERSIONS {
        match outcome(cas, Some(identity), version).await {
            Err(HandshakeError::BadClientCertificate { problem }) => problems.push(problem),
            other => panic!("{other:?}"),
        }
    }
    problems.dedup();
    assert_eq!(problems.len(), 1, "the versions differ: {problems:?}");
    problems.remove(0)
}

#[tokio::test]
async fn a_client_is_known_by_its_certificate() {
    let ca = Ca::new("client CA");
    let identity = ca.client_with("apiserver", |params| {
        params.serial_number = Some(vec![1, 0x80].into());
        params.subject_alt_names = vec![
            SanType::DnsName("api.example".try_into().unwrap()),
            SanType::IpAddress("10.0.0.1".parse().unwrap()),
            SanType::IpAddress("fd00::1".parse().unwrap()),
            SanType::URI("spiffe://cluster/api".try_into().unwrap()),
            SanType::Rfc822Name("api@example.org".try_into().unwrap()),
        ];
    });
    for version in rustls::ALL_VERSIONS {
        let peer = outcome(&[&ca], Some(&identity), version).await.unwrap();
        let client = peer.client.unwrap();
        assert_eq!(client.common_name.as_deref(), Some("apiserver"));
        let expected = [
            "api.example",
            "10.0.0.1",
            "fd00::1",
            "spiffe://cluster/api",
            "api@example.org",
        ];
        assert_eq!(client.names, expected);
        assert_eq!(client.serial.as_deref(), Some("0180"));
        use sha2::Digest;
        let fingerprint: [u8; 32] = sha2::Sha256::digest(&identity.der).into();
        assert_eq!(client.fingerprint.as_bytes(), &fingerprint);
    }
}

#[tokio::test]
async fn a_client_without_a_certificate_is_refused() {
    let ca = Ca::new("client CA");
    for version in rustls::ALL_VERSIONS {
        let error = outcome(&[&ca], None, version).await.unwrap_err();
        assert!(matches!(error, HandshakeError::NoClientCertificate), "{error:?}");
    }
}

#[tokio::test]
async fn certificates_that_are_not_good_enough_say_why() {
    let ca = Ca::new("client CA");
    let stranger = Ca::new("stranger").client("a");
    assert_eq!(
        problem(&[&ca], &stranger).await,
        ClientCertificateProblem::UnknownIssuer
    );
    let expired = ca.client_with("a", pki::long_ago);
    assert_eq!(problem(&[&ca], &expired).await, ClientCertificateProblem::Expired);
    let early = ca.client_with("a", pki::far_away);
    assert_eq!(
        problem(&[&ca], &early).await,
        ClientCertificateProblem::NotYetValid
    );
    let server = ca.client_with("a", |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    });
    assert_eq!(
        problem(&[&ca], &server).await,
        ClientCertificateProblem::NotForClients
    );
}

#[tokio::test]
async fn a_ca_of_the_same_name_is_another_ca() {
    let identity = Ca::new("client CA").client("a");
    let problem = problem(&[&Ca::new("client CA")], &identity).await;
    assert!(
        matches!(
            problem,
            ClientCertificateProblem::UnknownIssuer | ClientCertificateProblem::BadSignature
        ),
        "{problem:?}"
    );
}

#[tokio::test]
async fn a_certificate_with_the_key_of_another_is_refused() {
    let ca = Ca::new("client CA");
    let (victim, thief) = (ca.client("victim"), ca.client("thief"));
    let stolen = thief.with_certificate_of(&victim);
    assert_eq!(
        problem(&[&ca], &stolen).await,
        ClientCertificateProblem::BadSignature
    );
}

#[tokio::test]
async fn each_ca_of_the_bundle_counts() {
    let cas = [Ca::new("one"), Ca::new("two")];
    for ca in &cas {
        let identity = ca.client("a");
        outcome(&[&cas[0], &cas[1]], Some(&identity), &rustls::version::TLS13)
            .await
            .unwrap();
    }
}

/// What the documentation for operators says of expired CAs.
#[tokio::test]
async fn an_expired_ca_still_vouches_for_its_clients() {
    let ca = Ca::with("client CA", pki::long_ago);
    outcome(&[&ca], Some(&ca.client("a")), &rustls::version::TLS13)
        .await
        .unwrap();
}

#[tokio::test]
async fn more_cas_than_can_be_named_are_not_named() {
    let ca = Ca::with("client CA", |params| {
        for (kind, letter) in [
            (rcgen::DnType::OrganizationName, "o"),
            (rcgen::DnType::OrganizationalUnitName, "u"),
            (rcgen::DnType::LocalityName, "l"),
        ] {
            params.distinguished_name.push(kind, letter.repeat(64));
        }
    });
    let bundle = vec![&ca; 600];
    for version in rustls::ALL_VERSIONS {
        let peer = outcome(&bundle, Some(&ca.client("a")), version).await.unwrap();
        assert!(peer.client.is_some());
    }
}

#[tokio::test]
async fn names_of_clients_cannot_write_lines_into_a_log() {
    let ca = Ca::new("client CA");
    let identity = ca.client_with("a\r\nlevel=error forged", |params| {
        let names = (0..100).map(|i| SanType::DnsName(format!("name-{i}.example").try_into().unwrap()));
        params.subject_alt_names = names.collect();
    });
    let peer = outcome(&[&ca], Some(&identity), &rustls::version::TLS13)
        .await
        .unwrap();
    let client = peer.client.unwrap();
    assert_eq!(client.common_name.as_deref(), Some("a\\r\\nlevel=error forged"));
    assert_eq!(client.names.len(), 16);
}

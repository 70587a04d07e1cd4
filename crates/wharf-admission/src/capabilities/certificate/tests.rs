use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};

use super::*;

const NOT_TRUSTED: &str = "Certificate is not trusted by the provided cert chain";
const EXPIRED: &str = "Certificate is being used after its expiration date";
const TOO_EARLY: &str = "Certificate is being used before its validity date";

type Authority = CertifiedIssuer<'static, KeyPair>;

/// Valid in these years, both included.
fn params(name: &str, years: (i32, i32), authority: bool) -> CertificateParams {
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.not_before = date_time_ymd(years.0, 1, 1);
    params.not_after = date_time_ymd(years.1, 12, 31);
    if authority {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    params
}

const LONG: (i32, i32) = (2000, 2099);

fn root(years: (i32, i32)) -> Authority {
    CertifiedIssuer::self_signed(params("root", years, true), KeyPair::generate().unwrap()).unwrap()
}

fn between(root: &Authority, years: (i32, i32)) -> Authority {
    CertifiedIssuer::signed_by(params("between", years, true), KeyPair::generate().unwrap(), root).unwrap()
}

fn leaf(issuer: &Authority, years: (i32, i32)) -> rcgen::Certificate {
    let key = KeyPair::generate().unwrap();
    params("leaf.example", years, false)
        .signed_by(&key, issuer)
        .unwrap()
}

fn pem(certificate: &rcgen::Certificate) -> Certificate {
    Certificate {
        encoding: CertificateEncoding::Pem,
        data: certificate.pem().into_bytes(),
    }
}

fn in_der(certificate: &rcgen::Certificate) -> Certificate {
    Certificate {
        encoding: CertificateEncoding::Der,
        data: certificate.der().to_vec(),
    }
}

/// The reason, empty where it is trusted, or the error.
fn asked(cert: Certificate, chain: Option<Vec<Certificate>>, not_after: Option<&str>) -> String {
    let request = CertificateVerification {
        cert,
        cert_chain: chain,
        not_after: not_after.map(str::to_owned),
    };
    match verify(&request) {
        Ok(answer) => {
            assert_eq!(answer.trusted, answer.reason.is_empty());
            answer.reason
        }
        Err(error) => format!("error: {error}"),
    }
}

#[test]
fn a_chain_leads_to_its_last_certificate() {
    let root = root(LONG);
    let between = between(&root, LONG);
    let (direct, far) = (leaf(&root, LONG), leaf(&between, LONG));
    assert_eq!(asked(pem(&direct), Some(vec![pem(root.as_ref())]), None), "");
    let chain = vec![pem(between.as_ref()), in_der(root.as_ref())];
    assert_eq!(asked(in_der(&far), Some(chain), None), "");
    assert_eq!(
        asked(pem(&far), Some(vec![pem(root.as_ref())]), None),
        NOT_TRUSTED,
        "one between is missing"
    );
    assert_eq!(asked(pem(&direct), Some(Vec::new()), None), NOT_TRUSTED);
    assert_eq!(
        asked(pem(&direct), None, None),
        NOT_TRUSTED,
        "Mozilla does not know this root"
    );
    let other = self::root(LONG);
    assert_eq!(
        asked(pem(&direct), Some(vec![pem(other.as_ref())]), None),
        NOT_TRUSTED
    );
}

#[test]
fn dates_count_but_not_those_of_the_root() {
    let old = root((2000, 2001));
    let late = leaf(&old, (2090, 2099));
    let now = leaf(&old, LONG);
    let past = leaf(&old, (2000, 2010));
    let chain = || Some(vec![pem(old.as_ref())]);
    assert_eq!(asked(pem(&now), chain(), None), "");
    assert_eq!(asked(pem(&past), chain(), None), EXPIRED);
    assert_eq!(asked(pem(&late), chain(), None), TOO_EARLY);

    assert_eq!(asked(pem(&past), chain(), Some("2005-06-01T12:00:00+02:00")), "");
    assert_eq!(asked(pem(&past), chain(), Some("2020-06-01T12:00:00Z")), EXPIRED);
    assert_eq!(
        asked(pem(&past), chain(), Some("1999-06-01T12:00:00Z")),
        TOO_EARLY
    );
    assert_eq!(
        asked(pem(&past), chain(), Some("0001-01-01T00:00:00Z")),
        TOO_EARLY
    );

    let root = root(LONG);
    let ended = between(&root, (2000, 2010));
    let chain = Some(vec![pem(ended.as_ref()), pem(root.as_ref())]);
    assert_eq!(asked(pem(&leaf(&ended, LONG)), chain, None), EXPIRED);
}

#[test]
fn what_cannot_be_read_is_an_error() {
    let root = root(LONG);
    let good = || pem(&leaf(&root, LONG));
    let of = |encoding, data: &[u8]| Certificate {
        encoding,
        data: data.to_vec(),
    };
    let (text, binary) = (CertificateEncoding::Pem, CertificateEncoding::Der);
    for (cert, chain, not_after, expected) in [
        (
            of(text, b""),
            None,
            None,
            "error: Certificate PEM data is not valid: ",
        ),
        (
            of(text, b"\xff\0"),
            None,
            None,
            "error: Certificate PEM data is not valid: ",
        ),
        (
            of(binary, b""),
            None,
            None,
            "error: Certificate is not a valid end-entity certificate: ",
        ),
        (
            of(binary, &[0x30; 200]),
            None,
            None,
            "error: Certificate is not a valid end-entity certificate: ",
        ),
        (
            good(),
            Some(vec![of(text, b"x")]),
            None,
            "error: Certificate PEM data is not valid: ",
        ),
        (
            good(),
            Some(vec![of(binary, b"x")]),
            None,
            "error: the last certificate of the chain cannot be a root: ",
        ),
        (
            good(),
            None,
            Some("malformed"),
            "error: Timestamp not_after is not in RFC3339 format",
        ),
        (
            of(binary, &[0; MOST_BYTES + 1]),
            None,
            None,
            "error: a certificate has 65537 bytes, and at most 65536 are taken",
        ),
        (
            good(),
            Some(vec![good(); 33]),
            None,
            "error: the chain has 33 certificates, and at most 32 are taken",
        ),
    ] {
        let answer = asked(cert, chain, not_after);
        assert!(answer.starts_with(expected), "{answer}");
    }
}

#[test]
fn an_authority_is_no_end() {
    let root = root(LONG);
    let reason = asked(
        pem(between(&root, LONG).as_ref()),
        Some(vec![pem(root.as_ref())]),
        None,
    );
    assert!(reason.starts_with("Certificate not trusted: "), "{reason}");
}

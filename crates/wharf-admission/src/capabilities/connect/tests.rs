use tempfile::TempDir;

use super::*;

fn nowhere() -> Surroundings {
    Surroundings {
        in_cluster: false,
        token: false,
        kubeconfig: None,
        home: None,
    }
}

fn at_home(kubeconfig: &str) -> (TempDir, Surroundings) {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".kube")).unwrap();
    std::fs::write(home.path().join(".kube/config"), kubeconfig).unwrap();
    let around = Surroundings {
        home: Some(home.path().to_owned()),
        ..nowhere()
    };
    (home, around)
}

fn kubeconfig(cluster: &str) -> String {
    format!(
        "{{clusters: [{{name: c, cluster: {{{cluster}}}}}], contexts: [{{name: x, context: {{cluster: c}}}}], current-context: x}}"
    )
}

fn found(config: &KubernetesConfig, around: &Surroundings) -> String {
    match find(config, around) {
        Ok(Found::Cluster(config)) => config.cluster_url.to_string(),
        Ok(Found::None(reason)) => reason.to_owned(),
        Err(error) => {
            let source = error.source().map(|source| format!(": {source}"));
            format!("error: {error}{}", source.unwrap_or_default())
        }
    }
}

#[test]
fn outside_of_a_cluster_and_without_a_kubeconfig_there_is_none() {
    let none = KubernetesConfig::default();
    assert_eq!(
        found(&none, &nowhere()),
        "kubernetes/*: the server runs outside of a cluster, and no kubeconfig is configured"
    );
    let no_token = Surroundings {
        in_cluster: true,
        ..nowhere()
    };
    assert_eq!(
        found(&none, &no_token),
        "kubernetes/*: the server's pod has no token of a service account, and no kubeconfig is configured"
    );
    let (_home, empty) = at_home("");
    assert_eq!(found(&none, &empty), found(&none, &nowhere()));
}

#[test]
fn the_configured_file_comes_before_the_users() {
    let (home, around) = at_home(&kubeconfig("server: 'https://a.example'"));
    assert_eq!(found(&KubernetesConfig::default(), &around), "https://a.example/");
    let path = home.path().join("other");
    std::fs::write(&path, kubeconfig("server: 'https://b.example'")).unwrap();
    let config = KubernetesConfig {
        kubeconfig: Some(path),
        ignore_connection_failure: false,
    };
    assert_eq!(found(&config, &around), "https://b.example/");
}

#[test]
fn a_file_that_leads_nowhere_is_an_error() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("kubeconfig");
    let config = KubernetesConfig {
        kubeconfig: Some(path.clone()),
        ignore_connection_failure: true,
    };
    let begins = format!("error: {} cannot be used to reach a cluster: ", path.display());
    assert!(found(&config, &nowhere()).starts_with(&begins));
    for text in [
        "",
        "{",
        "7",
        "current-context: x",
        "{contexts: [{name: x, context: {cluster: c}}], current-context: x}",
        &kubeconfig(""),
        &kubeconfig("server: 'not a url'"),
        &kubeconfig("server: 'https://a.example', certificate-authority-data: '!'"),
        "\0",
    ] {
        std::fs::write(&path, text).unwrap();
        let found = found(&config, &nowhere());
        assert!(found.starts_with(&begins), "{text:?}: {found}");
    }
}

#[test]
fn a_proxy_is_not_gone_around() {
    let (_home, around) = at_home(&kubeconfig(
        "server: 'https://a.example', proxy-url: 'http://p.example'",
    ));
    assert_eq!(
        found(&KubernetesConfig::default(), &around),
        "error: the cluster c is to be reached through a proxy, which is not possible: remove `proxy-url` from the kubeconfig"
    );
}

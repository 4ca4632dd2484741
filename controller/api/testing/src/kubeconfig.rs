//! Certificate, tokens and kubeconfig files of one control plane.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

/// The user in the group `system:masters`.
pub(crate) const ADMIN: &str = "admin";

/// Files that the API server is started with.
#[derive(Debug)]
pub(crate) struct Credentials {
    /// Self-signed, for 127.0.0.1; its own authority.
    pub(crate) certificate: PathBuf,
    /// Key of the certificate; the pair also signs and checks service-account tokens.
    pub(crate) key: PathBuf,
    /// Static token file.
    pub(crate) tokens: PathBuf,
    by_user: BTreeMap<String, String>,
}

impl Credentials {
    pub(crate) fn create(dir: &Path, users: &[(String, Vec<String>)]) -> Result<Self> {
        let names = ["127.0.0.1", "localhost"].map(str::to_owned);
        let issued = rcgen::generate_simple_self_signed(names)?;
        let this = Self {
            certificate: dir.join("apiserver.crt"),
            key: dir.join("apiserver.key"),
            tokens: dir.join("tokens.csv"),
            by_user: std::iter::once(ADMIN)
                .chain(users.iter().map(|(name, _)| name.as_str()))
                .enumerate()
                // Not a secret: the server listens on loopback and holds nothing.
                .map(|(index, name)| (name.to_owned(), format!("token-{index}")))
                .collect(),
        };
        fs::write(&this.certificate, issued.cert.pem())?;
        fs::write(&this.key, issued.signing_key.serialize_pem())?;

        let admin = format!("{},{ADMIN},{ADMIN},system:masters", this.by_user[ADMIN]);
        let others = users.iter().map(|(name, groups)| {
            format!(
                "{},{name},{name},\"{}\"",
                this.by_user[name],
                groups.join(",")
            )
        });
        let lines: Vec<String> = std::iter::once(admin).chain(others).collect();
        fs::write(&this.tokens, lines.join("\n") + "\n")?;
        Ok(this)
    }

    pub(crate) fn write_kubeconfig(&self, dir: &Path, url: &str, user: &str) -> Result<PathBuf> {
        let token = self
            .by_user
            .get(user)
            .with_context(|| format!("no user {user}: name it in Options::user"))?;
        let path = dir.join(format!("{}.kubeconfig", user.replace(':', "-")));
        let authority = self.certificate.display();
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: test\n\
             clusters: [{{name: test, cluster: {{server: \"{url}\", certificate-authority: \"{authority}\"}}}}]\n\
             users: [{{name: test, user: {{token: {token}}}}}]\n\
             contexts: [{{name: test, context: {{cluster: test, user: test}}}}]\n"
        );
        fs::write(&path, text)?;
        Ok(path)
    }
}

pub(crate) async fn client(kubeconfig: &Path) -> Result<Client> {
    let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    Ok(Client::try_from(config)?)
}

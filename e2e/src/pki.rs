//! The cluster's certificate authority, and kubeconfigs for whoever talks to the API server.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use serde_json::json;

/// A certificate authority that keeps its files in one folder.
pub(crate) struct Pki {
    dir: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl Pki {
    /// Makes the authority, the API server's certificate and the key that signs service accounts'
    /// tokens.
    pub(crate) fn create(dir: &Path, api_names: Vec<String>) -> Result<Self> {
        fs::create_dir_all(dir).with_context(|| format!("creating {}", dir.display()))?;
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        params
            .distinguished_name
            .push(DnType::CommonName, "signpost-e2e");
        fs::write(dir.join("ca.crt"), params.self_signed(&key)?.pem())?;
        let pki = Self {
            dir: dir.to_path_buf(),
            issuer: Issuer::new(params, key),
        };

        let mut server = CertificateParams::new(api_names)?;
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        pki.issue("apiserver", &server)?;
        let accounts = KeyPair::generate()?;
        fs::write(dir.join("service-accounts.key"), accounts.serialize_pem())?;
        fs::write(dir.join("service-accounts.pub"), accounts.public_key_pem())?;
        Ok(pki)
    }

    /// The folder of the authority's files, and of what else the control plane keeps.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The path of one of the authority's files, for command lines.
    pub(crate) fn path(&self, file: &str) -> String {
        self.dir.join(file).display().to_string()
    }

    /// A client certificate for `user` in `groups`, as `FILE.crt` and `FILE.key`.
    pub(crate) fn client(&self, file: &str, user: &str, groups: &[&str]) -> Result<()> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.distinguished_name.push(DnType::CommonName, user);
        for group in groups {
            params
                .distinguished_name
                .push(DnType::OrganizationName, *group);
        }
        self.issue(file, &params)
    }

    /// A kubeconfig `FILE.kubeconfig` with a client certificate of its own.
    pub(crate) fn kubeconfig(
        &self,
        file: &str,
        server: &str,
        user: &str,
        groups: &[&str],
    ) -> Result<PathBuf> {
        self.client(file, user, groups)?;
        let (certificate, key) = (format!("{file}.crt"), format!("{file}.key"));
        let identity = json!({
            "client-certificate": self.path(&certificate),
            "client-key": self.path(&key),
        });
        self.write_kubeconfig(file, server, &identity)
    }

    /// A kubeconfig `FILE.kubeconfig` with a token.
    pub(crate) fn token_kubeconfig(
        &self,
        file: &str,
        server: &str,
        token: &str,
    ) -> Result<PathBuf> {
        self.write_kubeconfig(file, server, &json!({"token": token}))
    }

    fn write_kubeconfig(
        &self,
        file: &str,
        server: &str,
        identity: &serde_json::Value,
    ) -> Result<PathBuf> {
        let cluster = json!({"server": server, "certificate-authority": self.path("ca.crt")});
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "e2e", "cluster": cluster}],
            "users": [{"name": file, "user": identity}],
            "contexts": [{"name": "e2e", "context": {"cluster": "e2e", "user": file}}],
            "current-context": "e2e",
        });
        let path = self.dir.join(format!("{file}.kubeconfig"));
        // Every JSON document is YAML.
        fs::write(&path, serde_json::to_vec_pretty(&config)?)
            .with_context(|| format!("writing {}", path.display()))?;
        Ok(path)
    }

    fn issue(&self, file: &str, params: &CertificateParams) -> Result<()> {
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        fs::write(self.dir.join(format!("{file}.crt")), certificate.pem())?;
        fs::write(self.dir.join(format!("{file}.key")), key.serialize_pem())?;
        Ok(())
    }
}

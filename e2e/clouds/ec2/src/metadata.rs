//! What the metadata service knows: who asks, and the credentials that it handed out.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::auth;
use crate::error::Refusal;

/// Whose metadata are served.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Identity {
    /// The instance on which the caller runs. Without one, only the region and a zone are served.
    pub instance: Option<String>,
    /// How long credentials are good for, in seconds of the machine's clock, which clients go by.
    pub credential_seconds: u64,
}

impl Default for Identity {
    fn default() -> Self {
        Self {
            instance: None,
            credential_seconds: 6 * 3600,
        }
    }
}

/// Temporary credentials of a role.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    pub(crate) access_key: String,
    pub(crate) secret: String,
    pub(crate) token: String,
    pub(crate) issued: Timestamp,
    pub(crate) expires: Timestamp,
}

#[derive(Debug)]
struct Issued {
    role: String,
    token: String,
    expires: Timestamp,
}

#[derive(Debug)]
pub(crate) struct Metadata {
    pub(crate) identity: Identity,
    random: fastrand::Rng,
    sessions: BTreeMap<String, Timestamp>,
    /// The keys that were handed out.
    issued: BTreeMap<String, Issued>,
    current: Option<Credentials>,
}

impl Metadata {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            identity: Identity::default(),
            random: fastrand::Rng::with_seed(seed),
            sessions: BTreeMap::new(),
            issued: BTreeMap::new(),
            current: None,
        }
    }

    pub(crate) fn set(&mut self, identity: Identity) {
        self.identity = identity;
        self.current = None;
    }

    fn text(&mut self, length: usize) -> String {
        (0..length).map(|_| self.random.alphanumeric()).collect()
    }

    /// Begins a session, whose token every request has to carry.
    pub(crate) fn session(&mut self, lifetime: Duration) -> String {
        let token = self.text(56);
        let end = Timestamp::now()
            .checked_add(lifetime)
            .unwrap_or(Timestamp::MAX);
        self.sessions.insert(token.clone(), end);
        token
    }

    pub(crate) fn is_session(&self, token: &str) -> bool {
        self.sessions
            .get(token)
            .is_some_and(|end| Timestamp::now() < *end)
    }

    /// The role's credentials: the same until half of their time is over.
    pub(crate) fn credentials(&mut self, role: &str) -> Credentials {
        let now = Timestamp::now();
        let lifetime = Duration::from_secs(self.identity.credential_seconds);
        let fresh = |credentials: &&Credentials| {
            credentials.expires.duration_since(now)
                > jiff::SignedDuration::try_from(lifetime / 2).unwrap_or_default()
        };
        if let Some(credentials) = self.current.as_ref().filter(fresh) {
            return credentials.clone();
        }
        let credentials = Credentials {
            access_key: format!("ASIA{}", self.text(16).to_uppercase()),
            secret: self.text(40),
            token: self.text(120),
            issued: now,
            expires: now.checked_add(lifetime).unwrap_or(Timestamp::MAX),
        };
        let issued = Issued {
            role: role.to_owned(),
            token: credentials.token.clone(),
            expires: credentials.expires,
        };
        self.issued.insert(credentials.access_key.clone(), issued);
        self.current = Some(credentials.clone());
        credentials
    }

    /// Refuses keys that were handed out here if their session token is missing, or their time is over.
    pub(crate) fn check(&self, access_key: &str, token: &str) -> Result<(), Refusal> {
        match self.issued.get(access_key) {
            Some(issued) if issued.token != token => Err(auth::unknown_credentials()),
            Some(issued) if Timestamp::now() >= issued.expires => Err(auth::expired()),
            _ => Ok(()),
        }
    }

    /// The role that a key was handed out for.
    pub(crate) fn role_of(&self, access_key: &str) -> Option<&str> {
        self.issued
            .get(access_key)
            .map(|issued| issued.role.as_str())
    }
}

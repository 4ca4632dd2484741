//! Who callers are: the instance whose metadata are served, and the tokens that it was given.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::Refusal;

/// Whose metadata are served.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Identity {
    /// The project.
    pub project: String,
    /// The zone; empty for a place that is no instance.
    pub zone: String,
    /// The instance's name.
    pub instance: String,
    /// The service account.
    pub email: String,
    /// The scopes of its tokens.
    pub scopes: Vec<String>,
    /// How long tokens are good for, in seconds of the machine's clock, which clients go by.
    pub token_seconds: u64,
}

impl Default for Identity {
    fn default() -> Self {
        Self {
            project: "example".to_owned(),
            zone: "europe-west3-a".to_owned(),
            instance: "control-plane".to_owned(),
            email: "signpost@example.iam.gserviceaccount.com".to_owned(),
            scopes: vec!["https://www.googleapis.com/auth/cloud-platform".to_owned()],
            token_seconds: 3600,
        }
    }
}

#[derive(Clone, Debug)]
struct Token {
    text: String,
    expires: Timestamp,
}

/// The identity, and the tokens that were handed out.
#[derive(Debug)]
pub(crate) struct Tokens {
    pub(crate) identity: Identity,
    random: fastrand::Rng,
    /// The service accounts of tokens, and until when each is good.
    issued: BTreeMap<String, (String, Timestamp)>,
    current: Option<Token>,
}

impl Tokens {
    pub(crate) fn new(projects: &[String], seed: u64) -> Self {
        let mut identity = Identity::default();
        if let Some(project) = projects.first() {
            identity.email = format!("signpost@{project}.iam.gserviceaccount.com");
            identity.project.clone_from(project);
        }
        Self {
            identity,
            random: fastrand::Rng::with_seed(seed),
            issued: BTreeMap::new(),
            current: None,
        }
    }

    pub(crate) fn set(&mut self, identity: Identity) {
        self.identity = identity;
        self.current = None;
    }

    /// A token of the service account, and for how many seconds it is good: the same until a fifth of
    /// its time is left.
    pub(crate) fn token(&mut self) -> (String, u64) {
        let now = Timestamp::now();
        let lifetime = self.identity.token_seconds;
        let left = |token: &Token| {
            let left = token.expires.duration_since(now).as_secs();
            u64::try_from(left).unwrap_or(0)
        };
        if let Some(token) = self.current.as_ref()
            && left(token) > lifetime / 5
        {
            return (token.text.clone(), left(token));
        }
        let letters: String = (0..60).map(|_| self.random.alphanumeric()).collect();
        let token = Token {
            text: format!("ya29.{letters}"),
            expires: now
                .checked_add(Duration::from_secs(lifetime))
                .unwrap_or(Timestamp::MAX),
        };
        let account = (self.identity.email.clone(), token.expires);
        self.issued.insert(token.text.clone(), account);
        let text = token.text.clone();
        self.current = Some(token);
        (text, lifetime)
    }

    /// The account of a token: that of the service account, or the token itself where it is none of ours.
    pub(crate) fn account(&self, token: &str) -> String {
        match self.issued.get(token) {
            Some((email, _)) => email.clone(),
            None if token.is_empty() => "anonymous@example.org".to_owned(),
            None => token.to_owned(),
        }
    }

    /// Refuses tokens whose time is over.
    pub(crate) fn check(&self, token: &str) -> Result<(), Refusal> {
        match self.issued.get(token) {
            Some((_, expires)) if Timestamp::now() >= *expires => Err(Refusal::unauthenticated()),
            _ => Ok(()),
        }
    }
}

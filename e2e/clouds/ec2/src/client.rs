//! A small client of the Query protocol, for tests and scenes that want no SDK.

use std::fmt;
use std::time::Duration;

use hyper::{Method, Request, StatusCode};
use quick_xml::Reader;
use quick_xml::events::Event;
use signpost_emulator::send;

use crate::auth;
use crate::error::Refusal;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// Calls actions of one endpoint, each once: it retries nothing.
#[derive(Clone, Debug)]
pub struct Client {
    authority: String,
    region: String,
    access_key: String,
    session_token: Option<String>,
}

/// Why a call has no answer that says success.
#[derive(Debug)]
pub enum CallError {
    /// The service refused.
    Refused(Refusal),
    /// There was no answer, or none that could be understood.
    NoAnswer(String),
}

impl CallError {
    /// EC2's error code, or nothing if there was no answer.
    pub fn code(&self) -> &str {
        match self {
            Self::Refused(refusal) => &refusal.code,
            Self::NoAnswer(_) => "",
        }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(Refusal {
                status,
                code,
                message,
            }) => {
                write!(f, "{} {code}: {message}", status.as_u16())
            }
            Self::NoAnswer(why) => write!(f, "no answer: {why}"),
        }
    }
}

impl std::error::Error for CallError {}

#[expect(clippy::needless_pass_by_value, reason = "map_err hands errors over")]
fn no_answer(error: impl ToString) -> CallError {
    CallError::NoAnswer(error.to_string())
}

impl Client {
    /// A client of the endpoint `url`, such as `http://127.0.0.1:4000`, and its region.
    pub fn new(url: &str, region: &str) -> Self {
        let authority = url.trim_start_matches("http://").trim_end_matches('/');
        Self {
            authority: authority.to_owned(),
            region: region.to_owned(),
            access_key: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            session_token: None,
        }
    }

    /// The same client with another access key.
    #[must_use]
    pub fn with_access_key(self, access_key: &str) -> Self {
        Self {
            access_key: access_key.to_owned(),
            ..self
        }
    }

    /// The same client with the session token of temporary credentials.
    #[must_use]
    pub fn with_session_token(self, token: &str) -> Self {
        Self {
            session_token: Some(token.to_owned()),
            ..self
        }
    }

    /// Calls an action with parameters of the Query protocol, such as `("Filter.1.Name", "vpc-id")`.
    ///
    /// # Errors
    ///
    /// If the service refuses, or there is no answer within a minute.
    pub async fn call(&self, action: &str, params: &[(&str, &str)]) -> Result<Answer, CallError> {
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("Action", action)
            .append_pair("Version", "2016-11-15")
            .extend_pairs(params)
            .finish();
        let date = jiff::Timestamp::now()
            .strftime("%Y%m%dT%H%M%SZ")
            .to_string();
        let authorization = auth::unsigned_header(&self.access_key, &self.region, &date);
        let mut request = Request::builder()
            .method(Method::POST)
            .uri("/")
            .header("host", &self.authority)
            .header(
                "content-type",
                "application/x-www-form-urlencoded; charset=utf-8",
            )
            .header("x-amz-date", date)
            .header("authorization", authorization);
        if let Some(token) = &self.session_token {
            request = request.header("x-amz-security-token", token);
        }
        let request = request.body(body).map_err(no_answer)?;
        let reply = send(&self.authority, request, PATIENCE)
            .await
            .map_err(no_answer)?;
        read(reply.status, &reply.body)
    }
}

fn read(status: StatusCode, body: &[u8]) -> Result<Answer, CallError> {
    let root = parse(body).map_err(no_answer)?;
    let answer = Answer(root);
    if status.is_success() {
        return Ok(answer);
    }
    let (code, message) = (answer.text("Code"), answer.text("Message"));
    Err(CallError::Refused(Refusal {
        status,
        code,
        message,
    }))
}

/// An answer's XML.
#[derive(Clone, Debug)]
pub struct Answer(Element);

#[derive(Clone, Debug, Default)]
struct Element {
    name: String,
    text: String,
    children: Vec<Element>,
}

impl Element {
    fn find(&self, name: &str) -> Option<&Element> {
        self.children.iter().find_map(|child| {
            if child.name == name {
                Some(child)
            } else {
                child.find(name)
            }
        })
    }

    fn collect<'a>(&'a self, name: &str, found: &mut Vec<&'a Element>) {
        for child in &self.children {
            if child.name == name {
                found.push(child);
            }
            child.collect(name, found);
        }
    }
}

impl Answer {
    /// The text of the first element of that name, wherever it is; empty if there is none.
    pub fn text(&self, name: &str) -> String {
        self.0
            .find(name)
            .map_or_else(String::new, |element| element.text.clone())
    }

    /// The texts of all elements of that name, in the order of the answer.
    pub fn texts(&self, name: &str) -> Vec<String> {
        let mut found = Vec::new();
        self.0.collect(name, &mut found);
        found
            .into_iter()
            .map(|element| element.text.clone())
            .collect()
    }

    /// The members of all lists of that name.
    pub fn items(&self, list: &str) -> Vec<Answer> {
        let mut found = Vec::new();
        self.0.collect(list, &mut found);
        found
            .into_iter()
            .flat_map(|list| list.children.clone())
            .map(Answer)
            .collect()
    }
}

fn parse(body: &[u8]) -> Result<Element, quick_xml::Error> {
    let mut reader = Reader::from_reader(body);
    let mut open = vec![Element::default()];
    loop {
        let event = reader.read_event()?;
        let Some(top) = open.last_mut() else { break };
        match event {
            Event::Start(start) => {
                let name = String::from_utf8_lossy(start.name().as_ref()).into_owned();
                open.push(Element {
                    name,
                    ..Element::default()
                });
            }
            Event::Text(text) => top.text.push_str(&text.decode()?),
            Event::GeneralRef(name) => {
                let name = name.decode()?;
                top.text
                    .push_str(quick_xml::escape::resolve_predefined_entity(&name).unwrap_or("?"));
            }
            Event::End(_) => {
                if let (Some(done), true) = (open.pop(), !open.is_empty())
                    && let Some(parent) = open.last_mut()
                {
                    parent.children.push(done);
                }
            }
            Event::Eof => break,
            _ => {}
        }
    }
    Ok(open.into_iter().next().unwrap_or_default())
}

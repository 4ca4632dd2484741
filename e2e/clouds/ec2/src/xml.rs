//! Answers of the Query protocol.

use quick_xml::escape::escape;

/// The members of a structure, in the order in which they are added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields(Vec<(String, Content)>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Content {
    Text(String),
    Below(Fields),
}

impl Fields {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A member with a text.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "temporaries and references alike"
    )]
    pub(crate) fn text(mut self, name: &str, value: impl ToString) -> Self {
        self.0
            .push((name.to_owned(), Content::Text(value.to_string())));
        self
    }

    /// A member that is left out if it has no value.
    pub(crate) fn maybe(self, name: &str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.text(name, value),
            None => self,
        }
    }

    /// A member that is a structure itself.
    pub(crate) fn below(mut self, name: &str, fields: Fields) -> Self {
        self.0.push((name.to_owned(), Content::Below(fields)));
        self
    }

    /// A member that is a structure itself and can be absent.
    pub(crate) fn maybe_below(self, name: &str, fields: Option<Fields>) -> Self {
        match fields {
            Some(fields) => self.below(name, fields),
            None => self,
        }
    }

    /// A list of structures, each in an element `item`.
    pub(crate) fn list(self, name: &str, items: impl IntoIterator<Item = Fields>) -> Self {
        let items = items
            .into_iter()
            .map(|item| ("item".to_owned(), Content::Below(item)));
        self.below(name, Fields(items.collect()))
    }

    /// A list of texts, each in an element `item`.
    pub(crate) fn texts<T: ToString>(self, name: &str, items: impl IntoIterator<Item = T>) -> Self {
        let items = items
            .into_iter()
            .map(|item| ("item".to_owned(), Content::Text(item.to_string())));
        self.below(name, Fields(items.collect()))
    }

    fn write(&self, out: &mut String) {
        for (name, content) in &self.0 {
            out.push('<');
            out.push_str(name);
            out.push('>');
            match content {
                Content::Text(text) => out.push_str(&escape(text.as_str())),
                Content::Below(fields) => fields.write(out),
            }
            out.push_str("</");
            out.push_str(name);
            out.push('>');
        }
    }
}

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// The whole answer of an action that succeeded.
pub(crate) fn answer(action: &str, request: &str, fields: &Fields) -> String {
    let mut out = format!(
        "{DECLARATION}<{action}Response xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>{request}</requestId>"
    );
    fields.write(&mut out);
    out.push_str("</");
    out.push_str(action);
    out.push_str("Response>");
    out
}

/// The whole answer of an action that was refused.
pub(crate) fn refusal(request: &str, code: &str, message: &str) -> String {
    let mut out = DECLARATION.to_owned();
    let error = Fields::new().text("Code", code).text("Message", message);
    let errors = Fields::new().below("Error", error);
    let response = Fields::new()
        .below("Errors", errors)
        .text("RequestID", request);
    Fields::new().below("Response", response).write(&mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped() {
        let fields = Fields::new().list("tagSet", [Fields::new().text("key", "a<b&c")]);
        let answer = answer("DescribeTags", "1", &fields);
        assert!(
            answer.contains("<tagSet><item><key>a&lt;b&amp;c</key></item></tagSet>"),
            "{answer}"
        );
    }
}

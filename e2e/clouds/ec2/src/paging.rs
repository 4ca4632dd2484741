//! Pages of describing actions.

use std::ops::RangeInclusive;

use crate::error::Refusal;
use crate::protocol::Params;

/// Which part of a listing is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    max: Option<usize>,
    /// The last key of the page before.
    after: Option<String>,
    /// Binds tokens to the rest of the request.
    request: u64,
    /// Pages are at most half as long as they may be, and the first is empty.
    pub(crate) short: bool,
}

impl Page {
    /// Reads `MaxResults` and `NextToken`; `request` is a fingerprint of what else was asked for.
    pub(crate) fn read(
        params: &mut Params,
        sizes: RangeInclusive<usize>,
        request: u64,
    ) -> Result<Self, Refusal> {
        let max: Option<usize> = params.parsed("MaxResults")?;
        if let Some(max) = max {
            let (least, most) = (*sizes.start(), *sizes.end());
            if max < least {
                let why = format!("Expecting a value greater than {least}.");
                return Err(Refusal::value("MaxResults", &max.to_string(), &why));
            }
            if max > most {
                let why = format!("Expecting a value less than {most}.");
                return Err(Refusal::value("MaxResults", &max.to_string(), &why));
            }
        }
        let after = params
            .text("NextToken")
            .filter(|token| !token.is_empty())
            .map(|token| {
                let parts = token
                    .strip_prefix("next:")
                    .and_then(|rest| rest.split_once(':'));
                match parts {
                    Some((of, key)) if of == format!("{request:016x}") => Ok(key.to_owned()),
                    _ => Err(Refusal::client(
                        "InvalidNextToken",
                        format!("The token '{token}' does not belong to this request"),
                    )),
                }
            })
            .transpose()?;
        Ok(Self {
            max,
            after,
            request,
            short: false,
        })
    }

    /// Whether the request asks for everything at once.
    pub(crate) fn is_whole(&self) -> bool {
        self.max.is_none() && self.after.is_none()
    }

    /// Cuts the page out of records ordered by key; the token leads to what comes after.
    pub(crate) fn cut<T>(
        &self,
        all: impl Iterator<Item = (String, T)>,
    ) -> (Vec<(String, T)>, Option<String>) {
        if self.short && self.max.is_some() && self.after.is_none() {
            return (Vec::new(), Some(format!("next:{:016x}:", self.request)));
        }
        let most = match self.max {
            Some(max) if self.short => max / 2,
            Some(max) => max,
            None => usize::MAX,
        };
        let mut rest = all.filter(|(key, _)| self.after.as_ref().is_none_or(|after| key > after));
        let page: Vec<_> = rest.by_ref().take(most).collect();
        let more = rest.next().is_some();
        let token = page
            .last()
            .filter(|_| more)
            .map(|(key, _)| format!("next:{:016x}:{key}", self.request));
        (page, token)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn page(max: Option<&str>, token: Option<String>) -> Result<Page, Refusal> {
        let mut values = BTreeMap::new();
        values.extend(max.map(|max| ("MaxResults".to_owned(), max.to_owned())));
        values.extend(token.map(|token| ("NextToken".to_owned(), token)));
        Page::read(&mut Params::new(values), 5..=100, 7)
    }

    #[test]
    fn pages_hold_everything_once() {
        let all = || (0..12).map(|number| (format!("{number:02}"), number));
        let mut got = Vec::new();
        let mut token = None;
        let mut sizes = Vec::new();
        loop {
            let (part, next) = page(Some("5"), token).unwrap().cut(all());
            sizes.push(part.len());
            got.extend(part.into_iter().map(|(_, number)| number));
            token = next;
            if token.is_none() {
                break;
            }
        }
        assert_eq!(sizes, [5, 5, 2]);
        assert_eq!(got, (0..12).collect::<Vec<_>>());
    }

    #[test]
    fn sizes_and_tokens_of_others_are_refused() {
        assert_eq!(
            page(Some("4"), None).unwrap_err().code,
            "InvalidParameterValue"
        );
        assert_eq!(
            page(Some("101"), None).unwrap_err().code,
            "InvalidParameterValue"
        );
        let foreign = Some("next:0000000000000008:a".to_owned());
        assert_eq!(page(None, foreign).unwrap_err().code, "InvalidNextToken");
    }
}

//! Rules as text, for command lines.
//!
//! ```text
//! RULE      = OPERATION [":" WHEN] ":" FAULT
//! OPERATION = "any" | create-order | confirm-payment | … (the operations' names)
//! WHEN      = "always"        every message (so unless said otherwise)
//!           | K               the next K messages
//!           | "nth=" N        the N-th message from now on, no other
//!           | "p=" P          each message with probability P (0 to 1)
//! FAULT     = refuse | hang | close-before | close-during | close-after
//!           | lose-answer | process-and-hang | garbage | wrong-id | tls-failure
//!           | slow-headers=TIME | slow-body=TIME | process-late=TIME     (TIME: 250ms, 5s, 2m)
//!           | process-twice[=first|second]                               (whose answer goes out)
//!           | status=CODE[,CONTENT-TYPE[,BODY]]
//!           | status=CODE["|" NAME: VALUE]...["||" BODY]                 (as on the wire: "|" ends a line)
//!           | error=ERROR_TYPE[,CODE]                                    (an ErrorDetail; 400 unless said otherwise)
//!           | huge-body=BYTES
//! ```

use std::{str::FromStr, time::Duration};

use http::{HeaderName, HeaderValue};

use crate::model::{Operation, ParseOperationError};

use super::{
    faults::{CannedAnswer, Copy, Fault},
    script::{Rule, RuleDraft},
};

/// The text is no rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// There is no colon between an operation and a fault.
    #[error("{0:?} is no rule: it takes OPERATION[:WHEN]:FAULT")]
    Shape(String),
    /// The operation is unknown, and not `any`.
    #[error(transparent)]
    Operation(#[from] ParseOperationError),
    /// The part that says which messages is wrong.
    #[error(
        "{0:?} does not say which messages: it takes always, a number K (the next K), nth=N, or p=P (0 to 1)"
    )]
    When(String),
    /// There is no such fault, or it takes no value.
    #[error("{0:?} is no fault, or does not take that value (or takes one that is missing)")]
    Fault(String),
    /// A time is wrong.
    #[error("{0:?} is no time: it takes a whole number and ms, s or m, such as 250ms")]
    Time(String),
    /// A status code is wrong.
    #[error("{0:?} is no status of an answer: it takes 200 to 999")]
    Status(String),
    /// A header is wrong.
    #[error("{0:?} is no header: it takes NAME: VALUE, such as Retry-After: 7")]
    Header(String),
}

impl FromStr for Rule {
    type Err = RuleError;

    /// Reads `OPERATION[:WHEN]:FAULT`, such as `create-order:1:lose-answer` or `any:p=0.1:status=500`.
    ///
    /// `OPERATION` is an operation's name or `any`. `WHEN` is `always`, a number K (the next K messages), `nth=N` or
    /// `p=P`. `FAULT` is one of `refuse`, `hang`, `close-before`, `close-during`, `close-after`, `lose-answer`,
    /// `process-and-hang`, `garbage`, `wrong-id`, `tls-failure`, `slow-headers=TIME`, `slow-body=TIME`,
    /// `process-late=TIME`, `process-twice[=first|second]`, `status=CODE[,CONTENT-TYPE[,BODY]]`,
    /// `status=CODE[|NAME: VALUE]...[||BODY]`, `error=ERROR_TYPE[,CODE]`, `huge-body=BYTES`, where `TIME` is like
    /// `250ms`, `5s` or `2m`.
    ///
    /// With `|` a status is followed by headers, as on the wire: each `|` ends a line, and an empty line comes before
    /// the body. `any:status=503|Retry-After: 7|Content-Type: text/html||<h1>Busy</h1>` has two headers and a body.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (operation, rest) = text
            .split_once(':')
            .ok_or_else(|| RuleError::Shape(text.to_owned()))?;
        let draft = match operation {
            "any" => Rule::any(),
            name => Rule::on(name.parse::<Operation>()?),
        };
        let (when, fault) = split_when(rest);
        let draft = match when {
            Some(when) => apply(draft, when)?,
            None => draft,
        };
        Ok(draft.fault(self::fault(fault)?))
    }
}

/// A colon in the value of a fault (a body has many) parts nothing: WHEN never comes after a fault's name.
fn split_when(rest: &str) -> (Option<&str>, &str) {
    match rest.split_once(':') {
        Some((when, fault)) if !starts_with_a_fault(when) => (Some(when), fault),
        _ => (None, rest),
    }
}

fn starts_with_a_fault(text: &str) -> bool {
    let name = text.split_once('=').map_or(text, |(name, _)| name);
    matches!(name, "status" | "error")
}

fn apply(draft: RuleDraft, when: &str) -> Result<RuleDraft, RuleError> {
    let wrong = || RuleError::When(when.to_owned());
    let count = |text: &str| {
        text.parse()
            .ok()
            .filter(|count| *count > 0)
            .ok_or_else(wrong)
    };
    if when == "always" {
        return Ok(draft.always());
    }
    match when.split_once('=') {
        None => Ok(draft.next(count(when)?)),
        Some(("nth", n)) => Ok(draft.nth(count(n)?)),
        Some(("p", p)) => {
            let p = p.parse().ok().filter(|p| (0.0..=1.0).contains(p));
            Ok(draft.probability(p.ok_or_else(wrong)?))
        }
        Some(_) => Err(wrong()),
    }
}

fn fault(text: &str) -> Result<Fault, RuleError> {
    match text.split_once('=') {
        None => plain(text),
        Some((name, value)) => with_value(name, value),
    }
    .unwrap_or_else(|| Err(RuleError::Fault(text.to_owned())))
}

type Read = Option<Result<Fault, RuleError>>;

fn plain(name: &str) -> Read {
    Some(Ok(match name {
        "refuse" => Fault::Refuse,
        "hang" => Fault::Hang,
        "close-before" => Fault::CloseBefore,
        "close-during" => Fault::CloseDuring,
        "close-after" => Fault::CloseAfter,
        "lose-answer" => Fault::LoseAnswer,
        "process-and-hang" => Fault::ProcessAndHang,
        "process-twice" => Fault::ProcessTwice(Copy::First),
        "garbage" => Fault::Garbage,
        "wrong-id" => Fault::WrongId,
        "tls-failure" => Fault::TlsFailure,
        _ => return None,
    }))
}

fn with_value(name: &str, value: &str) -> Read {
    Some(match (name, value) {
        ("slow-headers", _) => time(value).map(Fault::SlowHeaders),
        ("slow-body", _) => time(value).map(Fault::SlowBody),
        ("process-late", _) => time(value).map(Fault::ProcessLate),
        ("process-twice", "first") => Ok(Fault::ProcessTwice(Copy::First)),
        ("process-twice", "second") => Ok(Fault::ProcessTwice(Copy::Second)),
        ("status", _) => canned(value).map(Fault::Answer),
        ("error", _) => error(value),
        ("huge-body", _) => Ok(Fault::HugeBody(value.parse().ok()?)),
        _ => return None,
    })
}

fn time(text: &str) -> Result<Duration, RuleError> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: Option<u64> = digits.parse().ok();
    let milliseconds = number.and_then(|number| match &text[digits.len()..] {
        "ms" => Some(number),
        "s" => number.checked_mul(1_000),
        "m" => number.checked_mul(60_000),
        _ => None,
    });
    milliseconds
        .map(Duration::from_millis)
        .ok_or_else(|| RuleError::Time(text.to_owned()))
}

/// What comes first after the status tells which of its two forms this is.
fn canned(text: &str) -> Result<CannedAnswer, RuleError> {
    let (code, rest) = text.split_at(text.find([',', '|']).unwrap_or(text.len()));
    let answer = CannedAnswer::status(status(code)?);
    if rest.starts_with('|') {
        return with_headers(answer, rest);
    }
    let Some(content) = rest.strip_prefix(',') else {
        return Ok(answer);
    };
    let (content_type, body) = content.split_once(',').unwrap_or((content, ""));
    Ok(answer.body(content_type, body.to_owned()))
}

/// Reads `|NAME: VALUE|NAME: VALUE||BODY`. Nothing is said of a content type unless a header does.
fn with_headers(mut answer: CannedAnswer, text: &str) -> Result<CannedAnswer, RuleError> {
    let (head, body) = text.split_once("||").unwrap_or((text, ""));
    answer.body = body.to_owned().into();
    for line in head.split('|').skip(1) {
        let (name, value) = header(line).ok_or_else(|| RuleError::Header(line.to_owned()))?;
        answer = answer.header(name, value);
    }
    Ok(answer)
}

fn header(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':')?;
    let (name, value) = (name.trim(), value.trim());
    let is_header = HeaderName::try_from(name).is_ok() && HeaderValue::from_str(value).is_ok();
    is_header.then_some((name, value))
}

fn error(text: &str) -> Result<Fault, RuleError> {
    let (error_type, code) = text.split_once(',').unwrap_or((text, "400"));
    Ok(Fault::Error {
        status: status(code)?,
        error_type: error_type.to_owned(),
    })
}

/// What comes below 200 is no final answer, and HTTP would wait for another one.
fn status(text: &str) -> Result<u16, RuleError> {
    let code = text.parse().ok().filter(|code| (200..1000).contains(code));
    code.ok_or_else(|| RuleError::Status(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Rule, RuleError> {
        text.parse()
    }

    #[test]
    fn rules_are_read_as_they_are_built() {
        for (text, rule) in [
            (
                "create-order:1:lose-answer",
                Rule::on(Operation::CreateOrder)
                    .next(1)
                    .fault(Fault::LoseAnswer),
            ),
            (
                "any:p=0.1:status=500",
                Rule::any().probability(0.1).fault(Fault::status(500)),
            ),
            ("any:hang", Rule::any().fault(Fault::Hang)),
            (
                "any:always:huge-body=9",
                Rule::any().fault(Fault::HugeBody(9)),
            ),
            (
                "redeem-order:nth=3:slow-body=2m",
                Rule::on(Operation::RedeemOrder)
                    .nth(3)
                    .fault(Fault::SlowBody(Duration::from_secs(120))),
            ),
            (
                "any:status=502,text/html,<a href=\"x:y\">,</a>",
                Rule::any()
                    .fault(CannedAnswer::status(502).body("text/html", "<a href=\"x:y\">,</a>")),
            ),
            (
                "any:2:status=503|Retry-After: Sun, 06 Nov 1994 08:49:37 GMT",
                Rule::any().next(2).fault(
                    CannedAnswer::status(503)
                        .header("Retry-After", "Sun, 06 Nov 1994 08:49:37 GMT"),
                ),
            ),
            (
                "any:status=200|X-A:1|content-type: text/plain||a|b||c",
                Rule::any().fault(
                    CannedAnswer::status(200)
                        .header("X-A", "1")
                        .body("text/plain", "a|b||c"),
                ),
            ),
            (
                "any:status=500||no type",
                Rule::any().fault(CannedAnswer {
                    body: "no type".into(),
                    ..CannedAnswer::status(500)
                }),
            ),
            (
                "any:2:error=SYSTEM_ERROR",
                Rule::any().next(2).fault(Fault::error("SYSTEM_ERROR")),
            ),
        ] {
            assert_eq!(parsed(text), Ok(rule), "{text}");
        }
    }

    #[test]
    fn what_is_no_rule_says_which_part_is_wrong() {
        let text = |text: &str| text.to_owned();
        assert_eq!(parsed("hang"), Err(RuleError::Shape(text("hang"))));
        assert!(matches!(parsed("sell:hang"), Err(RuleError::Operation(_))));
        assert_eq!(parsed("any:0:hang"), Err(RuleError::When(text("0"))));
        assert_eq!(parsed("any:p=2:hang"), Err(RuleError::When(text("p=2"))));
        assert_eq!(
            parsed("any:explode"),
            Err(RuleError::Fault(text("explode")))
        );
        assert_eq!(
            parsed("any:hang=3s"),
            Err(RuleError::Fault(text("hang=3s")))
        );
        assert_eq!(parsed("any:slow-body=3"), Err(RuleError::Time(text("3"))));
        assert_eq!(
            parsed("any:status=100"),
            Err(RuleError::Status(text("100")))
        );
        for line in ["Retry-After", "Retry After: 7", ": 7", "X: a\nb", ""] {
            assert_eq!(
                parsed(&format!("any:status=503|X-A: 1|{line}")),
                Err(RuleError::Header(text(line)))
            );
        }
    }
}

//! What the simulator answers: a status, headers and a body, and the error details of the interface.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use serde_json::{Map, Value, json};

/// An answer that the rules decided on; whether and how it reaches the client is the fault's business.
#[derive(Clone, Debug, Default)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(HeaderName, String)>,
    pub(super) body: Bytes,
    pub(super) error_type: Option<String>,
    /// Whether a HEAD is answered: the body is spoken of and not sent.
    pub(super) head_only: bool,
}

impl Answer {
    /// Compact JSON without nulls.
    pub(super) fn json(status: u16, body: Value) -> Self {
        let body = without_nulls(body).to_string();
        Answer::of(status, "application/json", body)
    }

    /// A status alone.
    pub(super) fn empty(status: u16) -> Self {
        Answer {
            status,
            ..Answer::default()
        }
    }

    /// A page as servers make them: for whatever is no business of the interface.
    pub(super) fn html(status: u16) -> Self {
        let status_line = StatusCode::from_u16(status).unwrap_or_default();
        let page = format!(
            "<!DOCTYPE html><html><head><title>{status_line}</title></head><body><h1>{status_line}</h1></body></html>"
        );
        Answer::of(status, "text/html;charset=utf-8", page)
    }

    /// The page of a server that broke: it closes the connection too.
    pub(super) fn internal_fault() -> Self {
        Answer::html(500).with(header::CONNECTION, "close")
    }

    /// The answer to a body that is no JSON, or not of the message's shape.
    pub(super) fn unparsable(reason: &str) -> Self {
        Answer::of(400, "text/plain", reason.to_owned())
    }

    pub(super) fn of(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        let answer = Answer {
            status,
            body: body.into(),
            ..Answer::default()
        };
        answer.with(header::CONTENT_TYPE, content_type)
    }

    pub(super) fn with(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The body as JSON; null where it is none.
    pub(super) fn body_json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The same answer with another JSON body.
    pub(super) fn with_json(mut self, body: &Value) -> Self {
        self.body = body.to_string().into();
        self
    }

    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Head and body as they stand on the wire, for connections that are taken over. HTTP itself knows of HEAD.
    pub(super) fn to_wire(&self) -> (Vec<u8>, Bytes) {
        let status = StatusCode::from_u16(self.status).unwrap_or_default();
        let mut head = format!("HTTP/1.1 {status}\r\n");
        // A 204 has no body, and must not speak of the length of one.
        if status != StatusCode::NO_CONTENT {
            head.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let body = match self.head_only {
            true => Bytes::new(),
            false => self.body.clone(),
        };
        (head.into_bytes(), body)
    }
}

impl From<Answer> for Response<Full<Bytes>> {
    fn from(answer: Answer) -> Self {
        let mut response = Response::new(Full::new(answer.body));
        *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or_default();
        for (name, value) in answer.headers {
            // A value that is no header (a scripted one with a line break) is left out: the rest still goes out.
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().append(name, value);
            }
        }
        response
    }
}

/// A business error on its way to becoming an ErrorDetail.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    error_type: &'static str,
    message: &'static str,
    detail: Option<Value>,
}

impl Problem {
    pub(super) const fn new(error_type: &'static str, message: &'static str) -> Self {
        Problem {
            error_type,
            message,
            detail: None,
        }
    }

    /// FORMAT_ERROR with the list of what is wrong.
    pub(super) fn format(wrong: Vec<String>) -> Self {
        Problem {
            error_type: "FORMAT_ERROR",
            message: "The message does not have the required format",
            detail: Some(json!(wrong)),
        }
    }

    /// FORMAT_ERROR for one missing field.
    pub(super) fn missing(field: &str) -> Self {
        Problem::format(vec![format!("{field} may not be null")])
    }

    /// FORMAT_ERROR for all the fields that are missing, if any is.
    pub(super) fn if_missing(fields: &[&str]) -> Result<(), Self> {
        if fields.is_empty() {
            return Ok(());
        }
        let wrong = fields
            .iter()
            .map(|field| format!("{field} may not be null"));
        Err(Problem::format(wrong.collect()))
    }

    /// The answer: every business error is a 400.
    pub(super) fn answer(self, id: &str, original_id: Option<&str>) -> Answer {
        error_detail(
            400,
            self.error_type,
            self.message,
            id,
            original_id,
            self.detail,
        )
    }

    pub(super) fn is_format_error(&self) -> bool {
        self.error_type == "FORMAT_ERROR"
    }
}

/// An answer with an ErrorDetail, whatever its status.
pub(super) fn error_detail(
    status: u16,
    error_type: &str,
    message: &str,
    id: &str,
    original_id: Option<&str>,
    detail: Option<Value>,
) -> Answer {
    let message: String = message.chars().take(80).collect();
    let body = json!({
        "errorType": error_type,
        "errorMessage": message,
        "id": id,
        "originalId": original_id,
        "detailMessage": detail,
        "providerErrorCode": error_type,
        "providerErrorMessage": message,
    });
    let mut answer = Answer::json(status, body);
    answer.error_type = Some(error_type.to_owned());
    answer
}

/// The same value without members that are null, at any depth.
pub(super) fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.into_iter().filter(|(_, member)| !member.is_null());
            Value::Object(
                kept.map(|(name, member)| (name, without_nulls(member)))
                    .collect::<Map<_, _>>(),
            )
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls).collect()),
        other => other,
    }
}

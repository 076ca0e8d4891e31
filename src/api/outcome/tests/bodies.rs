//! What may come as the body of an answer.

use super::*;

/// The answer that the interface documents, with a decoration.
pub(super) fn good(message: Message) -> String {
    let head = match message {
        Request | Advice => format!(r#""id":"{ID}","#),
        Query => String::new(),
    };
    let amount = match message {
        Request | Query => r#""amount":{"amount":79995,"currency":"710"},"#,
        Advice => "",
    };
    format!(r#"{{{head}{amount}"decoration":"{SECRET}"}}"#)
}

pub(super) fn good_bytes(message: Message) -> Vec<u8> {
    good(message).into_bytes()
}

pub(super) fn empty(_: Message) -> Vec<u8> {
    Vec::new()
}

pub(super) fn blank(_: Message) -> Vec<u8> {
    b" \r\n\t".to_vec()
}

pub(super) fn text(_: Message) -> Vec<u8> {
    format!("OK {SECRET}").into_bytes()
}

pub(super) fn html(_: Message) -> Vec<u8> {
    format!("<html><body>{SECRET}</body></html>").into_bytes()
}

pub(super) fn truncated(message: Message) -> Vec<u8> {
    let mut body = good_bytes(message);
    body.truncate(body.len() - 3);
    body
}

pub(super) fn trailing(message: Message) -> Vec<u8> {
    format!("{}{}", good(message), good(message)).into_bytes()
}

pub(super) fn latin_1(message: Message) -> Vec<u8> {
    let body = good(message).into_bytes();
    let cut = body
        .windows(6)
        .position(|window| window == SECRET.as_bytes());
    let (head, tail) = body.split_at(cut.unwrap());
    [head, b"Andr\xe9 ", tail].concat()
}

pub(super) fn byte_order_mark(message: Message) -> Vec<u8> {
    format!("\u{feff}{}", good(message)).into_bytes()
}

pub(super) fn utf_16(message: Message) -> Vec<u8> {
    let units = good(message).encode_utf16().collect::<Vec<_>>();
    units.into_iter().flat_map(u16::to_le_bytes).collect()
}

pub(super) fn another_id(message: Message) -> Vec<u8> {
    good(message).replace(ID, OTHER_ID).into_bytes()
}

pub(super) fn upper_case_id(message: Message) -> Vec<u8> {
    good(message).replace(ID, &ID.to_uppercase()).into_bytes()
}

pub(super) fn no_id(message: Message) -> Vec<u8> {
    let id = format!(r#""id":"{ID}","#);
    good(message).replace(&id, "").into_bytes()
}

pub(super) fn null_id(message: Message) -> Vec<u8> {
    let id = format!(r#""{ID}""#);
    good(message).replace(&id, "null").into_bytes()
}

pub(super) fn number_id(message: Message) -> Vec<u8> {
    let id = format!(r#""{ID}""#);
    good(message).replace(&id, "7").into_bytes()
}

pub(super) fn two_ids(message: Message) -> Vec<u8> {
    let id = format!(r#""id":"{ID}","#);
    let both = format!(r#""id":"{OTHER_ID}",{id}"#);
    good(message).replace(&id, &both).into_bytes()
}

pub(super) fn no_amount(message: Message) -> Vec<u8> {
    let amount = r#""amount":{"amount":79995,"currency":"710"},"#;
    good(message).replace(amount, "").into_bytes()
}

pub(super) fn amount_in_words(message: Message) -> Vec<u8> {
    good(message).replace("79995", r#""79995""#).into_bytes()
}

pub(super) fn amount_with_fraction(message: Message) -> Vec<u8> {
    good(message).replace("79995", "799.95").into_bytes()
}

pub(super) fn amount_too_large(message: Message) -> Vec<u8> {
    good(message).replace("79995", "79995e30").into_bytes()
}

pub(super) fn huge_number(message: Message) -> Vec<u8> {
    with_member(message, r#""unknown":1e400"#)
}

pub(super) fn malformed_decoration(message: Message) -> Vec<u8> {
    with_member(message, r#""slipData":7,"originator":"x""#)
}

pub(super) fn identifiers_too_large(message: Message) -> Vec<u8> {
    let text = "x".repeat(IDENTIFIERS_LIMIT_BYTES);
    let identifier = format!(r#"{{"institutionId":"1","transactionIdentifier":"{text}"}}"#);
    with_member(
        message,
        &format!(r#""thirdPartyIdentifiers":[{identifier}]"#),
    )
}

pub(super) fn redeem_ref_too_long(message: Message) -> Vec<u8> {
    let text = "1".repeat(TEXT_LIMIT_BYTES + 1);
    with_member(message, &format!(r#""orderRedeemRef":"{text}""#))
}

pub(super) fn currency_too_long(message: Message) -> Vec<u8> {
    let text = "x".repeat(TEXT_LIMIT_BYTES + 1);
    good(message)
        .replace(r#""710""#, &format!(r#""{text}""#))
        .into_bytes()
}

pub(super) fn with_member(message: Message, member: &str) -> Vec<u8> {
    let body = good(message);
    format!("{},{member}}}", &body[..body.len() - 1]).into_bytes()
}

pub(super) fn other_json(_: Message) -> Vec<u8> {
    b"[true]".to_vec()
}

pub(super) fn gateway_json(_: Message) -> Vec<u8> {
    format!(r#"{{"message":"Internal server error {SECRET}"}}"#).into_bytes()
}

pub(super) fn own_detail(_: Message) -> Vec<u8> {
    detail("FORMAT_ERROR", SECRET).into_bytes()
}

pub(super) fn unknown_error_type(_: Message) -> Vec<u8> {
    detail("NEW_ERROR", SECRET).into_bytes()
}

pub(super) fn detail(error_type: &str, message: &str) -> String {
    format!(r#"{{"errorType":"{error_type}","errorMessage":"{message}","id":"{ID}"}}"#)
}

pub(super) fn latin_1_detail(_: Message) -> Vec<u8> {
    let body = detail("FORMAT_ERROR", "?").into_bytes();
    body.into_iter()
        .map(|byte| if byte == b'?' { 0xfc } else { byte })
        .collect()
}

pub(super) fn marked_detail(_: Message) -> Vec<u8> {
    format!("\u{feff}{}", detail("FORMAT_ERROR", SECRET)).into_bytes()
}

/// What a cloud function answers when it fails: an error that lacks an id.
pub(super) fn function_error(_: Message) -> Vec<u8> {
    format!(r#"{{"errorType":"Runtime.ExitError","errorMessage":"{SECRET}"}}"#).into_bytes()
}

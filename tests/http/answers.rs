//! What an upstream says: good answers, and the pieces of bad ones.

use serde_json::json;

use super::server::Received;

/// An answer with a length.
pub fn answer(status: u16, content_type: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut answer = format!(
        "HTTP/1.1 {status} Because\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    answer.extend_from_slice(body);
    answer
}

pub fn json_answer(status: u16, body: &serde_json::Value) -> Vec<u8> {
    answer(status, "application/json", body.to_string())
}

/// A status line, these header lines, and no body.
pub fn bare(status: u16, headers: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} Because\r\n{headers}content-length: 0\r\n\r\n").into_bytes()
}

/// What a service in good health says to a createOrder, a getFeeQuote, an update or an advice.
pub fn good(request: &Received) -> Vec<u8> {
    match (request.method(), request.path()) {
        ("POST", "/orders") => approval(request),
        ("GET", "/admin/fees") => json_answer(200, &quote(request)),
        ("GET", "/admin/customers") => json_answer(200, &json!({ "customerProfileId": "1" })),
        ("PUT", _) => b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(),
        ("POST", _) => json_answer(202, &json!({ "id": request.json()["id"] })),
        _ => answer(404, "text/html", "<html></html>"),
    }
}

/// The approval of a createOrder.
pub fn approval(request: &Received) -> Vec<u8> {
    let asked = request.json();
    let approval = json!({
        "id": asked["id"], "time": asked["time"], "amount": asked["amount"],
        "orderRedeemRef": "12345678901234567890",
    });
    json_answer(201, &approval)
}

/// A quote that tells for which amount it is: the fee is that amount.
pub fn quote(request: &Received) -> serde_json::Value {
    let parameters = request.parameters();
    let asked = parameters.iter().find(|(name, _)| name == "amount");
    let amount: i64 = asked.unwrap().1.parse().unwrap();
    let money = json!({ "amount": amount, "currency": "710" });
    json!({ "feeQuote": { "feeAmount": money, "transferAmount": money, "totalAmount": money } })
}
